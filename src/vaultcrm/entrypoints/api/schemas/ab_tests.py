"""A/B tests and what they have come to so far."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from vaultcrm.db.pending import Record
from vaultcrm.domain.experiments import (
    GUARDRAIL_LIMIT,
    AbTestDesign,
    AbTestStatus,
    Allocation,
    Guardrail,
    Metric,
    Variant,
    VariantKind,
)
from vaultcrm.entrypoints.api.fields import Line, Schema
from vaultcrm.pipeline.experiments.verdict import Outcome

FEWEST_VARIANTS = 2
MOST_VARIANTS = 6
GREATEST_EFFECT = 1_000_000
"""In minor units a message; a share has 1 at most, which the workflow knows of."""

Weight = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False, strict=True)]
Limit = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class VariantIn(Schema):
    """`reference` is a template's id, a personality's version, a prompt's version or a model's
    name, as `kind` says. All variants of a test are of one kind. `weight` is relative to those of
    the others.
    """

    name: Line
    weight: Weight = 1
    kind: VariantKind
    reference: Line

    def as_variant(self) -> Variant:
        return Variant(self.name, self.weight, self.kind, self.reference)


class GuardrailsIn(Schema):
    """By how much a variant may be worse than the others, as shares of 1."""

    filter_hits: Limit = GUARDRAIL_LIMIT
    rejections: Limit = GUARDRAIL_LIMIT
    complaints: Limit = GUARDRAIL_LIMIT


class AbTestIn(Schema):
    """The first variant is what the others are compared with. `smallest_effect` is the smallest
    difference in the metric that matters: a share of 1, or minor units of money a message.
    """

    creator_id: UUID
    test_name: Line
    variants: Annotated[
        list[VariantIn], Field(min_length=FEWEST_VARIANTS, max_length=MOST_VARIANTS)
    ]
    metric: Metric = Metric.REPLY_RATE
    smallest_effect: (
        Annotated[float, Field(gt=0, le=GREATEST_EFFECT, allow_inf_nan=False)] | None
    ) = None
    allocation: Allocation = Allocation.FIXED
    guardrails: GuardrailsIn = GuardrailsIn()

    def design(self) -> AbTestDesign:
        limits = {one: getattr(self.guardrails, one.value) for one in Guardrail}
        return AbTestDesign(self.metric, self.smallest_effect, self.allocation, limits)


class AbTestStatusIn(Schema):
    """`running` starts a draft, `ended` ends a running test."""

    creator_id: UUID
    status: AbTestStatus


class VariantOut(Schema):
    name: str
    weight: float
    kind: VariantKind
    reference: str


class MeasureOut(Schema):
    """`y` of `n`: `value` is their ratio, with the confidence sequence from `low` to `high` once
    there is enough to go by. For `revenue_per_message` in minor units.
    """

    n: int
    y: float
    value: float | None
    low: float | None
    high: float | None


class VariantResultOut(Schema):
    """`generations` counts the drafts that were made with this variant, `share` is how many of the
    fans get it now. `stopped` says why it is out. `not_applied` are drafts for which the variant
    could not be used.
    """

    variant: str
    generations: int
    fans: int
    share: float
    not_applied: int
    stopped: str | None
    measures: dict[str, MeasureOut]


class DifferenceOut(Schema):
    """How much greater `variant` is in the metric than `baseline`: a confidence sequence, which
    holds however often it is looked at.
    """

    variant: str
    baseline: str
    estimate: float
    low: float
    high: float


class VerdictOut(Schema):
    """What the test has come to. `days`: about how long it will still take, where that is known."""

    outcome: Outcome
    sentence: str
    winner: str | None
    days: int | None
    may_stop: bool


class AbTestOut(Schema):
    id: UUID
    creator_id: UUID
    test_name: str
    kind: VariantKind
    metric: Metric
    smallest_effect: float
    allocation: Allocation
    variants: list[VariantOut]
    results: list[VariantResultOut]
    differences: list[DifferenceOut]
    verdict: VerdictOut | None
    notes: list[str]
    status: AbTestStatus
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    evaluated_at: datetime | None


class PolicyOut(Schema):
    """What a message would have brought; a `reason` instead where nothing can be said."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    fans: int | None = None
    reason: str | None = None


class WhatIfOut(Schema):
    """One way to choose variants, estimated by inverse propensity scores and doubly robust."""

    policy: str
    ips: PolicyOut
    dr: PolicyOut


class DayOut(Schema):
    """The differences as they stood at the end of a day (UTC), today's as of now."""

    day: date
    differences: list[DifferenceOut]


class AbTestDetailsOut(AbTestOut):
    what_if: list[WhatIfOut]
    series: list[DayOut]


_NOTHING: Record = {"generations": 0, "fans": 0, "notApplied": 0, "measures": {}}
_SHOWN = (
    "id", "creator_id", "test_name", "kind", "metric", "smallest_effect", "allocation", "variants",
    "status", "created_at", "started_at", "ended_at",
)  # fmt: skip


def with_results(test: Record) -> Record:
    """A record as `AbTestOut` takes it. A variant that its `results` do not name has no drafts."""
    known = test["results"]
    verdict = known.get("verdict")
    return {name: test[name] for name in _SHOWN} | {
        "smallest_effect": test["smallest_effect"] or AbTestDesign(Metric(test["metric"])).effect,
        "results": [_of_variant(test, variant["name"]) for variant in test["variants"]],
        "differences": known.get("differences", []),
        "verdict": verdict and VerdictOut.model_validate(verdict),
        "notes": known.get("notes", []),
        "evaluated_at": known.get("at"),
    }


def with_details(test: Record) -> Record:
    """A record as `AbTestDetailsOut` takes it."""
    known = test["results"]
    baseline = known.get("baseline", "")
    return with_results(test) | {
        "what_if": known.get("whatIf", []),
        "series": [
            {
                "day": one["day"],
                "differences": [
                    {
                        "variant": name,
                        "baseline": baseline,
                        "estimate": estimate,
                        "low": low,
                        "high": high,
                    }
                    for name, (estimate, low, high) in one["differences"].items()
                ],
            }
            for one in known.get("series", [])
        ],
    }


def _of_variant(test: Record, name: str) -> dict[str, Any]:
    found = test["results"].get("variants", {}).get(name, _NOTHING)
    return {
        "variant": name,
        "generations": found["generations"],
        "fans": found["fans"],
        "share": test["shares"].get(name, 0.0),
        "not_applied": found["notApplied"],
        "stopped": test["stopped"].get(name, {}).get("why"),
        "measures": found["measures"],
    }
