"""Working the queue: claims, snoozing, decisions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.db.queries.queue import Split
from vaultcrm.domain.approval import DecisionAction, RejectReason
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema, Text, Time
from vaultcrm.entrypoints.api.schemas.generations import GenerationOut

MOST_AT_ONCE = 100
MOST_MEDIA = 20


class ApproveIn(Schema):
    """`sendAnyway` lets a draft go although the fan has written since it was made.

    `rejectReason` is one of a few that are counted; `reason` is free text beside it.
    """

    generation_id: UUID
    action: DecisionAction
    modified_message: Text | None = None
    modified_price: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    media_ids: Annotated[tuple[Line, ...], Field(max_length=MOST_MEDIA)] = ()
    reason: FreeText | None = None
    reject_reason: RejectReason | None = None
    send_anyway: bool = False


class ApproveOut(Schema):
    success: bool
    generation: GenerationOut


class BulkIn(Schema):
    """Decisions that are made one after the other, each by itself."""

    decisions: Annotated[list[ApproveIn], Field(min_length=1, max_length=MOST_AT_ONCE)]


class BulkItem(Schema):
    """How one decision went: the draft as it is now, or why not."""

    generation_id: UUID
    success: bool
    generation: GenerationOut | None = None
    problem: str | None = None
    current_status: str | None = None


class BulkOut(Schema):
    succeeded: int
    failed: int
    results: list[BulkItem]


class ClaimIn(Schema):
    """A given draft, or the next one that nobody holds, of a creator or a split if asked for.

    Claiming a draft that one holds already prolongs the claim.
    """

    generation_id: UUID | None = None
    creator_id: UUID | None = None
    split: Split | None = None


class ClaimOut(Schema):
    generation: GenerationOut | None


class DraftIn(Schema):
    generation_id: UUID


class SnoozeIn(Schema):
    """`until` null brings the draft back."""

    generation_id: UUID
    until: Time | None


class HeldOut(Schema):
    """A draft that somebody is looking at."""

    creator_id: UUID
    generation_id: UUID
    conversation_id: UUID
    user_id: UUID
    user_name: str
    until: datetime


class HeldPage(Schema):
    items: list[HeldOut]
