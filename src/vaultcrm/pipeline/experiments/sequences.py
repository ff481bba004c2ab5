"""Intervals that hold at every look at once, however often and for whatever reason somebody looks.

Asymptotic confidence sequences: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 52 (2024), Theorem
2.2 and its one-sided form. For a mean of t observations with standard deviation s

    mean ± s sqrt( 2 (t r^2 + 1) / (t^2 r^2)  log( sqrt(t r^2 + 1) / alpha ) ).

With the standard error e = s / sqrt(t) that is e times a factor of t r^2 alone, which is what
stands here. The boundary is the one of Robbins' normal mixture, and so that of a mixture SPRT with
a normal prior. `r` makes it tightest at `TIGHTEST_AT`, by their equation (56):

    r^2 = ( -2 log alpha + log(1 - 2 log alpha) ) / TIGHTEST_AT.
"""

import math

TIGHTEST_AT = 2_000
"""Effective observations. Far before it intervals are wider than they could be, which is where sums
are not normal yet and an early stop would be for nothing."""


def effective_observations(variance: float, per_observation: float, count: float) -> float:
    """To how many independent observations the information comes: at most `count`.

    Messages to one fan are alike, so a thousand of them to thirty fans say less than a thousand.
    `per_observation` is the variance that the estimate would have were they independent.
    """
    if variance <= 0 or per_observation <= 0:
        return count
    return min(count, count * per_observation / variance)


def two_sided(t: float, alpha: float) -> float:
    """By how many standard errors a confidence sequence of 1 - alpha reaches to either side."""
    x = t * _tuned(alpha)
    return math.sqrt(2 * (x + 1) / x * math.log(math.sqrt(x + 1) / alpha))


def one_sided(t: float, alpha: float) -> float:
    """The same for a bound to one side."""
    x = t * _tuned(2 * alpha)
    return math.sqrt(2 * (x + 1) / x * math.log(1 + math.sqrt(x + 1) / (2 * alpha)))


def _tuned(alpha: float) -> float:
    return (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / TIGHTEST_AT
