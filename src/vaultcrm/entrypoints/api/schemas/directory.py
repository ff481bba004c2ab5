"""Creators, fans and templates."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints

from vaultcrm.domain.generation import (
    GenerationType,
)
from vaultcrm.domain.people import Tier
from vaultcrm.domain.template import TemplateDraft
from vaultcrm.entrypoints.api.fields import (
    Currency,
    FreeText,
    Language,
    Line,
    Minor,
    Schema,
    Text,
    Time,
)


class CreatorIn(Schema):
    handle: Line
    display_name: Line
    language: Language = "en"
    region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"


class CreatorOut(Schema):
    id: UUID
    handle: str
    display_name: str
    language: str
    region: str


class FanIn(Schema):
    creator_id: UUID
    handle: Line
    display_name: Line
    lifetime_value_minor: Minor = 0
    currency: Currency = "USD"
    notes: FreeText = ""


class FanOut(Schema):
    id: UUID
    creator_id: UUID
    handle: str
    display_name: str
    tier: Tier
    lifetime_value_minor: int
    currency: str
    notes: str
    disclosed_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime


class DisclosureIn(Schema):
    """When the fan was told that AI may write; now if it is left out."""

    creator_id: UUID
    shown_at: Time | None = None


class TemplateIn(Schema):
    """`{fan_name}` in the text stands for the fan's name, `{fan_name|you}` for "you" where there is
    none. Other variables: `creator_name`, `last_purchase`, `days_since_last_purchase`,
    `days_since_last_message`.
    """

    creator_id: UUID
    name: Line
    category: GenerationType
    language: Language = "en"
    template_text: Text
    price_minor: Minor | None = None

    @property
    def draft(self) -> TemplateDraft:
        return TemplateDraft(
            self.name, self.category, self.language, self.template_text, self.price_minor
        )


class TemplateChangeIn(TemplateIn):
    """The whole template as it is to be. `seen` is the `updatedAt` of the one that you changed."""

    seen: Time


class TemplateOfIn(Schema):
    """Whose template it is."""

    creator_id: UUID


class TemplateOut(Schema):
    id: UUID
    creator_id: UUID
    name: str
    category: GenerationType
    language: str
    template_text: str
    price_minor: int | None
    performance_stats: dict[str, Any]
    usage_count: int
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
