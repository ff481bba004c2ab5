"""Who is signed in, and whether a form came from one of our pages."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Form, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import (
    SESSION_IDLE,
    SESSION_LIFETIME,
    SESSION_NOTED_EVERY,
    hash_token,
)
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.queries import sessions
from vaultcrm.db.row_scope import see_as
from vaultcrm.domain.errors import Forbidden, SecondFactorMissing, Unauthenticated
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints import doors
from vaultcrm.entrypoints.api.context import parts_of
from vaultcrm.entrypoints.web.frame.preferences import theme_of, zone_of
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.second_factor import is_required

COOKIE = "vaultcrm_session"
PRESSED = frozenset({"a", "button", "form", "input", "select", "textarea"})
"""Elements that ask for something because somebody has done something."""
LONGEST_PATH = 1000
WITHOUT_SECOND_FACTOR = ("/account/second-factor", "/sign-out")
"""What is open to somebody who must set up a second factor."""


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person. `csrf` is what every form of theirs must carry; zone and theme are those
    of their browser.
    """

    id: UUID
    caller: Caller
    token_hash: bytes
    csrf: str
    zone: tzinfo
    theme: str


async def session_of(request: Request) -> Session:
    """The session behind the cookie, of somebody whom this page is for.

    Raises Unauthenticated when there is none that lives, Forbidden for another role, and
    SecondFactorMissing where the role needs one and none was shown.
    """
    parts = parts_of(request)
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthenticated("Sign in first.")
    token_hash = hash_token(secret)
    now = parts.now()
    async with parts.pool.unscoped() as connection:
        sent = await sessions.find(connection, token_hash, now=now, idle_since=now - SESSION_IDLE)
        found = await sent.answer()
        if found is None:
            raise Unauthenticated("This session has ended. Sign in again.")
        if now - found.last_used_at > SESSION_NOTED_EVERY and not _asks_by_itself(request):
            await sessions.note_use(connection, found.id, found.caller.user_id, now)
    request.state.caller = found.caller
    see_as(found.caller)
    if _needs_second_factor(parts, found, request):
        raise SecondFactorMissing("Set up a second factor first: your role needs one here.")
    doors.require_open(request, found.caller)
    return Session(
        found.id,
        found.caller,
        token_hash,
        csrf_of(parts, secret),
        zone=zone_of(request),
        theme=theme_of(request),
    )


def _asks_by_itself(request: Request) -> bool:
    """Whether a page asks for news of its own accord, so that nobody need be sitting there.

    htmx names the element that asks: one that nobody can press or fill does so by itself.
    """
    source = request.headers.get("hx-source", "")
    tag = source.partition("#")[0].partition(".")[0].lower()
    return request.method == "GET" and bool(tag) and tag not in PRESSED


SessionDep = Annotated[Session, Depends(session_of)]


async def form_session(
    request: Request, session: SessionDep, csrf: Annotated[str, Form()] = ""
) -> Session:
    """The session of a form that one of our own pages sent; raises Forbidden for any other."""
    require_our_origin(request)
    if not hmac.compare_digest(csrf.encode("utf-8", "replace"), session.csrf.encode()):
        raise Forbidden(
            "This form is out of date or was not made by this console. Nothing was changed. "
            "Go back, reload the page and send it again."
        )
    return session


FormSessionDep = Annotated[Session, Depends(form_session)]


def csrf_of(parts: Parts, secret: str) -> str:
    """HMAC-SHA256 over the hash of a session's secret: good for this session and no longer."""
    key = _key(parts)
    return hmac.new(key, b"csrf:" + hash_token(secret), hashlib.sha256).hexdigest()


def _needs_second_factor(parts: Parts, found: sessions.Found, request: Request) -> bool:
    if found.second_factor or not is_required(parts.settings, found.caller):
        return False
    return not request.url.path.startswith(WITHOUT_SECOND_FACTOR)


def _key(parts: Parts) -> bytes:
    return installation_key(parts.settings.vaultcrm_home, parts.settings.vaultcrm_secret_key)


def require_our_origin(request: Request) -> None:
    """Raise Forbidden when the browser says that another site sent the request.

    `Sec-Fetch-Site` is sent over https and to this machine only, so `Origin` is looked at too.
    """
    headers = request.headers
    site = headers.get("sec-fetch-site", "none")
    ours = {
        headers.get("host", "").lower(),
        urlsplit(parts_of(request).settings.vaultcrm_base_url).netloc.lower(),
    }
    origin = headers.get("origin")
    if site not in {"same-origin", "none"} or (
        origin is not None and urlsplit(origin).netloc.lower() not in ours - {""}
    ):
        raise Forbidden("Another site sent this form. Nothing was changed.")


def give_cookie(response: Response, parts: Parts, secret: str) -> None:
    """Hand a session's secret to the browser, out of reach of scripts and other sites' forms."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_over_https(parts),
    )


def take_cookie(response: Response, parts: Parts) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=is_over_https(parts))


def is_over_https(parts: Parts) -> bool:
    return urlsplit(parts.settings.vaultcrm_base_url).scheme == "https"


def own_path(text: str | None) -> str | None:
    """A path of this console with its query, as it may be gone on to after signing in; else None.

    Browsers read `//host` and `/\\host` as other sites, and leave out tabs and line ends.
    """
    if text is None or len(text) > LONGEST_PATH or not text.startswith("/"):
        return None
    if text.startswith("//") or "\\" in text or not text.isprintable():
        return None
    if urlsplit(text).path.startswith(("/sign-in", "/sign-out")):
        return None
    return text


def asked_for(request: Request) -> str | None:
    """The page that somebody who must sign in first was on, or wanted; None where that is none."""
    current = request.headers.get("hx-current-url")
    if current is not None:
        parts = urlsplit(current)
        return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))
    if request.method != "GET" or request.url.path == "/":
        return None
    query = request.url.query
    return own_path(request.url.path + (f"?{query}" if query else ""))


_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
# The first that is found counts: nearly every browser also names those that it is like.


def device_of(request: Request) -> str:
    """What a browser is called in the list of sessions: `Firefox on Windows`."""
    said = request.headers.get("user-agent", "")
    browser = next((name for sign, name in _BROWSERS if sign in said), "")
    system = next((name for sign, name in _SYSTEMS if sign in said), "")
    return " on ".join(part for part in (browser or "A browser", system) if part)
