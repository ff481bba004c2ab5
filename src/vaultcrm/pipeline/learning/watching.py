"""Whether a voice does worse since it was changed: intervals that hold at every look.

What was before is counted once and has the usual interval, z s / sqrt(n). What comes after is
looked at again and again: the interval of its mean is the asymptotic confidence sequence with a
normal mixture (Robbins, 1970; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, 2021),

    s sqrt((n + r) / n^2 log((n + r) / (r a^2)))    with r = `REFERENCE`

A quarter of the level goes to the one, the rest to the other, and the difference has the sum of
both, so all of it holds together at the level of `LEVEL` over all figures. It compares what was
before with what came after and nothing else: whatever changed at the same time is in it too.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

from vaultcrm.domain.learning import Course

LEVEL: Final = 0.05
FIGURES: Final = 3
REFERENCE: Final = 200
"""So many messages after the change, the interval is as narrow as it can be."""
LEAST_AFTER: Final = 50
LEAST_BEFORE: Final = 50


def course(
    name: str,
    before: tuple[int, float, float],
    after: tuple[int, float, float],
) -> Course | None:
    """One figure before and after, each as count, sum and sum of squares; None with too few."""
    if before[0] < LEAST_BEFORE or after[0] < LEAST_AFTER:
        return None
    level = LEVEL / FIGURES
    (n0, mean0, spread0), (n1, mean1, spread1) = _mean(before), _mean(after)
    earlier = NormalDist().inv_cdf(1 - level / 8) * spread0 / math.sqrt(n0)
    whole = n1 + REFERENCE
    bound = math.log(whole / (REFERENCE * (0.75 * level) ** 2))
    later = spread1 * math.sqrt(whole / n1**2 * bound)
    half = earlier + later
    difference = mean1 - mean0
    return Course(name, mean0, mean1, n0, n1, difference - half, difference + half)


def is_worse(courses: Sequence[Course]) -> bool:
    """Whether any figure has fallen, beyond doubt."""
    return any(one.high < 0 for one in courses)


def _mean(moments: tuple[int, float, float]) -> tuple[int, float, float]:
    """Count, mean and standard deviation. Of shares near 0 or 1 the latter is kept above that of
    one other outcome among all, since none seen is not none possible.
    """
    count, total, squares = moments
    mean = total / count
    variance = max(squares / count - mean * mean, 0.0)
    least = max(abs(mean), 1.0) ** 2 * (1 / count) * (1 - 1 / count)
    return count, mean, math.sqrt(max(variance, least))
