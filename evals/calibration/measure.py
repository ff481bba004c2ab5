"""Measure both promises: "85 means 85 of 100", and the guarantee of automatic sending."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.calibration.worlds import World, best_share, decided, new_world
from vaultcrm.domain.confidence import Guarantee, Pool
from vaultcrm.pipeline.calibration.fitting import Floats, fit, split
from vaultcrm.pipeline.calibration.guaranteeing import guarantee

LIMIT = 0.02
FRESH = 20_000
RICH = 0.6
BINS = 15


@dataclass(frozen=True, slots=True)
class Calibrated:
    """ECE on fresh decisions: of all creators together, and the mean and the worst over creators.

    `formula` is that of the stated formula on the same decisions.
    """

    together: float
    mean_of_creators: float
    worst_creator: float
    formula: float


@dataclass(frozen=True, slots=True)
class Sending:
    """What leaves by itself in one world, as a share of all drafts; what the oracle could send, and
    what the truth of what leaves is.
    """

    oracle: float
    sent: float
    wrong: float

    @property
    def is_broken(self) -> bool:
        return self.wrong > LIMIT


def error(probabilities: Floats, unchanged: Floats) -> float:
    """ECE with 15 bins of equal width."""
    place = np.minimum(BINS - 1, (probabilities * BINS).astype(int))
    gap = np.abs(np.bincount(place, unchanged - probabilities, BINS))
    return float(gap.sum() / len(probabilities))


def measure_calibration(
    seed: int, *, creators: int, each: int = 2_000, fresh: int = FRESH, curve: str = "logistic"
) -> Calibrated:
    """Fit on `each` decisions a creator, then look at fresh ones of each creator."""
    random = np.random.default_rng([seed, 4])
    world = new_world(
        seed, creators=creators, level=random.uniform(1.5, 4.0), spread=random.uniform(0.7, 1.3)
    )
    seen, _ = split(decided(world, creators * each)[0])
    fitted = fit(seen, curve=curve)
    if fitted is None:
        raise ValueError("too few decisions to fit a model")
    newer = decided(world, creators * fresh, stream=1)[0]
    probabilities = np.rint(fitted.probabilities(newer) * 100) / 100
    unchanged = newer.unchanged.astype(float)
    formula = 1 / (1 + np.exp(-newer.inputs[:, 0]))
    own = [
        error(probabilities[newer.creator == one], unchanged[newer.creator == one])
        for one in range(creators)
    ]
    first = slice(0, fresh)
    return Calibrated(
        error(probabilities[first], unchanged[first]),
        float(np.mean(own)),
        max(own),
        error(formula[first], unchanged[first]),
    )


def measure_sending(world: World, *, decisions: int = 5_000, curve: str = "logistic") -> Sending:
    """What is sent in this world after so many decisions in all, by its own truth."""
    seen, unseen = split(decided(world, decisions)[0])
    newer, truth = decided(world, FRESH, stream=1)
    oracle = best_share(truth, LIMIT)
    fitted = fit(seen, curve=curve)
    if fitted is None:
        return Sending(oracle, 0.0, 0.0)
    found = guarantee(
        fitted.scores(seen),
        fitted.scores(unseen),
        unseen.unchanged,
        limit=LIMIT,
        pool=Pool.TOGETHER,
    )
    if not isinstance(found, Guarantee):
        return Sending(oracle, 0.0, 0.0)
    leaves = fitted.scores(newer) >= found.lowest
    wrong = float((1 - truth[leaves]).mean()) if leaves.any() else 0.0
    return Sending(oracle, float(leaves.mean()), wrong)


def rich_world(seed: int) -> World:
    """A world in which much is safe; in most of them the oracle can send at least 60 %."""
    random = np.random.default_rng([seed, 5])
    return new_world(
        seed, creators=5, level=random.uniform(3.2, 5.0), spread=random.uniform(0.8, 1.6)
    )


def poor_world(seed: int) -> World:
    """A world in which few messages are safe."""
    random = np.random.default_rng([seed, 6])
    return new_world(
        seed, creators=5, level=random.uniform(0.5, 2.0), spread=random.uniform(0.3, 0.7)
    )


def rich_worlds(count: int) -> list[World]:
    """The first worlds in which the oracle can send at least 60 %."""
    found: list[World] = []
    seed = 0
    while len(found) < count:
        world = rich_world(seed)
        seed += 1
        if best_share(decided(world, FRESH, stream=1)[1], LIMIT) >= RICH:
            found.append(world)
    return found


def shares(found: Sequence[Sending]) -> Floats:
    """What was sent, as a share of what the oracle could send."""
    return np.array([one.sent / one.oracle for one in found])
