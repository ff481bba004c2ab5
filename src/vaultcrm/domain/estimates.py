"""Shares and means with the interval that they come with: plain arithmetic, in 95 % intervals.

An interval says where the true value lies in 19 of 20 such samples, if messages do not hang on one
another. Shares: Wilson's score interval (Wilson 1927), which stays in 0-1 and is honest for few.
Means: the sample mean and 1.96 standard errors on each side, which needs many (the central limit).
"""

from dataclasses import dataclass
from math import sqrt

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""
LEAST_FOR_SHARE = 20
"""Below so many messages no share is told."""
LEAST_FOR_MEAN = 30
"""Below so many messages no mean is told."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, over `count` of whatever it is about."""

    value: float
    low: float
    high: float
    count: int


def share_of(part: int, whole: int) -> Estimate | None:
    """A share with Wilson's interval; None below `LEAST_FOR_SHARE`.

    With p = k/n: centre (p + z²/2n) / (1 + z²/n), half width z √(p(1-p)/n + z²/4n²) / (1 + z²/n).
    """
    if whole < LEAST_FOR_SHARE:
        return None
    share = part / whole
    shrink = 1 + Z * Z / whole
    centre = (share + Z * Z / (2 * whole)) / shrink
    half = Z * sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole)) / shrink
    low = 0.0 if part == 0 else max(0.0, centre - half)
    high = 1.0 if part == whole else min(1.0, centre + half)
    return Estimate(share, low, high, whole)


def mean_of(
    count: int, total: float, squares: float, *, least: float | None = None
) -> Estimate | None:
    """A mean from a count, a sum and a sum of squares; None below `LEAST_FOR_MEAN`.

    s² = (Σx² - n m²) / (n - 1); the interval is m ± z s/√n, cut off at `least`.
    """
    if count < LEAST_FOR_MEAN:
        return None
    mean = total / count
    variance = max(0.0, squares - count * mean * mean) / (count - 1)
    half = Z * sqrt(variance / count)
    low = mean - half if least is None else max(least, mean - half)
    return Estimate(mean, low, mean + half, count)
