"""The figures as a table, and what is below its target."""

from collections.abc import Sequence

from evals.experiments.measure import Figure

SLACK_OF_FEW = 0.08
"""Over two standard errors of a share of 5 % in 40 worlds."""


def table(figures: Sequence[Figure]) -> str:
    width = max(len(one.name) for one in figures)
    lines = [f"{one.name:<{width}}  {one.told}{_target(one)}" for one in figures]
    return "\n".join(["A/B tests in worlds whose truth is known", *lines])


def failures(figures: Sequence[Figure], *, small: bool = False) -> list[str]:
    """What misses its target. Of few worlds a share may be beyond it by chance."""
    slack = SLACK_OF_FEW if small else 0.0
    return [
        f"A/B tests: {one.name}: {one.told}{_target(one)}" for one in figures if one.misses(slack)
    ]


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f" (at most {figure.at_most:.0%})"
    if figure.at_least is not None:
        return f" (at least {figure.at_least:.0%})"
    return ""
