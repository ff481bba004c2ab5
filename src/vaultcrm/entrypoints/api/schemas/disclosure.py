"""What fans are told about AI: wordings, and when a fan was told."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.disclosure import Why, Wording
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.entrypoints.api.fields import FreeText, Language, Schema
from vaultcrm.workflows.word_disclosure import WordingInForce


class WordingIn(Schema):
    """`version` is the one that you changed, as it was read; 0 is the one of the product."""

    creator_id: UUID
    language: Language
    text: FreeText
    version: Annotated[int, Field(ge=0, le=2**31 - 2)]

    @property
    def wording(self) -> Wording:
        return Wording(self.language, self.version, self.text)


class WordingOut(Schema):
    """`version` 0 is the wording of the product, which `shipped` always holds."""

    language: str
    name: str
    text: str
    version: int
    shipped: str
    changed_at: datetime | None
    changed_by: str | None


class WordingPage(Schema):
    items: list[WordingOut]

    @classmethod
    def of(cls, found: tuple[WordingInForce, ...]) -> "WordingPage":
        return cls(
            items=[
                WordingOut(
                    language=one.wording.language,
                    name=one.name,
                    text=one.wording.text,
                    version=one.wording.version,
                    shipped=one.shipped,
                    changed_at=one.changed_at,
                    changed_by=one.changed_by,
                )
                for one in found
            ]
        )


class DiscloseIn(Schema):
    """Whose conversation it is."""

    creator_id: UUID


class DiscloseOut(Schema):
    """The disclosure on its way; `text` is what the fan will read."""

    message_id: UUID
    text: str
    leaves_at: datetime


class DisclosureOut(Schema):
    """One time that a fan was told. `sentAt` is null until the platform has taken it; `by` is the
    person who sent it or the message behind it.
    """

    id: UUID
    conversation_id: UUID
    why: Why
    language: str
    wording_version: int
    text: str | None
    created_at: datetime
    sent_at: datetime | None
    delivery_status: DeliveryStatus | None
    error: str | None
    by: str | None


class DisclosurePage(Schema):
    items: list[DisclosureOut]
