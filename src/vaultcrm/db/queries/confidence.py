"""What scores drafts and what is guaranteed of it; decisions to learn it from; checks of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.confidence import (
    Calibration,
    ConfidenceModel,
    Guarantee,
    Missing,
    Pool,
)
from vaultcrm.domain.flags import RolloutStage


def in_ten_thousandths(propensity: float | None) -> int | None:
    """A probability as it is stored."""
    return None if propensity is None else round(10_000 * propensity)


IN_FORCE = """
    SELECT m.id, m.version, m.model, m.guarantees, m.stopped_why, m.made_at
    FROM confidence_models m
    WHERE m.creator_id = %(creator_id)s
    ORDER BY m.version DESC
    LIMIT 1
"""


async def in_force(
    connection: Connection, creator_id: UUID, revision: UUID
) -> Pending[Calibration | None]:
    """The newest calibration of a creator; None where there is none.

    The answer raises ValueError, KeyError or TypeError for one that cannot be read.
    """
    return await send(
        connection, IN_FORCE, {"creator_id": creator_id}, lambda rows: _read(rows, revision)
    )


def _read(rows: Rows, revision: UUID) -> Calibration | None:
    if not rows:
        return None
    model_id, version, model, by_stage, stopped, made_at = rows[0]
    return Calibration(
        revision=revision,
        id=model_id,
        version=version,
        model=read_model(model),
        guarantees=read_guarantees(by_stage),
        missing=read_missing(by_stage),
        stopped=None if stopped is None else Missing(stopped),
        made_at=made_at,
    )


def read_model(stored: dict[str, Any]) -> ConfidenceModel:
    return ConfidenceModel(
        inputs_version=stored["inputs_version"],
        weights=tuple(stored["weights"]),
        means=tuple(stored["means"]),
        scales=tuple(stored["scales"]),
        bias=stored["bias"],
        shift=stored["shift"],
        curve=tuple((score, probability) for score, probability in stored["curve"]),
        drafters=tuple(stored.get("drafters", ())),
    )


def read_guarantees(by_stage: dict[str, Any]) -> dict[RolloutStage, Guarantee]:
    """Guarantees by the rollout stage that they are of."""
    return {
        RolloutStage(int(stage)): Guarantee(**{**stored, "pool": Pool(stored["pool"])})
        for stage, stored in by_stage.items()
        if isinstance(stored, dict)
    }


def read_missing(by_stage: dict[str, Any]) -> dict[RolloutStage, Missing]:
    return {
        RolloutStage(int(stage)): Missing(stored)
        for stage, stored in by_stage.items()
        if isinstance(stored, str)
    }


# Only what a person has decided says something. A decision that was undone has no feedback. While
# messages left by themselves and none was drawn, nobody saw what those would have been; what people
# decided then is of the drafts that were left over, and belongs to another population.
DECISIONS = """
    WITH unseen AS (
        SELECT min(x.created_at) AS first, max(x.created_at) AS last
        FROM ai_message_generations x
        WHERE x.creator_id = %(creator_id)s AND x.audit_propensity < 10000
          AND x.audit_propensity = 0 AND x.status = 'auto_sent'
    )
    SELECT g.id, f.created_at, g.confidence_inputs, f.feedback_type = 'approved',
           CASE WHEN g.created_at BETWEEN unseen.first AND unseen.last THEN NULL
                ELSE g.audit_propensity / 10000.0::float8 END,
           g.model
    FROM ai_message_feedback f
    CROSS JOIN unseen
    JOIN ai_message_generations g
      ON g.creator_id = f.creator_id AND g.id = f.generation_id
    WHERE f.creator_id = %(creator_id)s AND f.feedback_type <> 'auto_sent'
      AND f.created_at > %(since)s AND cardinality(g.confidence_inputs) = %(inputs)s
    ORDER BY f.id DESC
    LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """One draft on which a person has decided. `propensity` is None for a draft that would have
    waited whatever its score.
    """

    id: UUID
    at: datetime
    inputs: tuple[float, ...]
    unchanged: bool
    propensity: float | None
    drafter: str


async def decisions(
    connection: Connection, creator_id: UUID, since: datetime, inputs: int, most: int
) -> list[Decided]:
    """People's decisions since then on drafts of a creator that have so many inputs, the newest
    `most`, the oldest of them first.
    """
    params = {"creator_id": creator_id, "since": since, "inputs": inputs, "most": most}
    sent = await send(
        connection,
        DECISIONS,
        params,
        lambda rows: [Decided(row[0], row[1], tuple(row[2]), *row[3:6]) for row in reversed(rows)],
    )
    return await sent.answer()


NEWEST = """
    SELECT m.creator_id, m.id, m.version, m.model, m.guarantees, m.report, m.made_at, m.decisions,
           m.stopped_at, m.stopped_why, m.watched, m.watched_at
    FROM confidence_models m
    WHERE m.creator_id = ANY(%(creator_ids)s)
      AND m.version = (SELECT max(v.version) FROM confidence_models v
                        WHERE v.creator_id = m.creator_id)
"""
_newest = records(
    "creator_id", "id", "version", "model", "guarantees", "report", "made_at", "decisions",
    "stopped_at", "stopped_why", "watched", "watched_at",
)  # fmt: skip


