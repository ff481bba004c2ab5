"""The rollout's stages with their health, and complaints."""

from datetime import datetime
from uuid import UUID

from vaultcrm.domain.rollout import Measure, Reading, StageHealth, Standing
from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.workflows.rollout_health import Rollout


class ReadingOut(Schema):
    """One measure. `value`, `low` and `high` are shares between 0 and 1 of `of`, null while there
    is nothing to count; `limit` is the most that is good.
    """

    measure: Measure
    of: int
    value: float | None
    low: float | None
    high: float | None
    limit: float
    standing: Standing

    @classmethod
    def of_reading(cls, reading: Reading) -> "ReadingOut":
        return cls(
            measure=reading.measure,
            of=reading.of,
            value=reading.value,
            low=reading.low,
            high=reading.high,
            limit=reading.limit,
            standing=reading.standing,
        )


class StageOut(Schema):
    """A stage and how it has done since `since`. `creatorId` null stands for all creators who have
    no stage of their own. `good` means that it is ready to move on.
    """

    creator_id: UUID | None
    stage: int
    own: bool
    has_ai: bool
    since: datetime
    days_left: int
    standing: Standing
    readings: list[ReadingOut]

    @classmethod
    def of(
        cls, creator_id: UUID | None, health: StageHealth, *, own: bool, has_ai: bool
    ) -> "StageOut":
        return cls(
            creator_id=creator_id,
            stage=health.stage.value,
            own=own,
            has_ai=has_ai,
            since=health.since,
            days_left=health.days_left,
            standing=health.standing,
            readings=[ReadingOut.of_reading(reading) for reading in health.readings],
        )


class RolloutOut(Schema):
    """The installation's stage over the caller's creators, and each of these."""

    installation: StageOut
    creators: list[StageOut]

    @classmethod
    def of(cls, found: Rollout) -> "RolloutOut":
        return cls(
            installation=StageOut.of(None, found.installation, own=False, has_ai=True),
            creators=[
                StageOut.of(each.creator.id, each.health, own=each.own, has_ai=each.has_ai)
                for each in found.creators
            ],
        )


class ComplaintIn(Schema):
    """False takes the mark away."""

    complaint: bool = True


class ComplaintOut(Schema):
    generation_id: UUID
    complaint: bool
