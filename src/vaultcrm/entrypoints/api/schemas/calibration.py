"""What confidence means, and what is guaranteed of automatic messages."""

from datetime import datetime
from uuid import UUID

from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.pipeline.calibration.watching import Bin
from vaultcrm.workflows.read_calibration import (
    ConfidenceNow,
    CreatorConfidence,
    Reliability,
    Watched,
)


class BinOut(Schema):
    """Drafts of like confidence: the mean of it, and what share a person sent unchanged, 0-1."""

    drafts: int
    confidence: float
    sent_unchanged: float

    @classmethod
    def of(cls, one: Bin) -> "BinOut":
        return cls(drafts=one.count, confidence=one.expected, sent_unchanged=one.observed)


class ReliabilityOut(Schema):
    """Confidence against the truth on decisions that no fit had seen; `error` is the ECE."""

    decisions: int
    error: float | None
    bins: list[BinOut]

    @classmethod
    def of(cls, found: Reliability) -> "ReliabilityOut":
        return cls(
            decisions=found.seen,
            error=found.error,
            bins=[BinOut.of(one) for one in found.bins if one.count],
        )


class GuaranteeOut(Schema):
    """From confidence `threshold` on, at most the share `limit` of automatic messages is one that a
    person would have changed or rejected, with this certainty. Of `checked` decisions from there on
    `wrong` were such.
    """

    threshold: float
    limit: float
    certainty: float
    pool: Pool
    checked: int
    wrong: int

    @classmethod
    def of(cls, found: Guarantee) -> "GuaranteeOut":
        return cls(
            threshold=found.lowest * 100 / WHOLE,
            limit=found.limit,
            certainty=found.certainty,
            pool=found.pool,
            checked=found.checked,
            wrong=found.wrong,
        )


class DriftOut(Schema):
    """What decisions since say: see docs/calibration.md for each figure."""

    watched_at: datetime
    decisions: int
    standard_errors: float
    error: float
    shift: float
    evidence: float

    @classmethod
    def of(cls, found: Watched) -> "DriftOut":
        return cls(
            watched_at=found.at,
            decisions=found.seen,
            standard_errors=found.standard_errors,
            error=found.error,
            shift=found.shift,
            evidence=found.evidence,
        )


class CalibrationOut(Schema):
    """One creator. `version` 0 says that confidence is the formula's, not calibrated yet; `missing`
    says why nothing leaves by itself, and is null where a guarantee is in force or none is asked
    for.
    """

    creator_id: UUID
    version: int
    calibrated_at: datetime | None
    decisions: int
    reliability: ReliabilityOut
    guarantee: GuaranteeOut | None
    missing: Missing | None
    stopped_at: datetime | None
    sent_automatically: int
    drawn: int
    drawn_wrong: int
    drawn_waiting: int
    drift: DriftOut | None

    @classmethod
    def of(cls, one: CreatorConfidence) -> "CalibrationOut":
        drawn = one.audits.unchanged
        return cls(
            creator_id=one.creator_id,
            version=one.version,
            calibrated_at=one.made_at,
            decisions=one.decisions,
            reliability=ReliabilityOut.of(one.reliability),
            guarantee=None if one.guarantee is None else GuaranteeOut.of(one.guarantee),
            missing=one.missing,
            stopped_at=one.stopped_at,
            sent_automatically=one.audits.automatic,
            drawn=len(drawn),
            drawn_wrong=len(drawn) - sum(drawn),
            drawn_waiting=one.audits.waiting,
            drift=None if one.watched is None else DriftOut.of(one.watched),
        )


class CalibrationPage(Schema):
    """`together` is of all creators, for callers who may see them all."""

    items: list[CalibrationOut]
    next_cursor: None = None
    together: ReliabilityOut | None

    @classmethod
    def of(cls, now: ConfidenceNow) -> "CalibrationPage":
        return cls(
            items=[CalibrationOut.of(one) for one in now.creators],
            together=None if now.together is None else ReliabilityOut.of(now.together),
        )
