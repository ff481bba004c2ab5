"""Who of ours an OpenID Connect identity is.

The subject decides once it is tied to a user; until then the verified e-mail does, and ties it. So
an address that is given to somebody else at the issuer opens nobody else's account.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pool import ScopedPool
from vaultcrm.db.queries import access, audit, identities
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Unauthenticated
from vaultcrm.domain.identity import Identity

REMEMBERED = timedelta(seconds=30)
"""How long an identity that was untied is still let in by a process that knew it."""
MOST_REMEMBERED = 10_000

UNKNOWN = (
    "The issuer of this token vouches for you, but nobody here has its verified e-mail address. "
    "Ask an admin to add you to the team with that address."
)
TAKEN = (
    "Somebody with this e-mail address is tied to another identity of the issuer of this token. "
    "An admin unties it on their page of the team."
)
DISABLED = "The user of this token may not sign in any more."


@dataclass(slots=True)
class KnownIdentities:
    """Identities that were looked up a moment ago; whether a user is disabled is asked always."""

    _found: dict[tuple[str, str], tuple[UUID, datetime]] = field(default_factory=dict)

    async def user_of(self, pool: ScopedPool, identity: Identity, now: datetime) -> UUID:
        """The user behind an identity, tied to it the first time; raises Unauthenticated."""
        key = (identity.issuer, identity.subject)
        known = self._found.get(key)
        if known is not None and now - known[1] < REMEMBERED:
            return known[0]
        user_id = await _looked_up(pool, identity, now)
        if len(self._found) >= MOST_REMEMBERED:
            self._found.clear()
        self._found[key] = (user_id, now)
        return user_id


async def _looked_up(pool: ScopedPool, identity: Identity, now: datetime) -> UUID:
    async with pool.unscoped() as connection, connection.transaction():
        bound = await identities.bound_to(connection, identity.issuer, identity.subject)
        if bound is not None:
            if not bound.is_active:
                raise Unauthenticated(DISABLED)
            return bound.user_id
        user_id = identity.email and await access.user_by_email(connection, identity.email)
        if not user_id:
            raise Unauthenticated(UNKNOWN)
        if not await identities.bind(connection, identity.issuer, identity.subject, user_id, now):
            again = await identities.bound_to(connection, identity.issuer, identity.subject)
            if again is None or again.user_id != user_id:
                raise Unauthenticated(TAKEN)
            return user_id
        await audit.record(
            connection,
            AuditEntry.about_user(
                AuditAction.IDENTITY_BOUND,
                user_id,
                actor_id=None,
                at=now,
                details={"issuer": identity.issuer},
            ),
        )
    return user_id
