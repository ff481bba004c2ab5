"""What would have been: the value of another way to choose variants, from the fans there were.

A policy says which variant the fans of each tier get. Two estimates of what a message would have
brought under it, over fans f who got variant v_f with probability p_f:

    IPS   sum m w y / sum m w n,   m = whether the fan got what the policy says, w = 1 / p_f
          (inverse propensity scores, normalised: Hajek, 1971)
    DR    sum [ n r(policy) + m w (y - n r(v_f)) ] / sum n
          (doubly robust: Dudik, Langford and Li, 2011)

`r` is what a message brings by tier and variant, drawn towards the variant's value over all tiers.
Both have variances over fans, and the intervals are confidence sequences like those of the test.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vaultcrm.pipeline.experiments.comparing import (
    ALPHA,
    FEWEST_FANS,
    FEWEST_MESSAGES,
    NOTHING,
    Sums,
    summed,
)
from vaultcrm.pipeline.experiments.sequences import effective_observations, two_sided

DRAWN = 20.0
"""With so many messages a tier's own value counts as much as that of all tiers."""


@dataclass(frozen=True, slots=True)
class Group:
    """Fans of one tier who got one variant while the same shares were in force."""

    epoch: int
    tier: str
    variant: str
    sums: Sums


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a message would have brought. `support` is how many fans got what the policy says."""

    method: Literal["ips", "dr"]
    estimate: float
    low: float
    high: float
    support: int


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why nothing can be said of a policy."""

    reason: str


def policy_value(
    groups: Sequence[Group],
    policy: Mapping[str, str],
    shares_of: Mapping[int, Mapping[str, float]],
    method: Literal["ips", "dr"],
) -> PolicyValue | NoAnswer:
    """The value of a policy that names a variant for every tier.

    Only fans are looked at who could have got what it says. Where nobody of a tier could, or did,
    there is no answer: nothing was seen of it, and no formula makes up for that.
    """
    usable = [
        group for group in groups if shares_of.get(group.epoch, {}).get(policy[group.tier], 0) > 0
    ]
    there = {group.tier for group in groups if group.sums.fans}
    for tier in sorted(there):
        if not any(group.tier == tier for group in usable):
            return NoAnswer(f"no fan of the tier {tier} could have got {policy[tier]}")
        if not any(_matches(g, policy) and g.tier == tier and g.sums.fans for g in usable):
            return NoAnswer(f"no fan of the tier {tier} has got {policy[tier]} yet")
    matched = summed(group.sums for group in usable if _matches(group, policy))
    if matched.fans < FEWEST_FANS or matched.n < FEWEST_MESSAGES:
        return NoAnswer("too few fans have got what it says")
    if method == "ips":
        return _ips(matched)
    return _doubly_robust(usable, policy, matched)


def _matches(group: Group, policy: Mapping[str, str]) -> bool:
    return group.variant == policy[group.tier]


def _ips(matched: Sums) -> PolicyValue:
    return _with_interval("ips", matched.value or 0.0, matched.variance, matched)


def _doubly_robust(
    groups: Sequence[Group], policy: Mapping[str, str], matched: Sums
) -> PolicyValue:
    by_variant: dict[str, Sums] = {}
    by_cell: dict[tuple[str, str], Sums] = {}
    for group in groups:
        cell = (group.tier, group.variant)
        by_variant[group.variant] = by_variant.get(group.variant, NOTHING) + group.sums
        by_cell[cell] = by_cell.get(cell, NOTHING) + group.sums

    def brings(tier: str, variant: str) -> float:
        """`r`: what a message brings, as far as it is known."""
        overall = by_variant[variant].y / max(by_variant[variant].n, 1.0)
        own = by_cell.get((tier, variant), NOTHING)
        return (own.y + DRAWN * overall) / (own.n + DRAWN)

    total, messages, fans = 0.0, 0.0, 0
    for group in groups:
        sums, target = group.sums, brings(group.tier, policy[group.tier])
        total += target * sums.n
        if _matches(group, policy):
            total += sums.wy - target * sums.wn
        messages += sums.n
        fans += sums.fans
    value = total / messages
    spread = 0.0
    for group in groups:
        sums, target = group.sums, brings(group.tier, policy[group.tier])
        away = target - value
        spread += away * away * sums.nn
        if _matches(group, policy):
            spread += 2 * away * (sums.wny - target * sums.wnn)
            spread += sums.wwyy - 2 * target * sums.wwny + target * target * sums.wwnn
    variance = max(0.0, spread) / messages**2 * fans / max(1, fans - 1)
    return _with_interval("dr", value, variance, matched)


def _with_interval(
    method: Literal["ips", "dr"], value: float, variance: float, matched: Sums
) -> PolicyValue:
    floor = matched.per_message / matched.n
    t = effective_observations(variance, floor, matched.n)
    reach = math.sqrt(variance) * two_sided(t, ALPHA)
    return PolicyValue(method, value, value - reach, value + reach, matched.fans)
