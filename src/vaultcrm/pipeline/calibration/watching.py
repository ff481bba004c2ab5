"""Whether scores still mean what they say, and whether automatic messages stay within the limit.

Plain Python over a few hundred decisions; it runs every few minutes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

BINS = 10
LEAST_SEEN = 200
"""With fewer decisions on drafts of the model nothing is said of drift."""
MOST_SEEN = 400
MOST_STANDARD_ERRORS = 4.0
"""The look is repeated all day: four standard errors are passed by chance once in 16,000 looks."""
MOST_ERROR = 0.10
MOST_SHIFT = 0.25
"""A population stability index from here on is a large shift by the common rule of thumb."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Drafts of like score: how many, their mean score as a share, how many left unchanged."""

    count: int
    expected: float
    unchanged: int

    @property
    def observed(self) -> float:
        return self.unchanged / self.count if self.count else 0.0


def bins(scores: Sequence[int], unchanged: Sequence[bool]) -> tuple[Bin, ...]:
    """Ten bins of equal width over 0-100; the last holds 100 too."""
    counts, sums, right = [0] * BINS, [0.0] * BINS, [0] * BINS
    for score, kept in zip(scores, unchanged, strict=True):
        place = min(BINS - 1, score * BINS // 100)
        counts[place] += 1
        sums[place] += score / 100
        right[place] += kept
    return tuple(
        Bin(count, total / count if count else 0.0, kept)
        for count, total, kept in zip(counts, sums, right, strict=True)
    )


def calibration_error(found: Iterable[Bin]) -> float:
    """ECE: the mean distance of score and truth over the bins, weighted by their counts."""
    known = [one for one in found if one.count]
    total = sum(one.count for one in known)
    if not total:
        return 0.0
    return sum(one.count * abs(one.observed - one.expected) for one in known) / total


@dataclass(frozen=True, slots=True)
class Drift:
    """How newer decisions differ from what the scores say.

    `standard_errors` is calibration in the large: (sent unchanged - expected) over its standard
    deviation if scores were true. `error` is the ECE beyond what chance alone makes of it.
    `shift` is the population stability index of scores against those at calibration.
    """

    seen: int
    standard_errors: float
    error: float
    shift: float

    @property
    def is_large(self) -> bool:
        return self.seen >= LEAST_SEEN and (
            abs(self.standard_errors) > MOST_STANDARD_ERRORS
            or self.error > MOST_ERROR
            or self.shift > MOST_SHIFT
        )


def drift(scores: Sequence[int], unchanged: Sequence[bool], reference: Sequence[float]) -> Drift:
    """What decisions on drafts of the model in force say.

    `reference` is the share of scores in each of ten bins at calibration; empty where there is
    none, and then nothing is said of a shift.
    """
    found = bins(scores, unchanged)
    expected = sum(scores) / 100
    variance = sum(score / 100 * (1 - score / 100) for score in scores)
    return Drift(
        seen=len(scores),
        standard_errors=(sum(unchanged) - expected) / sqrt(max(variance, 0.25)),
        error=max(0.0, calibration_error(found) - _by_chance(found)),
        shift=_stability([one.count for one in found], reference),
    )


def _by_chance(found: Sequence[Bin]) -> float:
    """The ECE that perfect scores have: each bin's mean absolute deviation, sqrt(2/pi) standard
    deviations of its share.
    """
    known = [one for one in found if one.count]
    total = sum(one.count for one in known)
    spread = sum(one.count * sqrt(one.expected * (1 - one.expected) / one.count) for one in known)
    return 0.798 * spread / total if total else 0.0


def _stability(counts: Sequence[int], reference: Sequence[float]) -> float:
    """Sum of (now - then) log(now / then) over bins, less what chance adds; half a draft is put
    into each bin so that an empty one can be compared.
    """
    total = sum(counts)
    if not total or len(reference) != len(counts):
        return 0.0
    index = 0.0
    for count, share in zip(counts, reference, strict=True):
        now = (count + 0.5) / (total + 0.5 * len(counts))
        then = (share * total + 0.5) / (total + 0.5 * len(counts))
        index += (now - then) * log(now / then)
    return max(0.0, index - (len(counts) - 1) / total)


ALTERNATIVES = (1.5, 2.0, 3.0, 5.0, 10.0)
SHUT_AT = 20.0
"""Evidence of 20 is reached with a probability of at most 1 in 20 while the limit is kept, however
often somebody looks (Ville's inequality).
"""


def evidence(wrong: int, count: int, limit: float) -> float:
    """How much speaks for it that more than `limit` of the drawn drafts are wrong.

    A mixture of likelihood ratios of 1.5 to 10 times the limit against the limit: while the share
    of wrong ones is at most the limit it is a supermartingale that starts at 1.
    """
    logs = []
    for times in ALTERNATIVES:
        rate = min(0.95, limit * times)
        logs.append(wrong * log(rate / limit) + (count - wrong) * log((1 - rate) / (1 - limit)))
    top = max(logs)
    return exp(min(top, 700.0)) * sum(exp(one - top) for one in logs) / len(logs)
