"""Whether a stage of the rollout does well enough to move on. The limits are in `limits.toml`."""

import math
import tomllib
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.rollout import (
    Measure,
    Reading,
    RolloutLimits,
    StageCounts,
    StageHealth,
    Standing,
)

DAY = timedelta(days=1)


@cache
def rollout_limits() -> RolloutLimits:
    """The limits that come with this release."""
    with (Path(__file__).parent / "limits.toml").open("rb") as file:
        read = tomllib.load(file)
    most = {measure: float(read["most"][measure.value]) for measure in Measure}
    return RolloutLimits(most, int(read["least_days"]), int(read["longest_days"]), float(read["z"]))


def window_start(began: datetime | None, now: datetime, limits: RolloutLimits) -> datetime:
    """From when on a stage is looked at; `began` is None for one that has always held."""
    earliest = now - limits.longest_days * DAY
    return earliest if began is None else max(began, earliest)


def health_of(
    stage: RolloutStage,
    counts: StageCounts,
    began: datetime | None,
    now: datetime,
    limits: RolloutLimits,
) -> StageHealth:
    """The readings of a stage, and its verdict.

    Bad as soon as one interval lies above its limit. Good when all lie at or below theirs and the
    stage has held for the least time. Unclear is everything else: too little has happened, or it is
    too close to a limit to be told.
    """
    readings = tuple(_reading(measure, counts, limits) for measure in _looked_at(stage))
    since = window_start(began, now, limits)
    left = 0 if began is None else max(math.ceil((began + limits.least_days * DAY - now) / DAY), 0)
    standings = {one.standing for one in readings}
    if Standing.BAD in standings:
        standing = Standing.BAD
    elif left or Standing.UNCLEAR in standings:
        standing = Standing.UNCLEAR
    else:
        standing = Standing.GOOD
    return StageHealth(stage, since, readings, left, standing)


def _looked_at(stage: RolloutStage) -> tuple[Measure, ...]:
    """Nothing leaves by itself before stage 3, so that nothing of that kind can be taken back."""
    if stage < RolloutStage.AUTO_SEND_LOW_VALUE:
        return tuple(measure for measure in Measure if measure is not Measure.TAKEN_BACK)
    return tuple(Measure)


def _reading(measure: Measure, counts: StageCounts, limits: RolloutLimits) -> Reading:
    limit = limits.most[measure]
    if measure is Measure.EDIT_SHARE:
        of, interval = counts.edits, _mean_interval(counts, limits.z)
        if not counts.modified and counts.decided:
            # Nothing was changed, so that there is nothing to be said against how much was.
            return Reading(measure, 0, None, None, None, limit, Standing.GOOD)
    else:
        part, of = _SHARES[measure](counts)
        interval = None if not of else (part / of, *wilson(part, of, limits.z))
    if interval is None:
        return Reading(measure, of, None, None, None, limit, Standing.UNCLEAR)
    value, low, high = interval
    if low > limit:
        standing = Standing.BAD
    elif high <= limit:
        standing = Standing.GOOD
    else:
        standing = Standing.UNCLEAR
    return Reading(measure, of, value, low, high, limit, standing)


_SHARES = {
    Measure.REJECTED: lambda counts: (counts.rejected, counts.decided),
    Measure.MODIFIED: lambda counts: (counts.modified, counts.decided),
    Measure.FINDINGS: lambda counts: (counts.with_findings, counts.drafts),
    Measure.COMPLAINTS: lambda counts: (counts.complaints, counts.sent),
    Measure.TAKEN_BACK: lambda counts: (counts.taken_back, counts.automatic),
}


def wilson(part: int, of: int, z: float) -> tuple[float, float]:
    """The interval of a share by E. B. Wilson (1927), which holds for small counts and for 0 too.
    `of` is not 0, and `part` at most `of`.
    """
    share, weight = part / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    reach = z * math.sqrt(share * (1 - share) / of + weight / (4 * of)) / (1 + weight)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


LEAST_EDITS = 10
"""Edited drafts below which the mean of their changes says nothing."""


def _mean_interval(counts: StageCounts, z: float) -> tuple[float, float, float] | None:
    """The mean share of a draft that was changed, by the normal approximation."""
    if counts.edits < LEAST_EDITS:
        return None
    mean = counts.edit_sum / counts.edits
    variance = max(counts.edit_squares / counts.edits - mean * mean, 0.0)
    reach = z * math.sqrt(variance / (counts.edits - 1))
    return mean, max(mean - reach, 0.0), min(mean + reach, 1.0)
