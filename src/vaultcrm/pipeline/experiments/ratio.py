"""Whether fans were shared out as they were meant to be."""

import math
from collections.abc import Iterable, Mapping

CONCENTRATION = 100.0
"""How near to the meant shares other ones are expected: as after a hundred fans."""
LOG_ALARM = math.log(1_000)
"""A false alarm in at most one test of a thousand, however often it is looked at."""


def log_evidence(shares: Mapping[str, float], fans: Mapping[str, int]) -> float:
    """The logarithm of how much likelier other shares than the meant ones make these counts.

    A Bayes factor of a Dirichlet-multinomial, with the Dirichlet around the meant shares, against
    the multinomial (Lindon and Malek, "Anytime-valid inference for multinomial count data", 2022).
    It is a martingale where fans are shared out right, so it may be looked at at any time. A fan
    with a variant that nobody was to get is infinite evidence.
    """
    total = sum(fans.values())
    found = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + total)
    for name, count in fans.items():
        if not count:
            continue
        share = shares.get(name, 0.0)
        if share <= 0:
            return math.inf
        prior = CONCENTRATION * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found


def shared_out_wrong(epochs: Iterable[tuple[Mapping[str, float], Mapping[str, int]]]) -> bool:
    """Whether something is wrong with the assignment, over all shares that were ever in force.

    Each epoch has the shares and the fans who first got each variant while they were. What is known
    of one does not change what is to be expected of the next, so that evidence adds up.
    """
    return sum(log_evidence(shares, fans) for shares, fans in epochs) >= LOG_ALARM
