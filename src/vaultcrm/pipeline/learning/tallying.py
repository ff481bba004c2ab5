"""Sums of a week's outcomes by arm and stratum: as large for a million messages as for ten.

A stratum is a fan's tier and a band of prices. An arm is compared with other messages of the same
stratum only, so that what a tier or a price does is not taken for what a trait does; the arms of
tiers are compared within prices, those of prices within tiers. Weeks are never mixed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vaultcrm.domain.learning import Hypothesis, Outcome, Score
from vaultcrm.pipeline.learning.traits import ARMS, PRICE_BANDS, TIERS

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BANDS = len(PRICE_BANDS)
STRATA = len(TIERS) * BANDS
OFFERS = slice(1, 5)
"""Bands of offers whose revenue counts; offers in another currency count as bought or not."""


@dataclass(slots=True)
class Batch:
    """Some messages, a place in each list for each; `arms` and `rows` pair an arm with a message
    that has it.
    """

    strata: list[int] = field(default_factory=list)
    replied: list[bool] = field(default_factory=list)
    purchased: list[bool] = field(default_factory=list)
    revenue: list[int] = field(default_factory=list)
    arms: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def add(
        self, stratum: int, arms: Sequence[int], replied: bool, purchased: bool, revenue: int
    ) -> None:
        """One message; `revenue` in minor units of the main currency."""
        self.rows.extend([len(self.strata)] * len(arms))
        self.arms.extend(arms)
        self.strata.append(stratum)
        self.replied.append(replied)
        self.purchased.append(purchased)
        self.revenue.append(revenue)


class Tally:
    """Counts and sums for `ARMS` and then some phrases."""

    def __init__(self, phrases: Sequence[str] = ()) -> None:
        self.names = (*ARMS, *(f"phrase:{phrase}" for phrase in phrases))
        size = (len(self.names), STRATA)
        self.count = np.zeros(STRATA)
        self.total = np.zeros((3, STRATA))
        self.squares = np.zeros((3, STRATA))
        self.arm_count = np.zeros(size)
        self.arm_total = np.zeros((3, *size))

    def add(self, batch: Batch) -> None:
        self.add_arrays(
            np.asarray(batch.strata, dtype=np.int64),
            np.array([batch.replied, batch.purchased, batch.revenue], dtype=np.float64),
            np.asarray(batch.arms, dtype=np.int64),
            np.asarray(batch.rows, dtype=np.int64),
        )

    def add_arrays(self, strata: Whole, outcomes: Floats, arms: Whole, rows: Whole) -> None:
        """`outcomes` has a row each for replied, purchased and revenue."""
        if not len(strata):
            return
        cells = arms * STRATA + strata[rows]
        size = self.arm_count.size
        self.count += np.bincount(strata, minlength=STRATA)
        self.arm_count += np.bincount(cells, minlength=size).reshape(self.arm_count.shape)
        for place, values in enumerate(outcomes):
            self.total[place] += np.bincount(strata, values, STRATA)
            self.squares[place] += np.bincount(strata, values * values, STRATA)
            of_arms = np.bincount(cells, values[rows], size)
            self.arm_total[place] += of_arms.reshape(self.arm_count.shape)

    @property
    def messages(self) -> int:
        return int(self.count.sum())

    @property
    def offers(self) -> int:
        return int(self.count.reshape(-1, BANDS)[:, 1:].sum())

    def scores(self, currency: str) -> dict[Hypothesis, Score]:
        """An answer to each question for which there is anything to compare."""
        found: dict[Hypothesis, Score] = {}
        for place, (outcome, bands) in enumerate(
            (
                (Outcome.REPLIED, slice(0, BANDS)),
                (Outcome.PURCHASED, slice(1, BANDS)),
                (Outcome.REVENUE, OFFERS),
            )
        ):
            of = currency if outcome is Outcome.REVENUE else ""
            for first, last, axis in self._parts():
                sums = self._sums(place, bands, first, last, axis)
                for name, score in zip(self.names[first:last], sums, strict=True):
                    # A price alone says whether there is an offer at all, and a lower one is
                    # bought more often: what it brings is the question.
                    if name.startswith("price:") and outcome is not Outcome.REVENUE:
                        continue
                    if score.weight > 0:
                        found[Hypothesis(name, outcome, of)] = score
        return found

    def _parts(self) -> list[tuple[int, int, int | None]]:
        """Stretches of arms, with the side of the strata that each is not compared within."""
        kinds = [
            2 if name.startswith("price:") else 1 if name.startswith("tier:") else None
            for name in self.names
        ]
        parts: list[tuple[int, int, int | None]] = []
        for index, kind in enumerate(kinds):
            if parts and parts[-1][2] == kind:
                parts[-1] = (parts[-1][0], index + 1, kind)
            else:
                parts.append((index, index + 1, kind))
        return parts

    def _sums(
        self, place: int, bands: slice, first: int, last: int, axis: int | None
    ) -> list[Score]:
        shape = (-1, len(TIERS), BANDS)

        def cut(values: Floats) -> Floats:
            """Arms by strata, of these bands, put together along what is not compared within."""
            found: Floats = values.reshape(shape)[:, :, bands]
            if axis is not None:
                found = found.sum(axis=axis, keepdims=True)
            return found.reshape(len(found), -1)

        n, y, yy = cut(self.count), cut(self.total[place]), cut(self.squares[place])
        n1, y1 = cut(self.arm_count[first:last]), cut(self.arm_total[place][first:last])
        n0 = n - n1
        usable = (n1 > 0) & (n0 > 0) & (n > 1)
        safe = np.where(n > 1, n, 2.0)
        # Revenue is as rare as what is bought.
        happened = self.total[min(place, 1)], self.arm_total[min(place, 1)][first:last]
        x, x1 = cut(happened[0]), cut(happened[1])
        events = [np.where(usable, each, 0.0).sum(1) for each in (x1, x - x1, n1 - x1, n0 - x + x1)]
        weight = np.where(usable, n1 * n0 / safe, 0.0)
        score = np.where(usable, y1 - n1 * y / safe, 0.0)
        spread = np.maximum(yy - y * y / safe, 0.0) / (safe - 1)
        mean = np.where(usable, y1 / np.where(n1 > 0, n1, 1.0), 0.0)
        columns = (
            score.sum(1),
            (weight * spread).sum(1),
            weight.sum(1),
            (weight * mean).sum(1),
            np.where(usable, n1, 0).sum(1),
            np.where(usable, n0, 0).sum(1),
            np.min(events, axis=0),
        )
        return [
            Score(
                float(s), float(v), float(w), float(a), float(v), int(of_arm), int(others), int(e)
            )
            for s, v, w, a, of_arm, others, e in zip(*columns, strict=True)
        ]
