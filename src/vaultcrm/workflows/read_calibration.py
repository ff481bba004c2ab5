"""What confidence means for each creator now, and what leaves by itself because of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.jobs import CALIBRATE
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import confidence
from vaultcrm.db.queries import flags as flag_queries
from vaultcrm.db.queries.confidence import Audits, read_guarantees, read_missing
from vaultcrm.domain.confidence import Calibration, Guarantee, Missing
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.pipeline.calibration.watching import Bin
from vaultcrm.pipeline.confidence import guaranteed_from
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

NONE_YET = Audits(0, 0, ())


@dataclass(frozen=True, slots=True)
class Reliability:
    """How scores and truth went together on decisions that no fit had seen. `error` is the ECE."""

    seen: int
    bins: tuple[Bin, ...]
    error: float | None


@dataclass(frozen=True, slots=True)
class Watched:
    """What the last look at newer decisions has found, as `pipeline.calibration.watching` says."""

    at: datetime
    seen: int
    standard_errors: float
    error: float
    shift: float
    evidence: float


@dataclass(frozen=True, slots=True)
class CreatorConfidence:
    """One creator. `version` is 0 where nothing is calibrated: then confidence is the formula's.

    `guarantee` is the one of the rollout stage that is in force, or of stage 3 before; `missing`
    says why automatic sending is not covered, and None that it is. `audits` are under this version.
    """

    creator_id: UUID
    handle: str
    display_name: str
    flags: Flags
    version: int
    made_at: datetime | None
    decisions: int
    reliability: Reliability
    guarantee: Guarantee | None
    missing: Missing | None
    stopped_at: datetime | None
    audits: Audits
    watched: Watched | None


@dataclass(frozen=True, slots=True)
class ConfidenceNow:
    """All that a caller may see. `together` is None for who may not see all creators, and where
    nothing is calibrated.
    """

    creators: tuple[CreatorConfidence, ...]
    together: Reliability | None
    made_at: datetime | None
    decisions: int


async def read_calibration(
    parts: Parts, caller: Caller, creator_id: UUID | None = None
) -> ConfidenceNow:
    """Confidence of all creators that the caller may see, or of one.

    Raises Forbidden for who is no manager, admin or program, and NotFound for a foreign creator.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    if creator_id is not None:
        require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        visible = set(await visible_creators(connection, caller))
        wanted = [
            one
            for one in await confidence.everybody(connection)
            if one[0] in visible and creator_id in {None, one[0]}
        ]
        if creator_id is not None and not wanted:
            raise NotFound("creator")
        known = await confidence.newest(connection, [NIL, *(one[0] for one in wanted)])
        creators = [await _creator(parts, connection, one, known.get(one[0])) for one in wanted]
    together = known.get(NIL) if caller.all_creators and creator_id is None else None
    return ConfidenceNow(
        creators=tuple(creators),
        together=None if together is None else _reliability(together),
        made_at=None if together is None else together["made_at"],
        decisions=0 if together is None else together["decisions"],
    )


async def _creator(
    parts: Parts, connection: Connection, who: tuple[UUID, str, str], found: Record | None
) -> CreatorConfidence:
    creator_id, handle, name = who
    overrides = await flag_queries.overrides(connection, creator_id)
    flags = effective_flags(parts.settings, Overrides(*overrides))
    if found is None:
        nothing = Reliability(0, (), None)
        return CreatorConfidence(
            creator_id, handle, name, flags, 0, None, 0, nothing, None,
            Missing.NOT_CALIBRATED if flags.auto_send_guarantee else None,
            None, NONE_YET, None,
        )  # fmt: skip
    guarantees = read_guarantees(found["guarantees"])
    stage = max(flags.rollout_stage, RolloutStage.AUTO_SEND_LOW_VALUE)
    return CreatorConfidence(
        creator_id=creator_id,
        handle=handle,
        display_name=name,
        flags=flags,
        version=found["version"],
        made_at=found["made_at"],
        decisions=found["decisions"],
        reliability=_reliability(found),
        guarantee=guarantees.get(RolloutStage(stage)),
        missing=_missing(found, flags),
        stopped_at=found["stopped_at"],
        audits=await confidence.audits(connection, creator_id, found["id"]),
        watched=_watched(found),
    )


def _missing(found: Record, flags: Flags) -> Missing | None:
    """Why nothing is guaranteed now; None also where the flag asks for no guarantee."""
    if not flags.auto_send_guarantee:
        return None
    stopped = found["stopped_why"]
    calibration = Calibration(
        revision=found["id"],
        id=found["id"],
        version=found["version"],
        model=None,
        guarantees=read_guarantees(found["guarantees"]),
        missing=read_missing(found["guarantees"]),
        stopped=None if stopped is None else Missing(stopped),
    )
    least = guaranteed_from(calibration, flags)
    return least if isinstance(least, Missing) else None


def _reliability(found: Record) -> Reliability:
    report = found["report"]
    stored: Sequence[tuple[int, float, int]] = report.get("bins", ())
    return Reliability(
        seen=report.get("unseen", 0),
        bins=tuple(Bin(*one) for one in stored),
        error=report.get("error"),
    )


def _watched(found: Record) -> Watched | None:
    figures = found["watched"]
    if found["watched_at"] is None or not figures:
        return None
    return Watched(
        at=found["watched_at"],
        seen=figures["seen"],
        standard_errors=figures["standard_errors"],
        error=figures["error"],
        shift=figures["shift"],
        evidence=figures["evidence"],
    )


async def ask_for_calibration(parts: Parts, caller: Caller) -> bool:
    """Have everything calibrated now by a worker; False when that waits to be done already.

    Raises Forbidden for who does not manage all creators.
    """
    require_role(caller, Role.ADMIN)
    async with parts.transaction() as connection:
        return await parts.jobs.defer(connection, CALIBRATE, queueing_lock=CALIBRATE)
