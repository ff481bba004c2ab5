"""What fans may ask for: everything that is held about them, and to be erased."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from vaultcrm.db.pending import Record
from vaultcrm.domain.erasure import LONGEST_REASON, Erasure
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema

Json = dict[str, Any]


class FanExport(Schema):
    """Everything that is held about a fan. `leaving` is what was to be sent, sent or not."""

    exported_at: datetime
    fan: Json
    conversations: list[Json]
    messages: list[Json]
    payments: list[Json]
    money_for_messages: list[Json]
    outcomes: list[Json]
    drafts: list[Json]
    leaving: list[Json]
    disclosures: list[Json]


class ErasureIn(Schema):
    """`handle` is the fan's, so that nobody erases another by mistake. `reason` is kept, so it does
    not name them.
    """

    creator_id: UUID
    handle: Line
    reason: Annotated[FreeText, Field(min_length=1, max_length=LONGEST_REASON)]


class ErasureOut(Schema):
    """One fan who is being erased. All that was there is empty from `clearedAt` on; what was under
    way meanwhile is too from `finishedAt` on.
    """

    id: UUID
    creator_id: UUID
    fan_id: UUID
    reason: str
    requested_at: datetime
    cleared_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, erasure: Erasure) -> "ErasureOut":
        return cls(
            id=erasure.id,
            creator_id=erasure.creator_id,
            fan_id=erasure.fan_id,
            reason=erasure.reason,
            requested_at=erasure.requested_at,
            cleared_at=erasure.cleared_at,
            finished_at=erasure.finished_at,
        )

    @classmethod
    def of_record(cls, record: Record) -> "ErasureOut":
        return cls(**{name: record[name] for name in cls.model_fields})


class ErasureList(Schema):
    """The latest erasures."""

    items: list[ErasureOut]
