"""From which score on messages may leave by themselves: Learn-Then-Test risk control.

Angelopoulos, Bates, Candes, Jordan and Lei, "Learn then test", 2021. Each threshold is a
hypothesis: "of the drafts that score at least this much, more than the limit would not be sent
unchanged". A hypothesis falls by the exact binomial test; the family-wise error is held by testing
in a fixed order, from the threshold that older decisions promise most of, downwards, until one
stands (`mapie.risk_control.control_fwer`). So with the stated certainty none of those that fell was
true.
"""

import numpy as np
from mapie.risk_control import control_fwer
from scipy.stats import binom

from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.pipeline.calibration.fitting import Bools, Floats, Ints

CERTAINTY = 0.95
SCORES = np.arange(WHOLE + 1)


def guarantee(
    older: Ints,
    scores: Ints,
    unchanged: Bools,
    *,
    limit: float,
    pool: Pool,
    certainty: float = CERTAINTY,
    floor: int = 0,
) -> Guarantee | Missing:
    """The thresholds that are guaranteed by these decisions, or why there are none.

    `scores` and `unchanged` are of decisions that no fit has seen, each drawn with the same
    probability; `older` are scores of those that fitted, which order the tests. Thresholds below
    `floor` are never used and not tested. Not enough is what could not fall even if every decision
    had been to send the draft unchanged.
    """
    if (1 - limit) ** len(scores) > 1 - certainty:
        return Missing.TOO_FEW
    highest = _most_promising(older, len(scores), limit, floor)
    order = np.arange(highest, floor - 1, -1)
    chances = p_values(order, scores, unchanged, limit)
    fallen = control_fwer(chances, 1 - certainty, "split_fixed_sequence")
    if not len(fallen):
        return Missing.NOT_SAFE
    lowest = int(order[fallen[-1]])
    above = scores >= lowest
    return Guarantee(
        lowest=lowest,
        highest=int(order[0]),
        limit=limit,
        certainty=certainty,
        pool=pool,
        of=len(scores),
        checked=int(above.sum()),
        wrong=int((above & ~unchanged).sum()),
    )


def p_values(thresholds: Ints, scores: Ints, unchanged: Bools, limit: float) -> Floats:
    """P(so few wrong ones, or fewer) if the share of wrong ones were exactly the limit, for each
    threshold; 1 where nothing scores so much.
    """
    wrong = _at_least(scores[~unchanged], None)
    count = _at_least(scores, None)
    chances: Floats = binom.cdf(wrong[thresholds], count[thresholds], limit)
    return np.where(count[thresholds] > 0, chances, 1.0)


def _at_least(scores: Ints, weights: Floats | None) -> Floats:
    """How much has at least each score, counted or weighted."""
    counts = np.bincount(scores, weights, minlength=WHOLE + 1).astype(float)
    summed: Floats = counts[::-1].cumsum()[::-1]
    return summed


def _most_promising(older: Ints, count: int, limit: float, floor: int) -> int:
    """The threshold whose test would be clearest if older drafts' own scores came true.

    So many decisions as `count`, spread over scores as the older ones are.
    """
    if not len(older):
        return WHOLE
    share = _at_least(older, None) / len(older)
    wrong = _at_least(older, 1 - older / WHOLE) / len(older)
    chances = binom.cdf(np.rint(count * wrong), np.rint(count * share), limit)
    chances = np.where((share * count >= 1) & (floor <= SCORES), chances, 2.0)
    return int(np.flatnonzero(chances == chances.min())[-1])


def contradicts(scores: Ints, unchanged: Bools, lowest: int, limit: float) -> bool:
    """Whether one creator's own decisions speak against the limit that holds for all together.

    The one-sided exact binomial test at 5 %: so many wrong ones or more.
    """
    above = scores >= lowest
    count, wrong = int(above.sum()), int((above & ~unchanged).sum())
    return bool(wrong > 0 and binom.sf(wrong - 1, count, limit) < 0.05)
