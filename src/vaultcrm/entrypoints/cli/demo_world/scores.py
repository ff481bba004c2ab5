"""What the demo's past drafts were scored by, and the calibration that its decisions come to.

The inputs are those of each draft; where the past has no number, the self-rating, it is what the
formula's confidence says it was. The model and the guarantee are then fitted as everywhere, by the
real fit over these decisions.
"""

from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from vaultcrm.adapters.llm.retrieval import MODEL as RETRIEVAL
from vaultcrm.db.pending import Connection, run, send
from vaultcrm.db.queries.confidence import in_ten_thousandths
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.pipeline.confidence import Known, inputs_of
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.score_draft import ELIGIBLE

_PAST = """
    SELECT g.creator_id, g.id, g.generated_message, g.confidence_score, g.suggested_price_minor,
           g.generation_type, f.tier, c.language, g.created_at, g.approval_reasons, g.status,
           COALESCE((SELECT m.text FROM messages m
                      WHERE m.creator_id = g.creator_id AND m.id = g.last_message_id), ''),
           g.model
    FROM ai_message_generations g
    JOIN fans f ON f.creator_id = g.creator_id AND f.id = g.fan_id
    JOIN creators c ON c.id = g.creator_id
    WHERE g.confidence_inputs IS NULL AND g.generated_message IS NOT NULL
    ORDER BY g.id
"""
_SCORE = """
    UPDATE ai_message_generations g
    SET confidence_inputs = u.inputs::real[], audit_propensity = u.propensity
    FROM unnest(%(creators)s::uuid[], %(ids)s::uuid[], %(inputs)s::text[],
                %(propensities)s::smallint[])
         AS u (creator_id, id, inputs, propensity)
    WHERE g.creator_id = u.creator_id AND g.id = u.id
"""


async def score_history(connection: Connection) -> None:
    """Give the past drafts their inputs, in the caller's transaction."""
    found = await (await send(connection, _PAST, {}, list)).answer()
    await run(
        connection,
        _SCORE,
        {
            "creators": [row[0] for row in found],
            "ids": [row[1] for row in found],
            "inputs": [_written(_inputs(row)) for row in found],
            "propensities": [in_ten_thousandths(_propensity(row[9], row[10])) for row in found],
        },
    )


def _inputs(row: tuple[Any, ...]) -> tuple[float, ...]:
    generation_id: UUID = row[1]
    at: datetime = row[8]
    random = Random(generation_id.int)  # noqa: S311 - no secret
    # Suggestions are other replies of the creator's, and agree less than what one model writes.
    suggested = row[12] == RETRIEVAL
    likely = 0.2 if suggested else 0.55 + row[3] / 400
    agreement = min(1.0, max(0.0, random.gauss(likely, 0.15)))
    rating = (row[3] - 15 * agreement - 15) / 0.7
    return inputs_of(
        Known(
            formula=row[3],
            self_rating=round(min(100, max(0, rating))),
            agreement=agreement,
            familiarity=1.0,
            review_findings=int(ApprovalReason.FILTER_REVIEW in row[9]),
            message=row[2],
            price_minor=row[4],
            generation_type=row[5],
            tier=row[6],
            foreign_language=not row[7].startswith("en"),
            at=at,
            asked_with_wishes=False,
            from_template=suggested and random.random() < 0.5,
            fan_text=row[11],
        )
    )


def _propensity(reasons: Sequence[str], status: str) -> float | None:
    """What left by itself in that month nobody could draw; what else could have left was seen."""
    if status == "auto_sent":
        return 0.0
    return 1.0 if {*reasons} <= {one.value for one in ELIGIBLE} else None


def _written(inputs: Sequence[float]) -> str:
    return "{" + ",".join(str(number) for number in inputs) + "}"


async def calibrate_demo(parts: Parts) -> None:
    """Fit confidence to what the demo's team has decided, once."""
    # Only what fits models needs numpy, and a demo that is there already fits none.
    from vaultcrm.workflows.calibrate import calibrate_all

    async with parts.transaction() as connection:
        await score_history(connection)
    await calibrate_all(parts, now_too=True)
