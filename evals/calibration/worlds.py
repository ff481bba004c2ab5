"""Worlds with known truth: creators whose drafts are sent unchanged with known probabilities.

What makes people change a draft is no logistic function of the inputs: length has an optimum,
findings and a low self-rating add up, hours have a rhythm, creators differ in level and in what
they care for. Several chatters decide for each creator, some strict and some lenient; who will
decide is not known when a draft is scored, so the truth is the mean over them.
"""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from scipy.special import expit

from vaultcrm.pipeline.calibration.fitting import Bools, Decisions, Floats, Ints
from vaultcrm.pipeline.confidence import INPUTS


@dataclass(frozen=True, slots=True)
class World:
    """`level` and `spread` make drafts good or bad in general and hard or easy to tell apart."""

    seed: int
    creators: int
    level: float
    spread: float
    shifts: Floats
    tastes: Floats
    chatters: Floats

    @property
    def ids(self) -> tuple[UUID, ...]:
        return tuple(UUID(int=number + 1) for number in range(self.creators))


def new_world(seed: int, *, creators: int, level: float, spread: float) -> World:
    """A world; the same arguments give the same one."""
    random = np.random.default_rng([seed, 1])
    return World(
        seed,
        creators,
        level,
        spread,
        random.normal(0.0, 0.5, creators),
        random.normal(0.0, 0.25, (creators, 4)),
        random.normal(0.0, 0.4, (creators, 4)),
    )


def drafts(world: World, count: int, stream: int) -> tuple[Floats, Ints]:
    """Inputs as `pipeline.confidence` makes them, and whose drafts they are."""
    random = np.random.default_rng([world.seed, 2, stream])
    inputs = dict.fromkeys(INPUTS, np.zeros(count))
    good = random.normal(0.0, 1.0, count)
    rating = np.clip(np.rint(84 + 9 * good + random.normal(0.0, 5.0, count)), 5, 100)
    agreement = np.clip(0.65 + 0.16 * good + random.normal(0.0, 0.16, count), 0.0, 1.0)
    familiarity = np.minimum(1.0, random.integers(1, 25, count) / 10)
    findings = np.minimum(3, random.poisson(0.08, count)).astype(float)
    length = np.clip(np.exp(random.normal(4.4, 0.6, count)), 4, 900)
    formula = np.clip(0.7 * rating + 15 * agreement + 15 * familiarity - 15 * findings, 1, 99)
    hour = random.uniform(0, 24, count)
    kind = random.choice(4, count, p=[0.85, 0.07, 0.06, 0.02])
    medium = random.random(count) < 0.3
    inputs |= {
        "formula": np.log(formula / (100 - formula)),
        "self_rating": rating / 100,
        "agreement": agreement,
        "familiarity": familiarity,
        "review_findings": findings,
        "length": np.log1p(length) / np.log1p(400),
        "long": (length > 400).astype(float),
        "very_short": (length < 20).astype(float),
        "welcome": (kind == 1).astype(float),
        "thank_you": (kind == 2).astype(float),
        "re_engagement": (kind == 3).astype(float),
        "medium_tier": medium.astype(float),
        "hour_sine": np.sin(2 * np.pi * hour / 24),
        "hour_cosine": np.cos(2 * np.pi * hour / 24),
        "wishes": (random.random(count) < 0.05).astype(float),
        "template": (random.random(count) < 0.1).astype(float),
        "fan_length": np.clip(random.normal(0.65, 0.2, count), 0, 1.3),
        "fan_asks": (random.random(count) < 0.4).astype(float),
    }
    stacked = np.column_stack([inputs[name] for name in INPUTS])
    return stacked, random.integers(0, world.creators, count)


def truth(world: World, inputs: Floats, creator: Ints) -> Floats:
    """P(sent unchanged) of each draft, as nobody but the world knows it."""
    at = {name: inputs[:, place] for place, name in enumerate(INPUTS)}
    taste = world.tastes[creator]
    good = (
        9.0 * (at["self_rating"] - 0.84)
        + 3.2 * (at["agreement"] - 0.65)
        + (0.9 + taste[:, 0]) * (at["familiarity"] - 0.8)
        - (1.6 + taste[:, 1]) * at["review_findings"]
        - 7.0 * (at["length"] - 0.72) ** 2
        - 0.8 * at["very_short"]
        + (0.7 + taste[:, 2]) * at["template"]
        - (0.9 + taste[:, 3]) * at["fan_asks"] * (at["fan_length"] > 0.6)
        + 0.35 * at["hour_sine"]
        - 0.5 * at["wishes"]
        - 0.5 * at["medium_tier"]
    )
    base = world.level + world.spread * good + world.shifts[creator]
    mean: Floats = expit(base[:, None] + world.chatters[creator]).mean(axis=1)
    return mean


def decided(world: World, count: int, stream: int = 0) -> tuple[Decisions, Floats]:
    """Decisions on drafts that all would have been eligible, and the truth of each."""
    inputs, creator = drafts(world, count, stream)
    known = truth(world, inputs, creator)
    unchanged: Bools = np.random.default_rng([world.seed, 3, stream]).random(count) < known
    return Decisions(world.ids, inputs, unchanged, creator, np.ones(count)), known


def best_share(known: Floats, limit: float) -> float:
    """What somebody who knows the truth could send by itself: the largest share of drafts, best
    first, of which no more than `limit` are wrong on average.
    """
    wrong = np.sort(1 - known).cumsum() / np.arange(1, len(known) + 1)
    return float((wrong <= limit).sum() / len(known))
