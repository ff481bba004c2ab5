"""Which browser stands at the door, and from where."""

from ipaddress import ip_address

from fastapi import Request

from vaultcrm.entrypoints.web.frame.sessions import COOKIE, device_of
from vaultcrm.workflows.sign_in_tries import Visitor

LONGEST_AGENT = 500


def visitor_of(request: Request) -> Visitor:
    """The browser that sent a request."""
    return Visitor(
        device=device_of(request),
        replaces=request.cookies.get(COOKIE),
        address=address_of(request),
        agent=request.headers.get("user-agent", "")[:LONGEST_AGENT],
    )


def address_of(request: Request) -> str | None:
    """The network address of a visitor; None where it tells nothing.

    Behind a proxy that the settings trust, the server has put the visitor's own in its place. One
    on this machine that they do not name makes everybody look like one visitor: then nothing is
    counted by address, rather than one person's tries against all. Nobody from outside can feign
    that: their address is not this machine's.
    """
    if request.client is None:
        return None
    host = request.client.host
    try:
        is_local = ip_address(host).is_loopback
    except ValueError:
        return None
    forwarded = any(name in request.headers for name in _FORWARDED)
    return None if is_local and forwarded else host


def fetches_ahead(request: Request) -> bool:
    """Whether a program looks at a link before a person has chosen to follow it.

    Browsers say so when they fetch in advance; what shows previews of links says what it is.
    """
    headers = request.headers
    purpose = headers.get("sec-purpose", headers.get("purpose", "")).lower()
    agent = headers.get("user-agent", "").lower()
    return "prefetch" in purpose or any(sign in agent for sign in _LOOKING_AHEAD)


_FORWARDED = ("x-forwarded-for", "forwarded", "x-real-ip")
_LOOKING_AHEAD = ("bot", "preview", "crawler", "spider", "facebookexternalhit", "whatsapp", "skype")
