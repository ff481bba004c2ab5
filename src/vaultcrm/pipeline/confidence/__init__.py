"""How sure we are that a person would send a draft unchanged, by the model in force.

Plain arithmetic over stored numbers: what is fitted here is applied to each draft by the process
that serves requests. The fitting is in `pipeline.calibration`.
"""

from bisect import bisect_right
from math import cos, exp, log, log1p, pi, sin

from vaultcrm.domain.confidence import (
    INPUTS_VERSION,
    WHOLE,
    Calibration,
    ConfidenceModel,
    Missing,
)
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.pipeline.confidence.inputs import INPUTS, Known

__all__ = ["INPUTS", "Known", "guaranteed_from", "inputs_of", "score_of"]

LEAST, MOST = 0.01, 0.99
"""A formula's score of 0 or 100 is a matter of rounding, not of certainty."""


def log_odds(probability: float) -> float:
    return log(probability / (1 - probability))


def inputs_of(known: Known) -> tuple[float, ...]:
    """What a draft's score is computed from, in the order of `INPUTS`."""
    angle = 2 * pi * (known.at.hour + known.at.minute / 60) / 24
    length = len(known.message)
    price = 0 if known.price_minor is None else known.price_minor
    return (
        log_odds(min(MOST, max(LEAST, known.formula / 100))),
        known.self_rating / 100,
        known.agreement,
        known.familiarity,
        float(min(known.review_findings, 3)),
        log1p(length) / log1p(400),
        float(length > 400),
        float(length < 20),
        log1p(price / 100),
        float(known.generation_type == "ppv_offer"),
        float(known.generation_type == "welcome"),
        float(known.generation_type == "thank_you"),
        float(known.generation_type == "re_engagement"),
        float(known.tier in {"high", "whale"}),
        float(known.tier == "medium"),
        float(known.foreign_language),
        sin(angle),
        cos(angle),
        float(known.asked_with_wishes),
        float(known.from_template),
        log1p(len(known.fan_text)) / log1p(400),
        float("?" in known.fan_text),
    )


def score_of(model: ConfidenceModel, inputs: tuple[float, ...]) -> int:
    """The calibrated probability of a draft in thousandths, rounded.

    Raises ValueError for a model of other inputs than these.
    """
    if model.inputs_version != INPUTS_VERSION:
        raise ValueError(f"this model reads inputs of version {model.inputs_version}")
    score = model.bias + model.shift
    for weight, mean, scale, value in zip(
        model.weights, model.means, model.scales, inputs, strict=True
    ):
        score += weight * (value - mean) / scale
    return round(WHOLE * on_curve(model.curve, score))


def on_curve(curve: tuple[tuple[float, float], ...], score: float) -> float:
    """The height of a polyline at `score`; beyond its ends that of the end."""
    place = bisect_right(curve, (score, 2.0))
    if place == 0:
        return curve[0][1]
    if place == len(curve):
        return curve[-1][1]
    (left, low), (right, high) = curve[place - 1], curve[place]
    return low + (high - low) * (score - left) / (right - left)


def guaranteed_from(calibration: Calibration | None, flags: Flags) -> int | Missing:
    """The least score from which on automatic sending is guaranteed, or why it is not.

    A limit that was made stricter since, and a floor above every threshold that was tested, are not
    covered by what was tested.
    """
    if calibration is None:
        return Missing.NOT_CALIBRATED
    if calibration.stopped is not None:
        return calibration.stopped
    stage = max(flags.rollout_stage, RolloutStage.AUTO_SEND_LOW_VALUE)
    guarantee = calibration.guarantees.get(RolloutStage(stage))
    if guarantee is None:
        return calibration.missing.get(RolloutStage(stage), Missing.NOT_CALIBRATED)
    if flags.auto_send_risk < guarantee.limit:
        return Missing.STRICTER_LIMIT
    if flags.auto_send_threshold * WHOLE > guarantee.highest * 100:
        return Missing.OUTSIDE
    return guarantee.lowest


def sigmoid(score: float) -> float:
    """The probability that belongs to log-odds, without overflow."""
    if score >= 0:
        return 1 / (1 + exp(-score))
    odds = exp(score)
    return odds / (1 + odds)
