"""Erasing a fan on request: what stands in the place of what is gone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

ERASED_NAME = "Erased fan"
ERASED_TEXT = "[erased]"
"""Stands for a text that a person had changed; one that left unchanged is empty."""

LAST_LOOK_AFTER = timedelta(minutes=15)
"""When everything is looked through again: what was under way when a fan was erased (a model that
writes, a page that was open) has ended by then, and whatever it wrote goes too.
"""

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """What is held about a fan. `leaving` waits to be sent, or may have been."""

    conversations: int
    messages: int
    drafts: int
    leaving: int


@dataclass(frozen=True, slots=True)
class Erasure:
    """One fan who is being erased, or was. `identifiers` are what platforms call them, until
    nothing is left to look for. `cleared_at` is when all that was there had been emptied once.
    """

    creator_id: UUID
    id: UUID
    fan_id: UUID
    requested_by: UUID | None
    reason: str
    requested_at: datetime
    identifiers: tuple[str, ...]
    cleared_at: datetime | None
    finished_at: datetime | None

    @property
    def last_look_at(self) -> datetime:
        return self.requested_at + LAST_LOOK_AFTER
