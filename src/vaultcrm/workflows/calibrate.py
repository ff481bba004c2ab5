"""Fit the confidence model to what people have decided, and work out what it guarantees.

First everybody together, then one job a creator, so that any number of workers share the work. Each
step may run again. What is in force goes on until something better is: a guarantee is not given up
for a newer model that has none because of too few decisions.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from psycopg.errors import UniqueViolation

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.jobs import CALIBRATE_CREATOR
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import alerts, audit, confidence
from vaultcrm.db.queries import flags as flag_queries
from vaultcrm.db.queries.confidence import Decided, read_guarantees, read_missing, read_model
from vaultcrm.domain.alerts import AlertKind, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.confidence import WHOLE, ConfidenceModel, Guarantee, Missing
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.pipeline.calibration.figures import agreement, spread
from vaultcrm.pipeline.calibration.fitting import (
    Bools,
    Decisions,
    Fitted,
    drawn_alike,
    fit,
    split,
)
from vaultcrm.pipeline.calibration.pooling import (
    ByStage,
    Together,
    guarantee_alone,
    guarantee_together,
)
from vaultcrm.pipeline.confidence import INPUTS
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.score_draft import lot

MOST_DECISIONS = 20_000
"""Of each creator so many, the newest, are learned from."""
MOST_TOGETHER = 200_000
"""Of all creators together so many, so that memory stays bounded."""
LEAST_NEW = 100
NEW_SHARE = 0.2
"""A new model is fitted when there are so many new decisions, and such a share of those before."""
LEAST_OF_DRAFTER = 50
"""A model whose drafts were decided on less often is not known well enough to score its drafts."""
_MEDIUM = INPUTS.index("medium_tier")
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one creator's calibration, or of everybody's together (`creator` is empty).

    `renewed` is False where what was in force stays so.
    """

    creator: str
    decisions: int
    renewed: bool
    by_stage: ByStage
    error: float | None


async def calibrate_all(
    parts: Parts, *, now_too: bool = False, watch: Callable[[Told], None] | None = None
) -> tuple[Told, ...]:
    """Everybody together and then each creator, here and now; for the command."""
    together = await calibrate_together(parts, force=now_too, defers=False)
    told = [] if together is None else [together]
    if watch is not None and together is not None:
        watch(together)
    async with parts.pool.connection() as connection:
        creators = await confidence.everybody(connection)
    for creator_id, _, _ in creators:
        one = await calibrate_creator(parts, creator_id)
        if one is not None:
            told.append(one)
            if watch is not None:
                watch(one)
    return tuple(told)


async def calibrate_together(
    parts: Parts, *, force: bool = False, defers: bool = True
) -> Told | None:
    """Fit one model to all creators' decisions, and a job for each creator to take it up.

    None where there is nothing new, or not enough to fit a model.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        creators = await confidence.everybody(connection)
        known = await confidence.newest(connection, [NIL, *(one[0] for one in creators)])
        flags = await _flags(parts, connection, NIL)
        most = min(MOST_DECISIONS, MOST_TOGETHER // max(1, len(creators)))
        found = {
            creator_id: await confidence.decisions(
                connection, creator_id, _since(known.get(creator_id)), len(INPUTS), most
            )
            for creator_id, _, _ in creators
        }
    rows = sorted(
        ((one, creator_id) for creator_id, several in found.items() for one in several),
        key=lambda row: (row[0].at, row[0].id),
    )
    if not force and not _is_due(known, rows):
        return None
    drafters = _known_drafters(rows)
    rows = [row for row in rows if row[0].drafter in drafters]
    decisions = _arrays(tuple(found), rows)
    seen, unseen = split(decisions)
    # Other jobs of this worker go on meanwhile.
    fitted = await asyncio.to_thread(fit, seen)
    if fitted is None:
        return None
    fitted = replace(fitted, shared=replace(fitted.shared, drafters=drafters))
    seen_until = rows[len(seen) - 1][0].at
    fair = _fair(unseen, [row for row, _ in rows[len(seen) :]])
    together = guarantee_together(fitted, seen, unseen, fair, _MEDIUM, flags)
    report: dict[str, Any] = {
        "seenUntil": seen_until.isoformat(),
        "shifts": {str(one): shift for one, shift in fitted.shifts.items()},
        "between": fitted.between,
        "older": together.older,
        "pool": [str(one) for one in together.members],
    } | agreement(fitted.scores(unseen), unseen.unchanged)
    async with parts.transaction() as connection:
        await confidence.add(
            connection, NIL, new_id(), fitted.shared, together.by_stage, report, len(decisions), now
        )
        if defers:
            for creator_id in found:
                await parts.jobs.defer(
                    connection,
                    CALIBRATE_CREATOR,
                    queueing_lock=f"{CALIBRATE_CREATOR}/{creator_id}",
                    creator_id=str(creator_id),
                )
    return Told("", len(decisions), True, together.by_stage, report["error"])


async def calibrate_creator(parts: Parts, creator_id: UUID) -> Told | None:
    """Put the newest model in force for one creator, with what it guarantees of them.

    None where there is no model yet. Does nothing where the model is in force already.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        handle = await _handle(connection, creator_id)
        known = await confidence.newest(connection, [NIL, creator_id])
        together = known.get(NIL)
        if together is None:
            return None
        before = known.get(creator_id)
        flags = await _flags(parts, connection, creator_id)
        since = _since(before)
        seen_until = datetime.fromisoformat(together["report"]["seenUntil"])
        rows = await confidence.decisions(
            connection, creator_id, max(since, seen_until), len(INPUTS), MOST_DECISIONS
        )
    if before is not None and before["report"].get("of") == str(together["id"]):
        return _unchanged(handle, before)
    model = replace(
        read_model(together["model"]),
        shift=together["report"]["shifts"].get(str(creator_id), 0.0),
    )
    rows = [row for row in rows if row.drafter in model.drafters]
    unseen = _arrays((creator_id,), [(row, creator_id) for row in rows])
    fitted = Fitted(model, {creator_id: model.shift}, 0.0)
    by_stage = guarantee_alone(
        creator_id, fitted, unseen, _fair(unseen, rows), _MEDIUM, _read_together(together), flags
    )
    if before is not None and _is_worse(by_stage, before):
        return _unchanged(handle, before)
    report: dict[str, Any] = {
        "of": str(together["id"]),
        "since": since.isoformat(),
        "reference": spread(fitted.scores(unseen)),
        "drawn": int(np.count_nonzero(~np.isnan(unseen.propensity))),
    } | agreement(fitted.scores(unseen), unseen.unchanged)
    await _put_in_force(parts, creator_id, model, by_stage, report, len(rows), now)
    return Told(handle, len(rows), True, by_stage, report["error"])