async def newest(connection: Connection, creator_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """The newest calibration of each creator that has one, with its report and what was watched."""
    sent = await send(connection, NEWEST, {"creator_ids": list(creator_ids)}, _newest)
    return {row["creator_id"]: row for row in await sent.answer()}


ADD = """
    INSERT INTO confidence_models
        (creator_id, id, version, model, guarantees, report, made_at, decisions, watched)
    SELECT %(creator_id)s, %(id)s,
           COALESCE((SELECT max(m.version) FROM confidence_models m
                      WHERE m.creator_id = %(creator_id)s), 0) + 1,
           %(model)s::jsonb, %(guarantees)s::jsonb, %(report)s::jsonb, %(now)s, %(decisions)s, '{}'
"""
POINT = "UPDATE creators SET confidence_revision = %(revision)s WHERE id = %(creator_id)s"


async def add(
    connection: Connection,
    creator_id: UUID,
    model_id: UUID,
    model: ConfidenceModel,
    by_stage: dict[RolloutStage, Guarantee | Missing],
    report: dict[str, Any],
    decided: int,
    now: datetime,
) -> None:
    """Put a new version in force for a creator. For the nil creator nothing points at it.

    Raises UniqueViolation when another one was added at the same time.
    """
    params = {
        "creator_id": creator_id,
        "id": model_id,
        "model": json.dumps(asdict(model)),
        "guarantees": json.dumps(
            {
                str(int(stage)): asdict(one) if isinstance(one, Guarantee) else one.value
                for stage, one in by_stage.items()
            }
        ),
        "report": json.dumps(report),
        "decisions": decided,
        "now": now,
    }
    await run(connection, ADD, params)
    await run(connection, POINT, {"revision": model_id, "creator_id": creator_id})


STOP = """
    UPDATE confidence_models SET stopped_at = %(now)s, stopped_why = %(why)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND stopped_at IS NULL
    RETURNING id
"""


async def stop(
    connection: Connection,
    creator_id: UUID,
    model_id: UUID,
    why: Missing,
    revision: UUID,
    now: datetime,
) -> bool:
    """Let nothing leave by itself any more under a calibration; False when it is stopped already.

    `revision` is a new id, by which processes know that there is something to read.
    """
    params = {"creator_id": creator_id, "id": model_id, "why": why.value, "now": now}
    stopped = await (await send(connection, STOP, params, bool)).answer()
    if stopped:
        await run(connection, POINT, {"revision": revision, "creator_id": creator_id})
    return stopped


WATCHED = """
    UPDATE confidence_models SET watched = %(figures)s::jsonb, watched_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""


async def note_watched(
    connection: Connection,
    creator_id: UUID,
    model_id: UUID,
    figures: dict[str, Any],
    now: datetime,
) -> None:
    """Write down what a look at a calibration has found."""
    params = {
        "creator_id": creator_id,
        "id": model_id,
        "figures": json.dumps(figures),
        "now": now,
    }
    await run(connection, WATCHED, params)


# Ids follow the clock: drafts scored by a model are newer than the model's own id, which keeps the
# scan short whatever lies before.
RECENT = """
    SELECT g.confidence_score, f.feedback_type = 'approved',
           'audit_sample' = ANY(g.approval_reasons)
    FROM ai_message_generations g
    JOIN ai_message_feedback f ON f.creator_id = g.creator_id AND f.generation_id = g.id
    WHERE g.creator_id = %(creator_id)s AND g.id > %(model_id)s
      AND g.confidence_model = %(model_id)s AND f.feedback_type <> 'auto_sent'
    ORDER BY g.id DESC
    LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A decision on a draft that the model in force has scored."""

    score: int
    unchanged: bool
    is_audit: bool


async def recent(connection: Connection, creator_id: UUID, model_id: UUID, most: int) -> list[Seen]:
    """The newest decisions on drafts that this model scored, the oldest of them first."""
    params = {"creator_id": creator_id, "model_id": model_id, "most": most}
    sent = await send(
        connection, RECENT, params, lambda rows: [Seen(*row) for row in reversed(rows)]
    )
    return await sent.answer()


AUDITS = """
    SELECT count(*) FILTER (WHERE g.status = 'auto_sent'),
           count(*) FILTER (WHERE g.status = 'queued'),
           array_agg(f.feedback_type = 'approved' ORDER BY f.id)
             FILTER (WHERE f.feedback_type <> 'auto_sent'
                       AND 'audit_sample' = ANY(g.approval_reasons))
    FROM ai_message_generations g
    LEFT JOIN ai_message_feedback f ON f.creator_id = g.creator_id AND f.generation_id = g.id
    WHERE g.creator_id = %(creator_id)s AND g.id > %(model_id)s
      AND g.confidence_model = %(model_id)s AND g.audit_propensity < 10000
"""


@dataclass(frozen=True, slots=True)
class Audits:
    """Under one calibration: how many messages left by themselves, how many drawn ones wait, and of
    each decided one whether it left unchanged, the oldest decision first.
    """

    automatic: int
    waiting: int
    unchanged: tuple[bool, ...]


async def audits(connection: Connection, creator_id: UUID, model_id: UUID) -> Audits:
    params = {"creator_id": creator_id, "model_id": model_id}
    sent = await send(
        connection,
        AUDITS,
        params,
        lambda rows: Audits(rows[0][0], rows[0][1], tuple(rows[0][2] or ())),
    )
    return await sent.answer()


CREATORS = "SELECT id, handle, display_name FROM creators ORDER BY handle"


async def everybody(connection: Connection) -> list[tuple[UUID, str, str]]:
    """Id, handle and name of every creator."""
    sent = await send(
        connection, CREATORS, {}, lambda rows: [(row[0], row[1], row[2]) for row in rows]
    )
    return await sent.answer()
