"""A/B tests: variants of one thing, tried side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class VariantKind(StrEnum):
    """What a test compares, and so what a variant's `reference` is.

    `TEMPLATE`: a template's id. `PERSONALITY`: the version of a personality, in digits. `PROMPT`:
    the version of a prompt. `MODEL`: the name of a model.
    """

    TEMPLATE = "template"
    PERSONALITY = "personality"
    PROMPT = "prompt"
    MODEL = "model"


class AbTestStatus(StrEnum):
    """A test goes from draft to running to ended, and no other way."""

    DRAFT = "draft"
    RUNNING = "running"
    ENDED = "ended"


COMES_FROM = {AbTestStatus.RUNNING: AbTestStatus.DRAFT, AbTestStatus.ENDED: AbTestStatus.RUNNING}
"""The one status that each can be reached from; a draft is where a test begins."""


class Metric(StrEnum):
    """What a test is decided by. All but the last of a message's outcome once it has settled;
    `APPROVED_UNCHANGED` is the share of decided drafts that a person sent as they were.
    """

    REPLY_RATE = "reply_rate"
    PURCHASE_RATE = "purchase_rate"
    REVENUE = "revenue_per_message"
    APPROVED_UNCHANGED = "approved_unchanged"


class Guardrail(StrEnum):
    """What no variant may be much worse in: shares of drafts with findings, of decided drafts that
    were rejected, and of settled messages that the fan answered with a complaint.
    """

    FILTER_HITS = "filter_hits"
    REJECTIONS = "rejections"
    COMPLAINTS = "complaints"


class Allocation(StrEnum):
    """How fans are shared out: by the weights throughout, or anew each day by what is known."""

    FIXED = "fixed"
    THOMPSON = "thompson"


SMALLEST_EFFECTS: Mapping[Metric, float] = {
    Metric.REPLY_RATE: 0.03,
    Metric.PURCHASE_RATE: 0.01,
    Metric.REVENUE: 50.0,
    Metric.APPROVED_UNCHANGED: 0.03,
}
"""The smallest difference that is worth knowing, where nobody says another: shares of 1, and minor
units of money a message."""

GUARDRAIL_LIMIT = 0.05
"""By how much a variant may be worse than the others before it is stopped: five points."""


@dataclass(frozen=True, slots=True)
class Variant:
    """`weight` is the share of generations relative to the other variants' weights."""

    name: str
    weight: float
    kind: VariantKind
    reference: str


@dataclass(frozen=True, slots=True)
class AbTestDesign:
    """How a test is decided, said before it begins: the one metric, the smallest difference in it
    that matters (as in `SMALLEST_EFFECTS`), how fans are shared out, and the guardrails' limits.
    """

    metric: Metric = Metric.REPLY_RATE
    smallest_effect: float | None = None
    allocation: Allocation = Allocation.FIXED
    limits: Mapping[Guardrail, float] = field(
        default_factory=lambda: dict.fromkeys(Guardrail, GUARDRAIL_LIMIT)
    )

    @property
    def effect(self) -> float:
        if self.smallest_effect is None:
            return SMALLEST_EFFECTS[self.metric]
        return self.smallest_effect


@dataclass(frozen=True, slots=True)
class RunningTest:
    """A running test as a draft needs it.

    `shares` has the variants that fans still get, with the share of fans for each, which sum to 1;
    `epoch` counts how often they have changed. `seen` are variants that this fan was given before,
    with the probability of that; it is filled only where fans are shared out anew each day.
    `templates` has the text and category of each template of a variant that is not archived.
    """

    id: UUID
    kind: VariantKind
    allocation: Allocation
    epoch: int
    shares: Mapping[str, float]
    references: Mapping[str, str]
    seen: Mapping[str, float] = field(default_factory=dict)
    templates: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FanGroup:
    """Fans of one tier who got one variant in one epoch: how many, their drafts, how many of those
    were not made with the variant after all, and the sums of each measure in the order of the
    fields of `pipeline.experiments.comparing.Sums`.
    """

    epoch: int
    tier: str
    variant: str
    fans: int
    drafts: int
    not_applied: int
    sums: Mapping[Metric | Guardrail, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which variant a draft was made with, and how probable that was when the fan got it.

    `first`: the fan's first draft of a test that keeps who got what.
    """

    test_id: UUID
    variant: str
    reference: str
    propensity: float
    epoch: int
    first: bool = False
