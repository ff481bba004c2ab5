"""Who is signed in, and whether a form came from one of our pages."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Form, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import hash_token, new_token, read_sign_in_token
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.queries import access, audit
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Forbidden, Unauthenticated
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Credential, Role
from vaultcrm.entrypoints.api.context import parts_of
from vaultcrm.workflows.parts import Parts

COOKIE = "vaultcrm_session"
LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person. `csrf` is what every form of theirs must carry."""

    caller: Caller
    token_hash: bytes
    csrf: str


async def session_of(request: Request) -> Session:
    """The session behind the cookie; raises Unauthenticated when there is none that lives."""
    parts = parts_of(request)
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthenticated("Sign in first.")
    token_hash = hash_token(secret)
    async with parts.pool.connection() as connection:
        user_id = await access.user_of_session(connection, token_hash, parts.now())
        if user_id is None:
            raise Unauthenticated("This session has ended. Sign in again.")
        sent = await access.find_caller(connection, Credential(user_id=user_id), parts.now())
        caller = await sent.answer()
    if caller is None:
        raise Unauthenticated("This user may not sign in any more.")
    return Session(caller, token_hash, _csrf_token(parts, token_hash))


SessionDep = Annotated[Session, Depends(session_of)]


async def form_session(
    request: Request, session: SessionDep, csrf: Annotated[str, Form()] = ""
) -> Session:
    """The session of a form that one of our own pages sent; raises Forbidden for any other."""
    _require_our_origin(request)
    if not hmac.compare_digest(csrf.encode("utf-8", "replace"), session.csrf.encode()):
        raise Forbidden(
            "This form is out of date or was not made by this console. Nothing was changed. "
            "Go back, reload the page and send it again."
        )
    return session


FormSessionDep = Annotated[Session, Depends(form_session)]


def _csrf_token(parts: Parts, token_hash: bytes) -> str:
    """HMAC-SHA256 over the session's hash: good for this session and no longer."""
    key = _key(parts)
    return hmac.new(key, b"csrf:" + token_hash, hashlib.sha256).hexdigest()


def _key(parts: Parts) -> bytes:
    return installation_key(parts.settings.vaultcrm_home, parts.settings.vaultcrm_secret_key)


def _require_our_origin(request: Request) -> None:
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


async def sign_in(parts: Parts, token: str, previous: str | None) -> str:
    """Open a session for the holder of a signed link and return its secret.

    `previous` is the secret of the session that it replaces. Raises Unauthenticated for a link
    that is wrong, too old, or of somebody who may not sign in any more.
    """
    user_id = read_sign_in_token(token, _key(parts))
    secret, now = new_token(), parts.now()
    async with parts.transaction() as connection:
        sent = await access.find_caller(connection, Credential(user_id=user_id), now)
        caller = await sent.answer()
        if caller is None or caller.role is Role.SERVICE:
            raise Unauthenticated("The user of this sign-in link may not sign in any more.")
        if previous:
            await access.end_session(connection, hash_token(previous))
        await access.add_session(connection, hash_token(secret), user_id, now, now + LIFETIME)
        await audit.record(connection, _signed_in(user_id, parts))
    return secret


def _signed_in(user_id: UUID, parts: Parts) -> AuditEntry:
    return AuditEntry(
        creator_id=NIL,
        actor_id=user_id,
        action=AuditAction.SIGNED_IN,
        subject_type="user",
        subject_id=str(user_id),
        at=parts.now(),
    )


async def sign_out(parts: Parts, session: Session) -> None:
    """End a session: its secret opens nothing any more."""
    async with parts.pool.connection() as connection:
        await access.end_session(connection, session.token_hash)


def give_cookie(response: Response, parts: Parts, secret: str) -> None:
    """Hand a session's secret to the browser, out of reach of scripts and other sites' forms."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=_over_https(parts),
    )


def take_cookie(response: Response, parts: Parts) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_over_https(parts))


def _over_https(parts: Parts) -> bool:
    return urlsplit(parts.settings.vaultcrm_base_url).scheme == "https"
