"""Fans shared out by what is known: the likelier a variant is the best, the more get it."""

from collections.abc import Mapping
from math import sqrt
from random import Random

from vaultcrm.pipeline.experiments.comparing import FEWEST_MESSAGES, Sums, summed

DRAWS = 500
LEAST_SHARE = 0.1
"""No variant gets less, so that every one can still be compared and nobody's probability is 0."""


def thompson_shares(by_variant: Mapping[str, Sums], seed: str) -> dict[str, float] | None:
    """Shares that sum to 1: how often each variant is the best of draws from what is known of it.

    What is known is a normal distribution around the variant's value with its variance over fans,
    drawn towards the value of all with the weight of `FEWEST_MESSAGES` messages (Thompson, 1933;
    Chapelle and Li, 2011). The same seed gives the same shares. None while a variant has too little
    to go by.
    """
    if len(by_variant) < 2 or any(one.n < FEWEST_MESSAGES for one in by_variant.values()):
        return None
    everything = summed(by_variant.values())
    if everything.value is None or everything.per_message <= 0:
        return None
    known = {
        name: _posterior(one, everything.value, everything.per_message / FEWEST_MESSAGES)
        for name, one in by_variant.items()
    }
    random = Random(seed)  # noqa: S311 -- shares, no secret
    wins = dict.fromkeys(known, 0)
    for _ in range(DRAWS):
        drawn = {name: random.gauss(mean, deviation) for name, (mean, deviation) in known.items()}
        wins[max(drawn, key=drawn.__getitem__)] += 1
    least = min(LEAST_SHARE, 0.5 / len(known))
    free = 1 - least * len(known)
    return {name: least + free * count / DRAWS for name, count in wins.items()}


def _posterior(one: Sums, mean: float, variance: float) -> tuple[float, float]:
    """Mean and standard deviation: a normal prior with this mean and variance, and the data."""
    seen = max(one.variance, one.per_message / one.n, variance * 1e-6)
    precision = 1 / variance + 1 / seen
    return (mean / variance + (one.value or 0.0) / seen) / precision, sqrt(1 / precision)
