"""Where each creator stands in the rollout, and how well the stage does that they are at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.controls.rollout import health_of, rollout_limits, window_start
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import console, rollout
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Creator
from vaultcrm.domain.rollout import StageCounts, StageHealth, Standing
from vaultcrm.workflows.parts import Parts

STAGE_FLAG = "AI_ROLLOUT_STAGE"


@dataclass(frozen=True, slots=True)
class CreatorStage:
    """A creator's stage: `own` is whether it is set for them alone, `has_ai` whether AI may work
    for them there at all.
    """

    creator: Creator
    own: bool
    has_ai: bool
    health: StageHealth

    @property
    def stage(self) -> RolloutStage:
        return self.health.stage


@dataclass(frozen=True, slots=True)
class Rollout:
    """`installation` is the health of all who follow the installation's stage together."""

    stage: RolloutStage
    began_at: datetime | None
    installation: StageHealth
    creators: tuple[CreatorStage, ...]
    first_creator: str | None
    """The handle of stage 1's one creator."""

    def of(self, creator_id: UUID | None) -> StageHealth | None:
        """One creator's health, or with None the installation's."""
        if creator_id is None:
            return self.installation
        return next((one.health for one in self.creators if one.creator.id == creator_id), None)


async def read_rollout(
    parts: Parts,
    connection: Connection,
    creator_ids: list[UUID] | None,
    *,
    as_before: tuple[UUID, Overrides] | None = None,
) -> Rollout:
    """The stages of some creators, or with None of all, with what was counted while they held.

    `as_before` are the overrides of a scope as they were before they were changed just now.
    """
    now, limits = parts.now(), rollout_limits()
    async with connection.pipeline():
        creators_sent = await console.creators(connection, creator_ids)
        overrides_sent = await console.overrides(connection, creator_ids)
        began_sent = await rollout.began(connection)
    creators, overrides = await creators_sent.answer(), await overrides_sent.answer()
    began = await began_sent.answer()
    if as_before is not None:
        scope, was = as_before
        overrides[scope] = dict(was.installation if scope == NIL else was.creator)
    common = effective_flags(parts.settings, Overrides(overrides.get(NIL, {}), {}))
    flags = {one.id: _flags_of(parts, overrides, one.id) for one in creators}
    own = {one.id for one in creators if STAGE_FLAG in overrides.get(one.id, {})}
    begun = {one.id: _begun(one.id, began, own=one.id in own) for one in creators}
    windows = {one: window_start(at, now, limits) for one, at in begun.items()}
    counted = await (await rollout.counts(connection, windows, now)).answer() if windows else {}
    following = [one for one in counted if one not in own]
    together = sum((counted[one] for one in following), StageCounts())
    return Rollout(
        stage=common.rollout_stage,
        began_at=began.get(NIL),
        installation=health_of(common.rollout_stage, together, began.get(NIL), now, limits),
        creators=tuple(
            CreatorStage(
                creator=one,
                own=one.id in own,
                has_ai=flags[one.id].ai_is_on_for(one.handle),
                health=health_of(
                    flags[one.id].rollout_stage, counted[one.id], begun[one.id], now, limits
                ),
            )
            for one in creators
        ),
        first_creator=common.rollout_creator,
    )


def _flags_of(
    parts: Parts, overrides: Mapping[UUID, Mapping[str, object]], creator_id: UUID
) -> Flags:
    found = Overrides(overrides.get(NIL, {}), overrides.get(creator_id, {}))
    return effective_flags(parts.settings, found)


def _begun(creator_id: UUID, began: Mapping[UUID, datetime], *, own: bool) -> datetime | None:
    """Since when a creator's stage holds. One who follows the installation has done so since either
    of the two changed.
    """
    found = [began.get(creator_id), None if own else began.get(NIL)]
    return max((at for at in found if at is not None), default=None)


async def moved_on(
    parts: Parts,
    connection: Connection,
    creator_id: UUID | None,
    before: Overrides,
    after: Overrides,
) -> dict[str, Any]:
    """What the audit log keeps of a changed stage: how the one before did, where a change moves on.
    The new one begins now.

    `before` and `after` are the flags' overrides of one creator, or with None of the installation.
    """
    old = effective_flags(parts.settings, before).rollout_stage
    new = effective_flags(parts.settings, after).rollout_stage
    if old is new:
        return {}
    told: dict[str, Any] = {}
    if new > old:
        # As it was: the change is in this transaction already.
        found = await read_rollout(
            parts,
            connection,
            None if creator_id is None else [creator_id],
            as_before=(creator_id or NIL, before),
        )
        health = found.of(creator_id)
        if health is not None:
            told = {"health": health.standing.value}
            if health.standing is not Standing.GOOD:
                told["because"] = [one.measure.value for one in health.why]
    await rollout.note_begun(connection, creator_id or NIL, parts.now())
    return told
