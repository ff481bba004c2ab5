"""Telling a fan that AI helps to write: when it is due, and in which words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Due(StrEnum):
    """Why a fan must be told before the next message that AI had a part in.

    `FIRST`: they never were. `AGAIN`: it is longer ago than the set time. `ASKED`: they want to
    know; then a person's own message is preceded by the answer too.
    """

    FIRST = "first"
    AGAIN = "again"
    ASKED = "asked"


class Why(StrEnum):
    """Why a disclosure was sent. `ORDERED`: none was due, but a person wanted it sent."""

    FIRST = "first"
    AGAIN = "again"
    ASKED = "asked"
    ORDERED = "ordered"


def disclosure_due(
    told_at: datetime | None, asked_at: datetime | None, *, every_days: int, now: datetime
) -> Due | None:
    """Why a fan must be told (again); None while they know.

    `asked_at` is when they asked without having been answered since. `every_days` 0 means that
    once is enough, unless they ask.
    """
    if asked_at is not None:
        return Due.ASKED
    if told_at is None:
        return Due.FIRST
    if every_days and now - told_at >= timedelta(days=every_days):
        return Due.AGAIN
    return None


@dataclass(frozen=True, slots=True)
class Wording:
    """What a fan is told in one language. `version` 0 is the wording that comes with the product;
    a creator's own ones count from 1, in each language by itself.
    """

    language: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One time that a fan was told, or will be: `sent_at` is None until the platform has taken it.

    `item_id` is the message in the outbox; `language` and `version` say which wording it has.
    """

    id: UUID
    creator_id: UUID
    fan_id: UUID
    conversation_id: UUID
    item_id: UUID
    why: Why
    language: str
    version: int
    created_at: datetime
    sent_at: datetime | None = None
