"""Fit P(sent unchanged): a logistic regression, a shift a creator, a calibration curve.

Decisions are split by time. The oldest fit the regression; the next ones, which it has not seen,
the shifts and the curve; the newest stay unseen for the guarantee and for the figures that are
reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from vaultcrm.domain.confidence import INPUTS_VERSION, WHOLE, ConfidenceModel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

FIT_SHARE = 0.35
"""Of the eligible decisions so many, the oldest, fit; the rest are the guarantee's."""
REGRESSION_SHARE = 0.7
"""Of those that fit, the share that the regression sees; the rest make shifts and curve."""
LEAST_DECISIONS = 200
LEAST_OF_EACH = 20
"""With fewer decisions to fit, or fewer of either outcome among them, there is no model."""
RIDGE = 3.0
KNOTS = np.linspace(-7.0, 7.0, 57)
"""Where the curve of a logistic calibration is kept: between them it is off by at most 0.001."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions in the order in which they were made, an entry of each array a decision.

    `inputs` is of shape (n, inputs); `creator` an index into `creators`; `propensity` is nan for a
    draft that would have waited whatever its score.
    """

    creators: tuple[UUID, ...]
    inputs: Floats
    unchanged: Bools
    creator: Ints
    propensity: Floats

    def part(self, chosen: Bools | slice) -> "Decisions":
        return Decisions(
            self.creators,
            self.inputs[chosen],
            self.unchanged[chosen],
            self.creator[chosen],
            self.propensity[chosen],
        )

    def __len__(self) -> int:
        return len(self.unchanged)


@dataclass(frozen=True, slots=True)
class Fitted:
    """One model for all creators, with the shift of each that was decided for."""

    shared: ConfidenceModel
    shifts: Mapping[UUID, float]
    between: float
    """Variance of the shifts between creators, in log-odds."""

    def of(self, creator_id: UUID) -> ConfidenceModel:
        """The model with one creator's shift; a creator whom nothing is known of has none."""
        return replace(self.shared, shift=self.shifts.get(creator_id, 0.0))

    def probabilities(self, decisions: Decisions) -> Floats:
        """P(sent unchanged) of each decision, as `pipeline.confidence` computes it of one."""
        return self._on_curve(self._log_odds(decisions))

    def scores(self, decisions: Decisions) -> Ints:
        """The probabilities in thousandths, rounded."""
        scores: Ints = np.rint(WHOLE * self.probabilities(decisions)).astype(np.int64)
        return scores

    def _log_odds(self, decisions: Decisions) -> Floats:
        shift = np.array([self.shifts.get(one, 0.0) for one in decisions.creators])
        score: Floats = _linear(self.shared, decisions.inputs) + shift[decisions.creator]
        return score

    def _on_curve(self, score: Floats) -> Floats:
        knots = np.array(self.shared.curve)
        height: Floats = np.interp(score, knots[:, 0], knots[:, 1])
        return height


def split(decisions: Decisions) -> tuple[Decisions, Decisions]:
    """What fits, and the newer part that no fit has seen."""
    eligible = np.flatnonzero(~np.isnan(decisions.propensity))
    if not len(eligible):
        return decisions, decisions.part(slice(0, 0))
    first_unseen = int(eligible[min(int(len(eligible) * FIT_SHARE), len(eligible) - 1)])
    return decisions.part(slice(0, first_unseen)), decisions.part(slice(first_unseen, None))


def drawn_alike(decisions: Decisions, lots: Floats) -> Bools:
    """Which decisions to keep so that each eligible draft had the same chance to be among them.

    Of what leaves by itself people see a sample; of what scores lower, everything. So of the latter
    such a share is kept, by `lots`: a number of 0 to 1 for each decision. Where nothing was
    automatic all are kept.
    """
    eligible: Bools = ~np.isnan(decisions.propensity) & (decisions.propensity > 0)
    if not eligible.any():
        return eligible
    rarest = decisions.propensity[eligible].min()
    kept: Bools = eligible & (lots * np.nan_to_num(decisions.propensity, nan=1.0) < rarest)
    return kept


