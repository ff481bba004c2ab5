"""How a stage of the rollout does: what was counted while it held, its limits, and a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vaultcrm.domain.flags import RolloutStage


class Measure(StrEnum):
    """What is looked at before anybody moves on."""

    REJECTED = "rejected"
    MODIFIED = "modified"
    EDIT_SHARE = "edit_share"
    FINDINGS = "findings"
    COMPLAINTS = "complaints"
    TAKEN_BACK = "taken_back"


class Standing(StrEnum):
    """How a reading, or a stage, stands to its limits."""

    GOOD = "good"
    BAD = "bad"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class StageCounts:
    """What was counted in a window. `decided` is what people decided, `sent` every message of AI
    that was approved or left by itself, `automatic` what was to leave by itself.

    `edits` are the edited drafts whose texts are still known; `edit_sum` and `edit_squares` are the
    sums, over these, of the share of a draft that was changed and of its square.
    """

    rejected: int = 0
    modified: int = 0
    decided: int = 0
    edits: int = 0
    edit_sum: float = 0.0
    edit_squares: float = 0.0
    with_findings: int = 0
    drafts: int = 0
    complaints: int = 0
    sent: int = 0
    taken_back: int = 0
    automatic: int = 0

    def __add__(self, other: "StageCounts") -> "StageCounts":
        return StageCounts(
            *(getattr(self, name) + getattr(other, name) for name in StageCounts.__slots__)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One measure: a share between 0 and 1 of `of`, its interval, and the most that is good.

    `value`, `low` and `high` are None while there is nothing to count.
    """

    measure: Measure
    of: int
    value: float | None
    low: float | None
    high: float | None
    limit: float
    standing: Standing


@dataclass(frozen=True, slots=True)
class StageHealth:
    """A stage's readings since `since`. `days_left` is how many whole days it has yet to hold
    before its readings count.
    """

    stage: RolloutStage
    since: datetime
    readings: tuple[Reading, ...]
    days_left: int
    standing: Standing

    @property
    def why(self) -> tuple[Reading, ...]:
        """The readings that keep the stage from being ready."""
        return tuple(one for one in self.readings if one.standing is self.standing)


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """The most that is good of each measure, the days that a stage holds at least, how far back is
    looked at most, and the z of the intervals.
    """

    most: Mapping[Measure, float]
    least_days: int
    longest_days: int
    z: float
