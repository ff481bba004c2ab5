"""What weekly learning counts, what it finds, and what it proposes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID


class Outcome(StrEnum):
    """What is compared. `REPLIED` over all messages, `PURCHASED` and `REVENUE` over offers;
    `REMOVED` and `ADDED` are what people do to a phrase when they change a draft.
    """

    REPLIED = "replied"
    PURCHASED = "purchased"
    REVENUE = "revenue"
    REMOVED = "removed"
    ADDED = "added"


class Hypothesis(NamedTuple):
    """One question: does what `arm` names change `outcome`? `currency` only for revenue.

    An arm is a trait (`question`), a band (`price:2`, `hours:3`, `tier:whale`, `kind:reply`) or a
    phrase (`phrase:how was your day`).
    """

    arm: str
    outcome: Outcome
    currency: str = ""


PHRASE = "phrase:"


@dataclass(frozen=True, slots=True)
class Score:
    """Sums over strata that answer one question; they add up over strata, weeks and creators.

    With n1 messages of the arm and n0 others in a stratum of n, w = n1 n0 / n: `score` is the sum
    of w (mean of the arm - mean of the others), which is the Mantel-Haenszel score; `variance` its
    variance when the arm changes nothing, given each stratum's outcomes; `weight` the sum of w;
    `level` that of w times the arm's mean. `first` is the variance of the first week.
    `events` is the least of four counts: messages with the outcome and without it, on either side.
    """

    score: float = 0.0
    variance: float = 0.0
    weight: float = 0.0
    level: float = 0.0
    first: float = 0.0
    of_arm: int = 0
    others: int = 0
    events: int = 0

    def __add__(self, other: "Score") -> "Score":
        """Both together; `self` is the earlier one, where that matters."""
        return Score(
            self.score + other.score,
            self.variance + other.variance,
            self.weight + other.weight,
            self.level + other.level,
            self.first or other.first,
            self.of_arm + other.of_arm,
            self.others + other.others,
            self.events + other.events,
        )

    @property
    def effect(self) -> float:
        """The mean difference between messages of the arm and others of the same stratum."""
        return self.score / self.weight if self.weight else 0.0

    @property
    def rate(self) -> float:
        """The arm's mean, and by `rate - effect` that of the others, weighted alike."""
        return self.level / self.weight if self.weight else 0.0


Scores = Mapping[Hypothesis, Score]


@dataclass(frozen=True, slots=True)
class WeekSums:
    """All that is kept of one creator's week: no text of a message and no fan, only sums."""

    messages: int
    offers: int
    decided: int
    modified: int
    scores: Scores


@dataclass(frozen=True, slots=True)
class PooledScore:
    """One question over all creators. `typical` is the weighted mean of their effects; `spread` the
    variance of the true effects between them (DerSimonian and Laird, 1986).
    """

    total: Score
    typical: float
    spread: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that was found. `rate` and `otherwise` are adjusted means (shares, or minor
    units of `currency`), `low` and `high` the interval of their difference; `expected` is what it
    should be for this creator. `everywhere`: found over all creators together. `messages` were
    compared; of edits, these are the drafts that the share is of.
    """

    arm: str
    outcome: Outcome
    currency: str
    rate: float
    otherwise: float
    low: float
    high: float
    messages: int
    expected: float
    everywhere: bool


class ProposalStatus(StrEnum):
    """`SUPERSEDED`: a later week's proposal, or another version, came before anybody decided."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    DISMISSED = "dismissed"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"


class WatchState(StrEnum):
    """How an applied proposal does. `WORSE`: by what was seen, it should be rolled back."""

    WATCHING = "watching"
    WORSE = "worse"
    KEPT = "kept"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Course:
    """One figure before and after: means, how many each rests on, and the interval of the
    difference (after less before), which holds at every look.
    """

    name: str
    before: float
    after: float
    count_before: int
    count_after: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Watch:
    state: WatchState
    courses: tuple[Course, ...] = ()
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed revision of a creator's voice, with why. `fields` go by the names of a
    `Personality`; `applied_version` is the version that it became.
    """

    creator_id: UUID
    id: UUID
    week: date
    base_version: int
    fields: Mapping[str, Any]
    findings: tuple[Finding, ...]
    messages: int
    tested: int
    status: ProposalStatus
    created_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str = ""
    applied_version: int | None = None
    by_itself: bool = False
    watch: Watch | None = None


@dataclass(frozen=True, slots=True)
class WeekReport:
    """What came of one creator's week: how much was looked at, how many questions were asked, what
    was found. `enough` is whether there was enough to say anything.
    """

    week: date
    messages: int
    tested: int
    enough: bool
    findings: tuple[Finding, ...]


EXAMPLES = 6
"""At most so many of a creator's own messages stand in a prompt as examples."""
EXAMPLE_BYTES = 200
"""Of UTF-8, for one of them."""
