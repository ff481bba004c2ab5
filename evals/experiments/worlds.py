"""Worlds of fans with tastes of their own, who are shared out and looked at every day.

Fans come day by day and stay. Each has a rate of its own, drawn once, so that messages to one fan
are alike, as they are in life. All is drawn from one seeded generator.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vaultcrm.pipeline.experiments.comparing import Sums

Array = NDArray[np.float64]
Kind = Literal["reply", "purchase", "revenue"]


@dataclass(frozen=True)
class World:
    """How many fans there are, how they come and write, and what varies between them.

    `rate` is the mean of the fans' rates, `likeness` how alike one fan's messages are: fans' rates
    are Beta with a + b = 1 / likeness - 1. `revenue` is log-normal with this sigma.
    """

    kind: Kind = "reply"
    fans: int = 300
    days: int = 60
    messages_a_day: float = 0.5
    rate: float = 0.4
    likeness: float = 0.1
    sigma: float = 1.0
    there_at_once: float = 0.25


@dataclass(frozen=True)
class Course:
    """Cumulative sums by fan (rows) and day (columns): messages, what they brought, its squares.
    `arrived` is the day on which each fan came.
    """

    n: Array
    y: Array
    squares: Array
    arrived: NDArray[np.int64]


def play(world: World, rng: np.random.Generator, effect: Array | float = 0.0) -> Course:
    """One world. `effect` is added to each fan's rate."""
    shape = 1 / world.likeness - 1
    rates = rng.beta(world.rate * shape, (1 - world.rate) * shape, world.fans) + effect
    rates = np.clip(rates, 0.0, 1.0)
    late = rng.integers(0, world.days, world.fans)
    arrived = np.where(rng.random(world.fans) < world.there_at_once, 0, late)
    there = np.arange(world.days)[None, :] >= arrived[:, None]
    # Messages that did something and messages that did not, which together are Poisson too.
    y = rng.poisson(world.messages_a_day * rates[:, None], there.shape) * there * 1.0
    n = y + rng.poisson(world.messages_a_day * (1 - rates)[:, None], there.shape) * there
    squares = y.copy()
    if world.kind == "revenue":
        # What was bought on one day was bought at one price.
        prices = 1_000 * rng.lognormal(0.0, world.sigma, (world.fans, world.days))
        y, squares = y * prices, y * prices**2
    return Course(n.cumsum(axis=1), y.cumsum(axis=1), squares.cumsum(axis=1), arrived)


def sums_by_day(
    course: Course, members: NDArray[np.bool_], propensity: Array | float = 0.5
) -> list[Sums]:
    """The sums over some fans at the end of each day, as the product's query makes them."""
    n, y, squares = course.n[members], course.y[members], course.squares[members]
    weights = 1 / (propensity if isinstance(propensity, float) else propensity[members])
    w = np.broadcast_to(np.asarray(weights, float), (len(n),))
    columns = np.stack(
        [
            (n > 0).sum(axis=0),
            n.sum(axis=0),
            y.sum(axis=0),
            squares.sum(axis=0),
            (n * n).sum(axis=0),
            w @ n,
            w @ y,
            w @ (n * n),
            w @ (n * y),
            (w * w) @ (n * n),
            (w * w) @ (n * y),
            (w * w) @ (y * y),
        ]
    )
    return [Sums(int(column[0]), *(float(one) for one in column[1:])) for column in columns.T]
