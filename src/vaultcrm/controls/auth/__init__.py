"""Who is asking: secrets of tokens and sessions, sign-in links, and what a caller may see."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from vaultcrm.domain.errors import Forbidden, NotFound, Unauthenticated
from vaultcrm.domain.people import Caller, Credential, Role

TOKEN_PREFIX = "vcrm_"  # noqa: S105 -- the visible start of every token, so that leaks are found
SIGN_IN_AUDIENCE = "vaultcrm:sign-in"

SESSION_LIFETIME = timedelta(hours=12)
SESSION_IDLE = timedelta(hours=2)
"""A session ends so long after it was opened, and sooner when nobody uses it for so long."""
SESSION_NOTED_EVERY = timedelta(minutes=1)
"""Its last use is written down at most so often, so that reading a page costs no write."""


def new_token() -> str:
    """A new API token or session secret, with 256 bits of chance. Shown once, stored hashed."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """SHA-256 of a token. Tokens are long and random, so a slow hash would protect nothing."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def credential_from_header(authorization: str | None) -> Credential:
    """The credential in an `Authorization: Bearer …` header; raises Unauthenticated."""
    if authorization is None:
        raise Unauthenticated("Send a token: Authorization: Bearer vcrm_…")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The Authorization header must be: Bearer vcrm_…")
    return Credential(token_hash=hash_token(token.strip()))


@dataclass(frozen=True, slots=True)
class SignInLink:
    """What a sign-in link says. By `made_at`, to the microsecond, older ones can be ended."""

    user_id: UUID
    made_at: datetime


def sign_in_token(user_id: UUID, key: bytes, now: datetime, lifetime: timedelta) -> str:
    """A signed token for a sign-in link that is good until `now + lifetime`."""
    claims = {
        "sub": str(user_id),
        "aud": SIGN_IN_AUDIENCE,
        "iat": now.timestamp(),
        "exp": now + lifetime,
    }
    return jwt.encode(claims, key, algorithm="HS256")


def read_sign_in_token(token: str, key: bytes) -> SignInLink:
    """What a sign-in link says; raises Unauthenticated when it is wrong or too old."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=SIGN_IN_AUDIENCE,
            options={"require": ["exp", "iat", "sub"]},
        )
        return SignInLink(UUID(claims["sub"]), datetime.fromtimestamp(claims["iat"], UTC))
    except (jwt.InvalidTokenError, KeyError, ValueError, OverflowError, OSError, TypeError):
        raise Unauthenticated(
            "This sign-in link is wrong or too old. Ask for a new one: vaultcrm user link EMAIL"
        ) from None


def require_creator(caller: Caller, creator_id: UUID) -> None:
    """Raise NotFound, not Forbidden, for a foreign creator: whether it exists is not told."""
    if not caller.may_see(creator_id):
        raise NotFound("creator")


def require_role(caller: Caller, *roles: Role) -> None:
    if not caller.is_one_of(*roles):
        allowed = ", ".join(role.value for role in roles)
        raise Forbidden(f"This needs the role {allowed}; yours is {caller.role.value}.")


def acting_chatter(caller: Caller, chatter_id: UUID | None) -> UUID:
    """Whose work it is: the caller's own, or the named chatter's when a program asks."""
    if chatter_id is None or chatter_id == caller.user_id:
        return caller.user_id
    if caller.role is Role.SERVICE:
        return chatter_id
    raise Forbidden("chatterId must be your own id; only a service token may act for others.")
