"""A creator whose drafts are scored as the formula scores them, guaranteed for stages 3 and 4.

Then it is the other rules, and AI_AUTO_SEND_THRESHOLD, that decide what leaves by itself. What
comes out of people's decisions is tried where decisions are made.
"""

from typing import Any
from uuid import UUID

from tests.support.app import RunningApp
from vaultcrm.db.queries import confidence
from vaultcrm.domain.confidence import INPUTS_VERSION, ConfidenceModel, Guarantee, Pool
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.ids import new_id
from vaultcrm.pipeline.confidence import INPUTS, sigmoid

_KNOTS = tuple(number / 8 for number in range(-40, 41))
AS_THE_FORMULA = ConfidenceModel(
    inputs_version=INPUTS_VERSION,
    weights=(1.0, *(0.0 for _ in INPUTS[1:])),
    means=tuple(0.0 for _ in INPUTS),
    scales=tuple(1.0 for _ in INPUTS),
    bias=0.0,
    shift=0.0,
    curve=tuple((knot, sigmoid(knot)) for knot in _KNOTS),
    drafters=("claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-5-5", "retrieval"),
)
"""Its first input is the formula's score in log-odds."""
FROM_ZERO = Guarantee(
    lowest=0,
    highest=1000,
    limit=0.001,
    certainty=0.95,
    pool=Pool.OWN,
    of=5_000,
    checked=5_000,
    wrong=0,
)


async def give_guarantee(
    app: RunningApp, creator_id: UUID | str, guarantee: Guarantee = FROM_ZERO, **report: Any
) -> UUID:
    """Put a calibration in force; the id of its model."""
    model_id = new_id()
    async with app.parts.transaction() as connection:
        await confidence.add(
            connection,
            UUID(str(creator_id)),
            model_id,
            AS_THE_FORMULA,
            {RolloutStage.AUTO_SEND_LOW_VALUE: guarantee, RolloutStage.FULL: guarantee},
            report,
            guarantee.of,
            app.parts.now(),
        )
    # As in a process that has drafted for this creator before.
    await app.parts.confidence_book.of(UUID(str(creator_id)), model_id, app.parts.pool)
    return model_id
