"""Identities that others vouch for: subjects of an OpenID Connect issuer, such as Supabase."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an issuer says its token's bearer is. `email` only where the issuer has verified it."""

    issuer: str
    subject: str
    email: str | None


class IdentityVerifier(Protocol):
    """Reads the tokens of one issuer."""

    async def verify(self, token: str, now: datetime) -> Identity:
        """Raises Unauthenticated for a token that is not good, IssuerUnavailable without keys."""
        ...

    async def aclose(self) -> None: ...
