"""The stages of the rollout in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.people import Creator
from vaultcrm.domain.rollout import Measure, Reading, StageHealth, Standing
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.rollout_health import CreatorStage, Rollout

STAGES: Mapping[RolloutStage, tuple[str, str]] = {
    RolloutStage.ONE_CREATOR: (
        "One creator",
        "AI drafts for one creator alone, and a person approves every message.",
    ),
    RolloutStage.MANUAL_APPROVAL: (
        "Manual approval",
        "AI drafts for all creators, and a person approves every message.",
    ),
    RolloutStage.AUTO_SEND_LOW_VALUE: (
        "Automatic, low value",
        "Simple replies to fans of the low tier leave by themselves; the rest waits for a person.",
    ),
    RolloutStage.FULL: (
        "Full",
        "Simple replies to all but whales and high-tier fans leave by themselves.",
    ),
}
"""Name and meaning of each stage."""

MEASURES: Mapping[Measure, tuple[str, str]] = {
    Measure.REJECTED: ("Rejected", "drafts that people decided"),
    Measure.MODIFIED: ("Edited before sending", "drafts that people decided"),
    Measure.EDIT_SHARE: ("Words changed in an edited draft", "edited drafts"),
    Measure.FINDINGS: ("Filter hits", "drafts"),
    Measure.COMPLAINTS: ("Complaints", "messages of AI"),
    Measure.TAKEN_BACK: ("Automatic messages stopped by a person", "automatic messages"),
}
"""Name of each measure, and what it is a share of."""

STANDINGS: Mapping[Standing, tuple[str, str]] = {
    Standing.GOOD: ("Ready", ""),
    Standing.BAD: ("Not ready", "bad"),
    Standing.UNCLEAR: ("Not enough data yet", "warn"),
}
"""A stage's verdict, and the look of its pill."""

_READINGS: Mapping[Standing, str] = {
    Standing.GOOD: "within",
    Standing.BAD: "above",
    Standing.UNCLEAR: "cannot be told yet",
}


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One line of a stage's health."""

    name: str
    value: str
    interval: str
    of: str
    most: str
    standing: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class StageCard:
    """Where one creator, or everybody who has no stage of their own, stands. `creator` is None for
    the latter.
    """

    creator: Creator | None
    stage: RolloutStage
    own: bool
    has_ai: bool
    health: StageHealth
    rows: tuple[ReadingRow, ...]
    verdict: str
    pill: str
    why: str

    @property
    def creator_id(self) -> UUID | None:
        return None if self.creator is None else self.creator.id

    @property
    def key(self) -> str:
        return "all" if self.creator is None else str(self.creator.id)

    @property
    def meaning(self) -> str:
        return STAGES[self.stage][1]

    @property
    def following(self) -> RolloutStage | None:
        """The next stage, or None after the last."""
        return None if self.stage is RolloutStage.FULL else RolloutStage(self.stage + 1)

    @property
    def before(self) -> RolloutStage | None:
        return None if self.stage is RolloutStage.ONE_CREATOR else RolloutStage(self.stage - 1)

    @property
    def is_ready(self) -> bool:
        return self.health.standing is Standing.GOOD


def cards_of(found: Rollout) -> tuple[StageCard, tuple[StageCard, ...]]:
    """The installation's card, and those of its creators."""
    whole = _card(None, found.installation, own=False, has_ai=True)
    return whole, tuple(_of_creator(each) for each in found.creators)


def _of_creator(each: CreatorStage) -> StageCard:
    return _card(each.creator, each.health, own=each.own, has_ai=each.has_ai)


def _card(creator: Creator | None, health: StageHealth, *, own: bool, has_ai: bool) -> StageCard:
    verdict, pill = STANDINGS[health.standing]
    return StageCard(
        creator=creator,
        stage=health.stage,
        own=own,
        has_ai=has_ai,
        health=health,
        rows=tuple(_row(reading) for reading in health.readings),
        verdict=verdict,
        pill=pill,
        why=_why(health),
    )


def _row(reading: Reading) -> ReadingRow:
    name, of = MEASURES[reading.measure]
    known = reading.value is not None and reading.low is not None and reading.high is not None
    return ReadingRow(
        name=name,
        value=_percent(reading.value) if reading.value is not None else "–",
        interval=f"{_percent(reading.low or 0.0)} to {_percent(reading.high or 0.0)}"
        if known
        else "",
        of=f"{reading.of:,} {of}",
        most=_percent(reading.limit),
        standing=_READINGS[reading.standing],
        is_bad=reading.standing is Standing.BAD,
    )


def _percent(share: float) -> str:
    """`12 %`, and below 10 with a tenth where there is one."""
    number = share * 100
    told = f"{number:.0f}" if number >= 9.95 else f"{number:.1f}".removesuffix(".0")
    return f"{told}\N{NO-BREAK SPACE}%"


def _why(health: StageHealth) -> str:
    """What the verdict rests on, as a sentence or two."""
    if health.standing is Standing.GOOD:
        return "Every share lies within its limit, with 95 % confidence."
    names = [MEASURES[reading.measure][0].lower() for reading in health.why]
    if health.standing is Standing.BAD:
        return f"Above the limit: {', '.join(names)}."
    told = []
    if health.days_left:
        told.append(f"The stage has to hold {words.phrases.count(health.days_left, 'day')} more.")
    if names:
        told.append(
            f"Too few, or too close to the limit, to tell: {', '.join(names)}. "
            "Drafts that people decide make it clearer."
        )
    return " ".join(told)
