"""What was counted of a test, and the test itself by the names of its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vaultcrm.domain.experiments import FanGroup
from vaultcrm.pipeline.experiments.comparing import Measured, Sums, pooled

Test = Mapping[str, Any]
"""A row of `ai_ab_tests`."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The sums of a test by epoch, tier and variant, and the currencies in them."""

    groups: Sequence[FanGroup]
    currencies: Sequence[str]

    def by_variant(self, measured: Measured, names: Sequence[str]) -> dict[str, Sums]:
        """The sums of these variants; one without any drafts has none."""
        found = pooled([(one.variant, Sums(*one.sums[measured])) for one in self.groups])
        return {name: found.get(name, Sums()) for name in names}


def active_variants(test: Test) -> list[str]:
    """The variants that fans get, in the order in which they were written down."""
    return [one["name"] for one in test["variants"] if test["shares"].get(one["name"], 0) > 0]


def day_of(now: datetime) -> str:
    """The day (UTC) that figures are of."""
    return now.astimezone(UTC).date().isoformat()
