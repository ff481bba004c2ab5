"""What weekly learning proposes, as the API shows it."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.learning import (
    Course,
    Finding,
    Outcome,
    Proposal,
    ProposalStatus,
    WatchState,
)
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.entrypoints.api.fields import FreeText, Schema
from vaultcrm.pipeline.learning.telling import sentence


class FindingOut(Schema):
    """`text` says it for people. `rate` and `otherwise` are shares, or minor units of `currency`,
    adjusted for tier, price band and week; `low` and `high` bound their difference. `everywhere`:
    found over all creators together.
    """

    text: str
    arm: str
    outcome: Outcome
    currency: str
    rate: float
    otherwise: float
    low: float
    high: float
    messages: int
    everywhere: bool


class FieldsOut(Schema):
    """The fields that would change, with their new values; null for one that stays."""

    preferred_phrases: list[str] | None = None
    emoji_style: EmojiStyle | None = None
    system_prompt: str | None = None


class FigureOut(Schema):
    """Means before and after, on how many each rests, and the bounds of the difference."""

    name: str
    before: float
    after: float
    count_before: int
    count_after: int
    low: float
    high: float


class WatchOut(Schema):
    state: WatchState
    looked_at: datetime | None
    figures: list[FigureOut]


class ProposalOut(Schema):
    """`messages` were looked at and `tested` questions asked; `baseVersion` is what it changes."""

    id: UUID
    creator_id: UUID
    week: date
    status: ProposalStatus
    base_version: int
    applied_version: int | None
    by_itself: bool
    fields: FieldsOut
    evidence: list[FindingOut]
    messages: int
    tested: int
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str
    watch: WatchOut | None


class DismissIn(Schema):
    reason: Annotated[FreeText, Field(min_length=1, max_length=500)]


def proposal_out(one: Proposal) -> ProposalOut:
    return ProposalOut(
        id=one.id,
        creator_id=one.creator_id,
        week=one.week,
        status=one.status,
        base_version=one.base_version,
        applied_version=one.applied_version,
        by_itself=one.by_itself,
        fields=FieldsOut(**one.fields),
        evidence=[_finding(each) for each in one.findings],
        messages=one.messages,
        tested=one.tested,
        created_at=one.created_at,
        decided_at=one.decided_at,
        decided_by=one.decided_by,
        reason=one.reason,
        watch=None
        if one.watch is None
        else WatchOut(
            state=one.watch.state,
            looked_at=one.watch.looked_at,
            figures=[_figure(each) for each in one.watch.courses],
        ),
    )


def _finding(one: Finding) -> FindingOut:
    return FindingOut(
        text=sentence(one),
        arm=one.arm,
        outcome=one.outcome,
        currency=one.currency,
        rate=one.rate,
        otherwise=one.otherwise,
        low=one.low,
        high=one.high,
        messages=one.messages,
        everywhere=one.everywhere,
    )


def _figure(one: Course) -> FigureOut:
    return FigureOut(
        name=one.name,
        before=one.before,
        after=one.after,
        count_before=one.count_before,
        count_after=one.count_after,
        low=one.low,
        high=one.high,
    )
