"""Whose decisions guarantee what: a creator's own where there are enough, else several together's.

All of it is of decisions that no fit has seen. `fair` says which of them are of drafts that all had
the same chance to be seen (`fitting.drawn_alike`), `medium` which column of the inputs is 1 for
fans of the medium tier.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.pipeline.calibration.fitting import Bools, Decisions, Fitted, Ints
from vaultcrm.pipeline.calibration.guaranteeing import contradicts, guarantee

ENOUGH_ALONE = 1_500
"""With so many decisions that no fit has seen, a creator's guarantee is computed from their own
alone. The number is fixed beforehand, so that what is found cannot choose what is tested.
"""
LEAST_IN_POOL = 50
"""A creator with fewer takes no part in what is guaranteed of several together."""
STAGES = (RolloutStage.AUTO_SEND_LOW_VALUE, RolloutStage.FULL)
"""The stages at which anything leaves by itself; each has a guarantee of its own."""

ByStage = dict[RolloutStage, Guarantee | Missing]


@dataclass(frozen=True, slots=True)
class Together:
    """What is guaranteed of several creators together, who they are, and how many of all older
    decisions have each score, 0 to `WHOLE`.
    """

    by_stage: ByStage
    members: Collection[UUID]
    older: Sequence[int]


def guarantee_together(
    fitted: Fitted, seen: Decisions, unseen: Decisions, fair: Bools, medium: int, flags: Flags
) -> Together:
    """The guarantee of the creators who have too few decisions of their own for one."""
    counts = np.bincount(unseen.creator[fair], minlength=len(unseen.creators))
    member = (counts < ENOUGH_ALONE) & (counts >= LEAST_IN_POOL)
    usable = fair & member[unseen.creator]
    by_stage = {
        stage: _test(
            fitted,
            unseen,
            usable & _of_stage(unseen, stage, medium),
            fitted.scores(seen.part(member[seen.creator] & _of_stage(seen, stage, medium))),
            Pool.TOGETHER,
            flags,
        )
        for stage in STAGES
    }
    members = [one for one, is_in in zip(unseen.creators, member, strict=True) if is_in]
    older = np.bincount(fitted.scores(seen), minlength=WHOLE + 1)
    return Together(by_stage, members, [int(one) for one in older])


def guarantee_alone(
    creator_id: UUID,
    fitted: Fitted,
    unseen: Decisions,
    fair: Bools,
    medium: int,
    together: Together,
    flags: Flags,
) -> ByStage:
    """A creator's own guarantee where they have enough, else that of several together, unless they
    are not of them or their own decisions contradict it.
    """
    return {
        stage: _of_creator(
            creator_id,
            fitted,
            unseen,
            fair & _of_stage(unseen, stage, medium),
            stage,
            together,
            flags,
        )
        for stage in STAGES
    }


def _of_creator(
    creator_id: UUID,
    fitted: Fitted,
    unseen: Decisions,
    usable: Bools,
    stage: RolloutStage,
    together: Together,
    flags: Flags,
) -> Guarantee | Missing:
    if usable.sum() >= ENOUGH_ALONE:
        older = np.repeat(np.arange(WHOLE + 1), np.array(together.older, dtype=int))
        return _test(fitted, unseen, usable, older, Pool.OWN, flags)
    if creator_id not in together.members:
        return Missing.TOO_FEW
    shared = together.by_stage[stage]
    if isinstance(shared, Missing):
        return shared
    scores, unchanged = fitted.scores(unseen)[usable], unseen.unchanged[usable]
    if contradicts(scores, unchanged, shared.lowest, shared.limit):
        return Missing.CONTRADICTED
    return shared


def _test(
    fitted: Fitted, unseen: Decisions, usable: Bools, older: Ints, pool: Pool, flags: Flags
) -> Guarantee | Missing:
    return guarantee(
        older,
        fitted.scores(unseen)[usable],
        unseen.unchanged[usable],
        limit=flags.auto_send_risk,
        pool=pool,
        floor=flags.auto_send_threshold * WHOLE // 100,
    )


def _of_stage(decisions: Decisions, stage: RolloutStage, medium: int) -> Bools:
    """Which drafts could leave by themselves at a stage: of low-tier fans at 3, of medium too at 4.

    Drafts to higher tiers, and those that wait for another reason, have no propensity.
    """
    eligible: Bools = ~np.isnan(decisions.propensity)
    if stage is not RolloutStage.FULL:
        eligible &= decisions.inputs[:, medium] == 0
    return eligible
