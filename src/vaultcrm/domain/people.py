"""Creators, their fans, and the users who answer for them."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.money import Money


class Tier(StrEnum):
    """How much a fan has spent over their whole life with a creator."""

    WHALE = "whale"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


TIER_FROM_MAJOR = {Tier.WHALE: 1000, Tier.HIGH: 300, Tier.MEDIUM: 50}
"""Lifetime value, in whole units of the fan's currency, from which a tier begins."""


def tier_of(lifetime_value: Money) -> Tier:
    """The tier that a lifetime value earns."""
    for tier, least in TIER_FROM_MAJOR.items():
        if lifetime_value.major >= least:
            return tier
    return Tier.LOW


@dataclass(frozen=True, slots=True)
class Creator:
    """`rules_revision` names the state of their own content rules; None while there was none."""

    id: UUID
    handle: str
    display_name: str
    language: str = "en"
    region: str = "US"
    rules_revision: UUID | None = None


@dataclass(frozen=True, slots=True)
class Fan:
    """One fan of one creator. `disclosed_at` is when the fan was last told that AI may write."""

    id: UUID
    creator_id: UUID
    handle: str
    display_name: str
    tier: Tier
    lifetime_value: Money
    disclosed_at: datetime | None = None
    last_seen_at: datetime | None = None
    notes: str = ""


class Role(StrEnum):
    CHATTER = "chatter"
    MANAGER = "manager"
    ADMIN = "admin"
    SERVICE = "service"


class TokenScope(StrEnum):
    """What an API token is good for. A person's role and creators bound it in any case."""

    READ = "read"
    WRITE = "write"
    DRAFT = "draft"
    DECIDE = "decide"
    SEND = "send"
    MANAGE = "manage"
    METRICS = "metrics"


SYSTEM_USER_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The user that automatic work is done as. The first migration adds the row."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: a signed-in user or a program, and the creators that they may act for.

    `scopes` are those of the token that they come with; None is all of them.
    """

    user_id: UUID
    role: Role
    name: str
    all_creators: bool
    creator_ids: frozenset[UUID] = frozenset()
    scopes: frozenset[TokenScope] | None = None

    def may_see(self, creator_id: UUID) -> bool:
        return self.all_creators or creator_id in self.creator_ids

    def is_one_of(self, *roles: Role) -> bool:
        return self.role in roles


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is no program, as the team sees them. `sessions` counts those that live."""

    id: UUID
    email: str
    name: str
    role: Role
    all_creators: bool
    created_at: datetime
    disabled_at: datetime | None
    last_seen_at: datetime | None
    password_set_at: datetime | None
    creator_ids: frozenset[UUID]
    sessions: int


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One browser in which a person is signed in. `device` is for people: `Firefox on Linux`."""

    id: UUID
    device: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


LONGEST_EMAIL = 200


def email_address(text: str) -> str:
    """An e-mail address as it is kept and compared: in lower case, without blanks around it.

    Raises ValueError when it is none.
    """
    found = text.strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", found) or len(found) > LONGEST_EMAIL:
        raise ValueError("an address such as jo@example.com")
    return found


@dataclass(frozen=True, slots=True)
class Credential:
    """How a caller proves who they are: a token's hash, or a user that is already known.

    Exactly one of the two is set. A known user comes from a session, a command or a job. A token
    must have the scope `needs`.
    """

    token_hash: bytes | None = None
    user_id: UUID | None = None
    needs: TokenScope | None = None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token as people see it; the token itself is not kept. `scopes` None is all of them."""

    id: UUID
    user_id: UUID
    owner: str
    name: str
    scopes: frozenset[TokenScope] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
