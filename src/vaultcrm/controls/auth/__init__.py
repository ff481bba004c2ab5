"""Who is asking: secrets of tokens and sessions, sign-in links, and what a caller may see."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import jwt

from vaultcrm.domain.errors import Forbidden, NotFound, Unauthenticated
from vaultcrm.domain.people import Caller, Credential, Role, TokenScope

TOKEN_PREFIX = "vcrm_"  # noqa: S105 -- the visible start of every token, so that leaks are found
SIGN_IN_AUDIENCE = "vaultcrm:sign-in"
SECOND_STEP_AUDIENCE = "vaultcrm:second-step"

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


SECOND_STEP_LIFETIME = timedelta(minutes=10)
"""How long somebody who has shown the first factor may look for the second."""


def bearer_token(authorization: str | None) -> str:
    """The token in an `Authorization: Bearer …` header; raises Unauthenticated."""
    if authorization is None:
        raise Unauthenticated("Send a token: Authorization: Bearer vcrm_…")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("The Authorization header must be: Bearer vcrm_…")
    return token.strip()


def credential_from_header(
    authorization: str | None, needs: TokenScope | None = None
) -> Credential:
    """One of our tokens in an `Authorization: Bearer …` header; raises Unauthenticated."""
    return Credential(token_hash=hash_token(bearer_token(authorization)), needs=needs)


@dataclass(frozen=True, slots=True)
class SignInLink:
    """What a sign-in link says. By `made_at`, to the microsecond, older ones can be ended.

    `nonce` is what is kept of a link once it was used. One that `repeats` may be used often.
    """

    user_id: UUID
    made_at: datetime
    nonce: UUID
    good_until: datetime
    repeats: bool = False


def sign_in_token(
    user_id: UUID, key: bytes, now: datetime, lifetime: timedelta, *, repeats: bool = False
) -> str:
    """A signed token for a sign-in link that is good until `now + lifetime`, once if at all."""
    claims = {
        "sub": str(user_id),
        "aud": SIGN_IN_AUDIENCE,
        "iat": now.timestamp(),
        "exp": now + lifetime,
        "jti": str(uuid4()),
    } | ({"repeats": True} if repeats else {})
    return jwt.encode(claims, key, algorithm="HS256")


def read_sign_in_token(token: str, key: bytes) -> SignInLink:
    """What a sign-in link says; raises Unauthenticated when it is wrong or too old."""
    try:
        claims = _signed(token, key, SIGN_IN_AUDIENCE, "jti")
        return SignInLink(
            UUID(claims["sub"]),
            _moment(claims["iat"]),
            UUID(claims["jti"]),
            _moment(claims["exp"]),
            claims.get("repeats") is True,
        )
    except _UNREADABLE:
        raise Unauthenticated(
            "This sign-in link is wrong or too old. Ask for a new one: vaultcrm user link EMAIL"
        ) from None


FirstFactor = Literal["password", "link"]


@dataclass(frozen=True, slots=True)
class FirstStep:
    """Who has shown a first factor, which, and when; `link` is the link that it was."""

    user_id: UUID
    factor: FirstFactor
    made_at: datetime
    link: SignInLink | None = None


def second_step_token(step: FirstStep, key: bytes) -> str:
    """A signed token that lets somebody go on to the second factor for ten minutes."""
    claims: dict[str, Any] = {
        "sub": str(step.user_id),
        "aud": SECOND_STEP_AUDIENCE,
        "iat": step.made_at.timestamp(),
        "exp": step.made_at + SECOND_STEP_LIFETIME,
        "factor": step.factor,
    }
    if step.link is not None:
        claims["link"] = {
            "jti": str(step.link.nonce),
            "iat": step.link.made_at.timestamp(),
            "exp": step.link.good_until.timestamp(),
            "repeats": step.link.repeats,
        }
    return jwt.encode(claims, key, algorithm="HS256")


def read_second_step_token(token: str, key: bytes) -> FirstStep:
    """What it says; raises Unauthenticated when it is wrong or too old."""
    try:
        claims = _signed(token, key, SECOND_STEP_AUDIENCE, "factor")
        user_id, said = UUID(claims["sub"]), claims.get("link")
        link = said and SignInLink(
            user_id,
            _moment(said["iat"]),
            UUID(said["jti"]),
            _moment(said["exp"]),
            said["repeats"] is True,
        )
        return FirstStep(user_id, claims["factor"], _moment(claims["iat"]), link or None)
    except _UNREADABLE:
        raise Unauthenticated("That took too long. Sign in again from the beginning.") from None


_UNREADABLE = (jwt.InvalidTokenError, LookupError, ValueError, OverflowError, OSError, TypeError)


def _signed(token: str, key: bytes, audience: str, *required: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        key,
        algorithms=["HS256"],
        audience=audience,
        options={"require": ["exp", "iat", "sub", *required]},
    )


def _moment(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def require_creator(caller: Caller, creator_id: UUID) -> None:
    """Raise NotFound, not Forbidden, for a foreign creator: whether it exists is not told."""
    if not caller.may_see(creator_id):
        raise NotFound("creator")


def require_every_creator(caller: Caller) -> None:
    """Raise Forbidden for whoever would change for all creators what they may change for some."""
    if not caller.all_creators:
        raise Forbidden(
            "This holds for every creator, and you act for some of them. Ask an admin who acts for "
            "all, or change it for one creator."
        )


def require_role(caller: Caller, *roles: Role) -> None:
    if not caller.is_one_of(*roles):
        allowed = ", ".join(role.value for role in roles)
        raise Forbidden(f"This needs the role {allowed}; yours is {caller.role.value}.")


def require_scope(caller: Caller, needs: TokenScope | None) -> None:
    """Raise Forbidden for a token without the scope; a caller without a token has every one.

    Where nothing is named that would do, only a token with all scopes does.
    """
    if caller.scopes is None or needs in caller.scopes:
        return
    has = ", ".join(sorted(scope.value for scope in caller.scopes)) or "none"
    wanted = "all scopes" if needs is None else f"the scope {needs.value}"
    raise Forbidden(f"This needs a token with {wanted}; yours has: {has}.")


def acting_chatter(caller: Caller, chatter_id: UUID | None) -> UUID:
    """Whose work it is: the caller's own, or the named chatter's when a program asks."""
    if chatter_id is None or chatter_id == caller.user_id:
        return caller.user_id
    if caller.role is Role.SERVICE:
        return chatter_id
    raise Forbidden("chatterId must be your own id; only a service token may act for others.")
