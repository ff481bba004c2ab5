"""Move the rollout on or back by one stage, for everybody or for one creator."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_every_creator, require_role
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.rollout import Standing
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.rollout_health import STAGE_FLAG, read_rollout
from vaultcrm.workflows.set_flag import set_flag

MOVED_BACK = "Moved back."
WAS_READY = "The stage was ready."
FOLLOWS = "Follows the installation again."


class Move(StrEnum):
    ON = "on"
    BACK = "back"
    FOLLOW = "follow"


@dataclass(frozen=True, slots=True)
class Moved:
    """The stage before, and the one that was asked for."""

    before: RolloutStage
    after: RolloutStage


async def move_stage(
    parts: Parts,
    caller: Caller,
    *,
    creator_id: UUID | None,
    move: Move,
    seen: RolloutStage,
    reason: str,
) -> Moved:
    """One stage on or back; FOLLOW takes a creator's own stage away.

    Moving back asks for nothing. Moving on asks for a reason unless the stage is ready. `seen` is
    the stage that whoever moves it was shown.

    Raises Forbidden, NotFound, InvalidInput without a reason, or Conflict when somebody else has
    moved it meanwhile, or there is no such stage.
    """
    require_role(caller, Role.ADMIN)
    if creator_id is None:
        require_every_creator(caller)
    else:
        require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        found = await read_rollout(parts, connection, None if creator_id is None else [creator_id])
    health = found.of(creator_id)
    if health is None:
        raise NotFound("creator")
    if health.stage is not seen:
        raise Conflict(
            f"It is at stage {health.stage.value} by now. Look again before you move it.",
            status=str(health.stage.value),
        )
    target = found.stage if move is Move.FOLLOW else _beside(health.stage, move)
    moves_on = target > health.stage
    if moves_on and not reason and health.standing is not Standing.GOOD:
        raise InvalidInput(
            FieldProblem("reason", "say why it moves on before it is ready; the audit log keeps it")
        )
    default = {Move.ON: WAS_READY, Move.BACK: MOVED_BACK, Move.FOLLOW: FOLLOWS}[move]
    await set_flag(
        parts,
        caller,
        creator_id=creator_id,
        name=STAGE_FLAG,
        value=None if move is Move.FOLLOW else target.value,
        reason=reason or default,
    )
    return Moved(health.stage, target)


def _beside(stage: RolloutStage, move: Move) -> RolloutStage:
    try:
        return RolloutStage(stage + (1 if move is Move.ON else -1))
    except ValueError:
        raise Conflict("There is no stage beyond this one.", status=str(stage.value)) from None
