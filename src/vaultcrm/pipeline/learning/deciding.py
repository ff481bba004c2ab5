"""Which differences are real: e-values that hold at every weekly look, and the false discovery rate
over all that was asked.

A question's evidence is its Mantel-Haenszel score S with variance V (`domain.learning.Score`). When
the arm changes nothing, S over the weeks is a martingale with that variance, and

    e = sqrt(r / (V + r)) exp(S^2 / (2 (V + r)))

is, for normal increments, an e-value at every time (Robbins, 1970, with a normal mixture; r is the
variance of the first week, which the outcomes' assignment to arms does not change). So looking
every week is no offence. Of m questions those with the k greatest e-values count as found for the
greatest k with e_(k) >= m / (k q): e-BH (Wang and Ramdas, 2022), which holds the false discovery
rate at q whatever depends on what. Where nothing matters anywhere, the probability that anything is
ever found is at most q. Intervals belong to the same mixture, at level q k / m, so that those that
are shown because they were found keep their promise together (Xu, Wang and Ramdas, 2022).

The normal law is an approximation: nothing is asked with fewer than `LEAST_OF_EACH` messages on
either side, `LEAST_EVENTS` of them with the outcome and as many without. What people take out of
drafts or put in is rare, and is counted instead: x times where chance would make it l, which as a
Poisson law with a gamma(1, 1) mixture of rates has the e-value

    e = x! exp(l) / (1 + l)^(1 + x)    for x > l, else 0
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

from vaultcrm.domain.learning import (
    PHRASE,
    Finding,
    Hypothesis,
    Outcome,
    PooledScore,
    Score,
    Scores,
)

FALSE_DISCOVERY_RATE = 0.05
LEAST_OF_EACH = 30
LEAST_EVENTS = 20
"""So many messages on either side must have had the outcome, and so many must not."""
LEAST_EDITED = 10
"""So many drafts must have had a phrase, or have been changed, before edits say anything."""
EDITS = frozenset({Outcome.REMOVED, Outcome.ADDED})
LEAST_MESSAGES = 100
"""A creator with fewer messages gets no proposal, also not from what all creators have shown."""

LEAST_SHARE = 0.02
"""The least difference of shares worth acting on: 2 points."""
LEAST_REVENUE = 0.10
"""The same for revenue, as a part of what other messages bring."""


@dataclass(frozen=True, slots=True)
class Found:
    """A question that was answered: its sums, and the level of its interval."""

    hypothesis: Hypothesis
    score: Score
    level: float


def log_e(one: Hypothesis, score: Score) -> float:
    """The logarithm of the e-value; 0 where nothing varies."""
    if one.outcome in EDITS:
        times, chance = score.level, score.level - score.score
        if times <= chance:
            return -math.inf
        return math.lgamma(1 + times) + chance - (1 + times) * math.log1p(chance)
    r = score.first
    if r <= 0 or score.variance <= 0:
        return 0.0
    whole = score.variance + r
    return 0.5 * math.log(r / whole) + score.score**2 / (2 * whole)


def margin(one: Hypothesis, score: Score, level: float) -> float:
    """Half the width of the interval of the effect at `level`. It holds at every look; for edits,
    where the e-value decides, it is the normal one of a count.
    """
    if score.weight <= 0:
        return math.inf
    if one.outcome in EDITS:
        return NormalDist().inv_cdf(1 - level / 2) * math.sqrt(score.level + 1) / score.weight
    r = score.first
    if r <= 0:
        return math.inf
    whole = score.variance + r
    return math.sqrt(whole * math.log(whole / (r * level * level))) / score.weight


def may_be_asked(one: Hypothesis, score: Score) -> bool:
    if one.outcome in EDITS:
        return score.of_arm >= LEAST_EDITED
    enough = min(score.of_arm, score.others) >= LEAST_OF_EACH and score.events >= LEAST_EVENTS
    return enough and score.variance > 0


def asked(scores: Scores) -> dict[Hypothesis, Score]:
    """The questions for which there is enough to ask at all."""
    return {one: score for one, score in scores.items() if may_be_asked(one, score)}


def found_in(scores: Scores, rate: float) -> list[Found]:
    """What e-BH finds among questions that may be asked, at a false discovery rate."""
    family = asked(scores)
    m = len(family)
    ranked = sorted(family, key=lambda one: (-log_e(one, family[one]), one))
    k = 0
    for place, one in enumerate(ranked, start=1):
        if log_e(one, family[one]) >= math.log(m / (place * rate)):
            k = place
    return [Found(one, family[one], rate * k / m) for one in ranked[:k]]


def together(earlier: Scores, later: Scores) -> dict[Hypothesis, Score]:
    """Sums of both, `earlier` before `later`."""
    found = dict(earlier)
    for one, score in later.items():
        found[one] = found[one] + score if one in found else score
    return found


def pooled(creators: Iterable[Scores]) -> dict[Hypothesis, PooledScore]:
    """All creators together. Phrases are left out: they belong to a voice."""
    of: dict[Hypothesis, list[Score]] = {}
    for scores in creators:
        for one, score in scores.items():
            if not one.arm.startswith(PHRASE) and score.weight > 0:
                of.setdefault(one, []).append(score)
    return {one: _pooled(scores) for one, scores in of.items()}


def _pooled(scores: list[Score]) -> PooledScore:
    total = Score()
    for score in scores:
        total = total + score
    # Variances of the first weeks add up, as those of all weeks do.
    first = sum(score.first for score in scores)
    total = Score(
        total.score,
        total.variance,
        total.weight,
        total.level,
        first,
        total.of_arm,
        total.others,
        total.events,
    )
    known = [score for score in scores if score.variance > 0]
    if not known:
        return PooledScore(total, total.effect, 0.0)
    weights = [score.weight**2 / score.variance for score in known]
    effects = [score.effect for score in known]
    whole = sum(weights)
    typical = sum(w * x for w, x in zip(weights, effects, strict=True)) / whole
    scatter = sum(w * (x - typical) ** 2 for w, x in zip(weights, effects, strict=True))
    room = whole - sum(w * w for w in weights) / whole
    spread = max(0.0, (scatter - (len(known) - 1)) / room) if room > 0 else 0.0
    return PooledScore(total, typical, spread)


def expected(own: Score | None, pool: PooledScore | None) -> float:
    """What the effect should be for one creator: their own, drawn to what is typical by as much as
    their own is uncertain (normal-normal shrinkage).
    """
    if pool is None:
        return own.effect if own is not None else 0.0
    if own is None or own.variance <= 0 or own.weight <= 0 or pool.spread <= 0:
        return pool.typical
    uncertain = own.variance / own.weight**2
    share = pool.spread / (pool.spread + uncertain)
    return pool.typical + share * (own.effect - pool.typical)


def worth_acting_on(one: Hypothesis, effect: float, otherwise: float) -> bool:
    """Whether a difference is large enough to change a voice for."""
    if one.outcome is Outcome.REVENUE:
        return abs(effect) >= LEAST_REVENUE * max(otherwise, 1.0)
    return abs(effect) >= LEAST_SHARE


def rates(creators: int) -> tuple[float, float]:
    """The false discovery rates for all creators together and for one creator alone: half of the
    whole for the one family, the other half in equal parts for each creator's own.
    """
    half = FALSE_DISCOVERY_RATE / 2
    return half, half / max(creators, 1)


def findings_for(
    own: Scores, pool: Mapping[Hypothesis, PooledScore], creators: int
) -> tuple[list[Finding], int]:
    """What was found for one creator and is worth acting on, and how many questions were asked.

    A question that this creator's messages and those of all answer is told once, from all.
    """
    for_all, for_one = rates(creators)
    totals = {one: score.total for one, score in pool.items()}
    found = {each.hypothesis: (each, False) for each in found_in(own, for_one)}
    found |= {each.hypothesis: (each, True) for each in found_in(totals, for_all)}
    told = (_told(each, everywhere, own, pool) for each, everywhere in found.values())
    return [one for one in told if one is not None], len(asked(totals)) + len(asked(own))


def _told(
    found: Found, everywhere: bool, own: Scores, pool: Mapping[Hypothesis, PooledScore]
) -> Finding | None:
    one, score = found.hypothesis, found.score
    otherwise = score.rate - score.effect
    effect = expected(own.get(one), pool.get(one))
    if not worth_acting_on(one, effect, otherwise):
        return None
    half = margin(one, score, found.level)
    return Finding(
        arm=one.arm,
        outcome=one.outcome,
        currency=one.currency,
        rate=score.rate,
        otherwise=otherwise,
        low=score.effect - half,
        high=score.effect + half,
        # A share of drafts is told with the drafts that it is a share of.
        messages=score.of_arm if one.outcome in EDITS else score.of_arm + score.others,
        expected=effect,
        everywhere=everywhere,
    )
