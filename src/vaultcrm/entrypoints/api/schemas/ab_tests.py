"""A/B tests and what they have come to so far."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.db.pending import Record
from vaultcrm.domain.experiments import AbTestStatus, Variant, VariantKind
from vaultcrm.entrypoints.api.fields import Line, Schema

FEWEST_VARIANTS = 2
MOST_VARIANTS = 6

Weight = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False, strict=True)]


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


class AbTestIn(Schema):
    creator_id: UUID
    test_name: Line
    variants: Annotated[
        list[VariantIn], Field(min_length=FEWEST_VARIANTS, max_length=MOST_VARIANTS)
    ]


class AbTestStatusIn(Schema):
    """`running` starts a draft, `ended` ends a running test."""

    creator_id: UUID
    status: AbTestStatus


class VariantOut(Schema):
    name: str
    weight: float
    kind: VariantKind
    reference: str


class VariantResultOut(Schema):
    """`generations` counts the drafts that were made with this variant."""

    variant: str
    generations: int


class AbTestOut(Schema):
    id: UUID
    creator_id: UUID
    test_name: str
    kind: VariantKind
    variants: list[VariantOut]
    results: list[VariantResultOut]
    status: AbTestStatus
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def with_results(test: Record) -> Record:
    """A record as `AbTestOut` takes it. A variant that its `results` do not name has no drafts."""
    known = test["results"]
    results = [
        {
            "variant": variant["name"],
            "generations": known.get(variant["name"], {}).get("generations", 0),
        }
        for variant in test["variants"]
    ]
    return test | {"results": results}