def fit(seen: Decisions, *, curve: str = "logistic") -> Fitted | None:
    """The model of these decisions; None where they are too few to fit one.

    `curve` is `logistic` or `isotonic`; evals/calibration compares the two.
    """
    if len(seen) < LEAST_DECISIONS:
        return None
    first = int(len(seen) * REGRESSION_SHARE)
    old, new = seen.part(slice(0, first)), seen.part(slice(first, None))
    for part in (old, new):
        right = int(part.unchanged.sum())
        if min(right, len(part) - right) < LEAST_OF_EACH / 2:
            return None
    means = old.inputs.mean(axis=0)
    deviations = old.inputs.std(axis=0)
    scales = np.where(deviations > 1e-9, deviations, 1.0)
    regression = LogisticRegression(C=1 / RIDGE, max_iter=500)
    regression.fit((old.inputs - means) / scales, old.unchanged)
    shared = ConfidenceModel(
        INPUTS_VERSION,
        tuple(float(weight) for weight in regression.coef_[0]),
        tuple(float(mean) for mean in means),
        tuple(float(scale) for scale in scales),
        float(regression.intercept_[0]),
        0.0,
        (),
    )
    shifts, between = _shifts(seen, _linear(shared, seen.inputs))
    by_creator = dict(zip(seen.creators, (float(shift) for shift in shifts), strict=True))
    score = _linear(shared, new.inputs) + shifts[new.creator]
    knots = _isotonic(score, new) if curve == "isotonic" else _logistic(score, new)
    return Fitted(replace(shared, curve=knots), by_creator, between)


def _linear(model: ConfidenceModel, inputs: Floats) -> Floats:
    standard = (inputs - np.array(model.means)) / np.array(model.scales)
    linear: Floats = standard @ np.array(model.weights) + model.bias
    return linear


def _shifts(decisions: Decisions, score: Floats) -> tuple[Floats, float]:
    """How much each creator's log-odds differ from everybody's, shrunk towards no difference.

    Of a creator alone the shift would be d, the maximum of the likelihood with the score as an
    offset (two Newton steps), with information I = sum of p(1 - p). Between creators the variance
    of the shifts is t, by the moments of DerSimonian and Laird. Kept is d * t / (t + 1 / I), the
    posterior mean of a normal random effect: much of d where there is much, none where there is
    none.
    """
    count = len(decisions.creators)
    own: Floats = np.zeros(count)
    information: Floats = np.zeros(count, dtype=np.float64)
    for _ in range(4):
        expected = expit(score + own[decisions.creator])
        rest = decisions.unchanged - expected
        gradient = np.bincount(decisions.creator, rest, count)
        weights = expected * (1 - expected)
        information = np.bincount(decisions.creator, weights, count).astype(np.float64)
        own = np.clip(own + gradient / np.maximum(information, 1.0), -3.0, 3.0)
    known = information > 1.0
    between = _between(own[known], information[known])
    shrunk = own * between / (between + 1 / np.maximum(information, 1e-9))
    return np.where(known, shrunk, 0.0), between


def _between(own: Floats, information: Floats) -> float:
    """Variance between creators by moments, at least 0."""
    if len(own) < 2:
        return 0.0
    total = information.sum()
    middle = (information * own).sum() / total
    spread = (information * (own - middle) ** 2).sum()
    scale = total - (information**2).sum() / total
    return float(max(0.0, (spread - (len(own) - 1)) / scale))


def _logistic(score: Floats, unseen: Decisions) -> tuple[tuple[float, float], ...]:
    """p = 1 / (1 + exp(-(a + b score))) with a and b from decisions that the score has not seen."""
    platt = LogisticRegression(C=1e6, max_iter=200)
    platt.fit(score[:, None], unseen.unchanged)
    slope = max(0.05, float(platt.coef_[0, 0]))
    heights = expit(float(platt.intercept_[0]) + slope * KNOTS)
    return tuple((float(knot), float(height)) for knot, height in zip(KNOTS, heights, strict=True))


def _isotonic(score: Floats, unseen: Decisions) -> tuple[tuple[float, float], ...]:
    """The rising steps that fit best, joined by lines, inside of 1 in 200 from either end."""
    steps = IsotonicRegression(out_of_bounds="clip", y_min=0.005, y_max=0.995)
    steps.fit(score, unseen.unchanged)
    return tuple(
        (float(at), float(height))
        for at, height in zip(steps.X_thresholds_, steps.y_thresholds_, strict=True)
    )
