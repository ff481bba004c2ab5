"""Messages on their way out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from vaultcrm.domain.conversation import Author
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.entrypoints.api.fields import Line, Schema, Text
from vaultcrm.entrypoints.api.schemas.generations import FindingOut
from vaultcrm.entrypoints.api.schemas.queue import MOST_MEDIA
from vaultcrm.workflows.resolve_delivery import Resolution

Minor = Annotated[int, Field(gt=0, le=10**12)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class SendIn(Schema):
    """A chatter's own message. With `seenMessageId`, the fan's last message that was on screen,
    it is stopped when the fan has written since. `templateId` says which template it began with.
    """

    creator_id: UUID
    text: Text
    price_minor: Minor | None = None
    currency: Currency | None = None
    media_ids: Annotated[tuple[Line, ...], Field(max_length=MOST_MEDIA)] = ()
    seen_message_id: UUID | None = None
    template_id: UUID | None = None

    @model_validator(mode="after")
    def _price_has_currency(self) -> "SendIn":
        if (self.price_minor is None) != (self.currency is None):
            raise ValueError("priceMinor and currency go together")
        return self


class SendOut(Schema):
    """`findings` are what the filter asks to look at; what it blocks is refused. Until `leavesAt`
    the message has not left.
    """

    message_id: UUID
    leaves_at: datetime
    findings: list[FindingOut]


class DeliveryOut(Schema):
    id: UUID
    creator_id: UUID
    conversation_id: UUID
    generation_id: UUID | None
    author: Author
    author_name: str | None
    text: str
    price_minor: int | None
    currency: str | None
    status: DeliveryStatus
    attempts: int
    not_before: datetime
    external_id: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime


class ResolveIn(Schema):
    creator_id: UUID
    resolution: Resolution


class ResolveOut(Schema):
    id: UUID
    status: DeliveryStatus
