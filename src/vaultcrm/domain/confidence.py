"""How sure we are of a draft, and from which score on drafts leave by themselves with a guarantee.

A confidence is an integer of 0 to 100. With a model in force it is a calibrated probability that a
person would send the draft unchanged: of 100 drafts with 85, 85 are sent as they are. Where models
and guarantees speak of a score it is that probability in thousandths.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.flags import RolloutStage

WHOLE = 1000
"""Scores are in thousandths: between 98 and 99 of 100 lies half of a limit of 2."""
INPUTS_VERSION = 1
"""Goes up with every change of what a score is computed from (`pipeline.confidence.inputs`): a
model of other inputs is not applied.
"""


class Pool(StrEnum):
    """Whose decisions a guarantee was computed from."""

    OWN = "own"
    TOGETHER = "together"


class Missing(StrEnum):
    """Why there is no guarantee, and so nothing leaves by itself."""

    NOT_CALIBRATED = "not_calibrated"
    TOO_FEW = "too_few"
    NOT_SAFE = "not_safe"
    CONTRADICTED = "contradicted"
    STRICTER_LIMIT = "stricter_limit"
    OUTSIDE = "outside"
    DRIFT = "drift"
    LIMIT_PASSED = "limit_passed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """From `lowest` on, at most `limit` of the automatic messages would have been changed or
    rejected by a person, with the stated `certainty`.

    Tested were the thresholds from `highest` down to `lowest`, both scores; a floor above
    `highest` was not. `checked` decisions have a score of at least `lowest`, and `wrong` of them
    did not leave unchanged; `of` is how many decisions there were to compute it from, whatever
    their score.
    """

    lowest: int
    highest: int
    limit: float
    certainty: float
    pool: Pool
    of: int
    checked: int
    wrong: int


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """P(sent unchanged) as plain numbers: p = curve(bias + weights . (x - means) / scales + shift).

    `weights`, `means` and `scales` are as long as the list of inputs of `pipeline.confidence`,
    whose version is `inputs_version`. `shift` is what this creator's drafts differ from
    everybody's, in log-odds. `curve` is a rising polyline from log-odds to probabilities, constant
    outside. `drafters` are the models whose drafts were decided on: of another one's nothing is
    known, so theirs are not scored.
    """

    inputs_version: int
    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float
    shift: float
    curve: tuple[tuple[float, float], ...]
    drafters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is in force for one creator: a model, and what it guarantees at rollout stages 3 and 4.

    `guarantees` and `missing` have one of the two for each of these stages. `stopped` says why
    automatic sending was stopped since; a new calibration lets it go on. `model` is None for what
    could not be read.
    """

    revision: UUID
    id: UUID
    version: int
    model: ConfidenceModel | None
    guarantees: Mapping[RolloutStage, Guarantee] = field(default_factory=dict)
    missing: Mapping[RolloutStage, Missing] = field(default_factory=dict)
    stopped: Missing | None = None
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What is kept of a draft's score, so that it can be learned from and checked.

    `inputs` are those of `pipeline.confidence`. `propensity` is the probability with which a person
    decides on this draft; None for a draft that would wait whatever its score, which is of another
    population. Automatic messages have the share that is sampled.
    """

    inputs: tuple[float, ...]
    model_id: UUID | None = None
    propensity: float | None = None