async def _put_in_force(
    parts: Parts,
    creator_id: UUID,
    model: ConfidenceModel,
    by_stage: ByStage,
    report: dict[str, Any],
    decided: int,
    now: datetime,
) -> None:
    """The new version, audited; alerts about the one before are over. Of two at once one wins."""
    subject = creator_subject(creator_id)
    model_id = new_id()
    try:
        async with parts.transaction() as connection:
            await confidence.add(
                connection, creator_id, model_id, model, by_stage, report, decided, now
            )
            for kind in (AlertKind.CONFIDENCE_DRIFTS, AlertKind.GUARANTEE_BROKEN):
                await alerts.clear_alert(connection, kind, now, subject=subject)
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=creator_id,
                    actor_id=None,
                    action=AuditAction.CALIBRATED,
                    subject_type="confidence_model",
                    subject_id=str(model_id),
                    at=now,
                    details={
                        "decisions": decided,
                        "guarantees": {
                            str(int(stage)): one.lowest / WHOLE
                            if isinstance(one, Guarantee)
                            else one.value
                            for stage, one in by_stage.items()
                        },
                    },
                ),
            )
    except UniqueViolation:
        return


def _unchanged(handle: str, before: Record) -> Told:
    by_stage = _read_by_stage(before)
    return Told(handle, before["decisions"], False, by_stage, before["report"].get("error"))


def _read_together(kept: Record) -> Together:
    """What `calibrate_together` has kept of several creators."""
    report = kept["report"]
    return Together(_read_by_stage(kept), [UUID(one) for one in report["pool"]], report["older"])


def _read_by_stage(kept: Record) -> ByStage:
    return {**read_guarantees(kept["guarantees"]), **read_missing(kept["guarantees"])}


def _fair(decisions: Decisions, rows: Sequence[Decided]) -> Bools:
    """Decisions on drafts that all had the same chance to be seen; the lot is the draft's id."""
    return drawn_alike(decisions, np.array([lot(row.id, "calibrate") for row in rows]))


def _known_drafters(rows: Sequence[tuple[Decided, UUID]]) -> tuple[str, ...]:
    counted = Counter(row.drafter for row, _ in rows)
    return tuple(sorted(one for one, count in counted.items() if count >= LEAST_OF_DRAFTER))


def _is_worse(by_stage: ByStage, before: Record) -> bool:
    """Whether what is in force guarantees what the new model has too few decisions for."""
    if before["stopped_at"] is not None:
        return False
    had = read_guarantees(before["guarantees"])
    return any(by_stage[stage] is Missing.TOO_FEW for stage in had)


def _is_due(known: Mapping[UUID, Record], rows: Sequence[tuple[Decided, UUID]]) -> bool:
    together = known.get(NIL)
    if together is None:
        return True
    if any(one["stopped_at"] is not None for one in known.values()):
        return True
    made_at: datetime = together["made_at"]
    new = sum(row.at > made_at for row, _ in rows)
    before: int = together["decisions"]
    return new >= max(LEAST_NEW, NEW_SHARE * before)


def _since(before: Record | None) -> datetime:
    """From when on a creator's decisions count: what was stopped shows that those before do not."""
    if before is None:
        return _BEGINNING
    if before["stopped_at"] is not None:
        stopped: datetime = before["stopped_at"]
        return stopped
    return datetime.fromisoformat(before["report"].get("since", _BEGINNING.isoformat()))


def _arrays(creators: tuple[UUID, ...], rows: Sequence[tuple[Decided, UUID]]) -> Decisions:
    place = {creator_id: number for number, creator_id in enumerate(creators)}
    inputs = np.array([row.inputs for row, _ in rows], dtype=np.float64)
    return Decisions(
        creators,
        inputs.reshape(len(rows), len(INPUTS)),
        np.array([row.unchanged for row, _ in rows], dtype=np.bool_),
        np.array([place[creator_id] for _, creator_id in rows], dtype=np.int64),
        np.array(
            [np.nan if row.propensity is None else row.propensity for row, _ in rows],
            dtype=np.float64,
        ),
    )


async def _flags(parts: Parts, connection: Connection, creator_id: UUID) -> Flags:
    overrides = await flag_queries.overrides(connection, creator_id)
    return effective_flags(parts.settings, Overrides(*overrides))


async def _handle(connection: Connection, creator_id: UUID) -> str:
    for found, handle, _ in await confidence.everybody(connection):
        if found == creator_id:
            return handle
    raise NotFound("creator")
