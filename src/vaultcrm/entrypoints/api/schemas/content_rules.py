"""Rules of a creator's own for the content filter, and what they make of a text."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.content_rules import RuleDraft, RuleKind
from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.entrypoints.api.fields import FreeText, Schema, Text
from vaultcrm.entrypoints.api.schemas.generations import SafetyOut


class ContentRuleIn(Schema):
    """`phrase` and `pattern` (RE2) add to what the filter finds; `exception` lets through what its
    own rules find wholly inside the phrase, in one category. `tier` has no meaning in an exception.
    """

    creator_id: UUID
    kind: RuleKind
    text: FreeText
    category: Category
    tier: FindingTier = FindingTier.BLOCK
    scopes: Annotated[tuple[Scope, ...], Field(max_length=10)] = (Scope.DRAFT, Scope.CHATTER)
    reason: FreeText

    @property
    def draft(self) -> RuleDraft:
        return RuleDraft(self.kind, self.text, self.category, self.reason, self.tier, self.scopes)


class ContentRuleOut(Schema):
    """`createdBy` is the name of who added it; `removedAt` is null while it is in force."""

    id: UUID
    creator_id: UUID
    kind: RuleKind
    text: str
    category: Category
    tier: FindingTier
    scopes: list[Scope]
    reason: str
    created_by: str | None
    created_at: datetime
    removed_at: datetime | None


class TryTextIn(Schema):
    creator_id: UUID
    text: Text
    scope: Scope = Scope.CHATTER


class TryTextOut(Schema):
    """What the filter says with the creator's own rules, and what it would say without them."""

    with_rules: SafetyOut
    without_rules: SafetyOut
