"""Whether scores still mean what they say; where they do not, nothing leaves by itself any more.

Looked at every few minutes. Whatever stops automatic sending is audited, raises an alert and holds
until a new calibration, which learns only from what was decided afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Record
from vaultcrm.db.queries import audit, confidence
from vaultcrm.db.queries.confidence import Audits, read_guarantees
from vaultcrm.domain.alerts import AlertKind, Severity, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.confidence import Guarantee, Missing, Pool
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.ids import new_id
from vaultcrm.pipeline.calibration.watching import MOST_SEEN, SHUT_AT, Drift, drift, evidence
from vaultcrm.workflows.alerting import raise_alert
from vaultcrm.workflows.parts import Parts


async def watch_confidence(parts: Parts) -> tuple[UUID, ...]:
    """Look at every creator's calibration; for whom automatic sending was stopped just now.

    Any number of processes may do it at once.
    """
    async with parts.pool.connection() as connection:
        names = {one[0]: one[2] for one in await confidence.everybody(connection)}
        known = await confidence.newest(connection, list(names))
        looked = {
            creator_id: (
                await confidence.recent(connection, creator_id, record["id"], MOST_SEEN),
                await confidence.audits(connection, creator_id, record["id"]),
            )
            for creator_id, record in known.items()
            if record["stopped_at"] is None
        }
    together = _together({one: known[one] for one in looked}, {k: v[1] for k, v in looked.items()})
    stopped = []
    for creator_id, (seen, audits) in looked.items():
        record = known[creator_id]
        found = drift(
            [one.score for one in seen],
            [one.unchanged for one in seen],
            record["report"].get("reference", ()),
        )
        own = _evidence(record, [audits])
        shared = together if _guaranteed(record, Pool.TOGETHER) else 0.0
        why = _why(found, max(own, shared))
        figures = asdict(found) | _drawn([audits]) | {"evidence": round(max(own, shared), 3)}
        now = parts.now()
        if why is None:
            async with parts.pool.connection() as connection:
                await confidence.note_watched(connection, creator_id, record["id"], figures, now)
        elif await _stop(parts, creator_id, names[creator_id], record, why, figures, now):
            stopped.append(creator_id)
    return tuple(stopped)


def _why(found: Drift, most_evidence: float) -> Missing | None:
    if most_evidence >= SHUT_AT:
        return Missing.LIMIT_PASSED
    return Missing.DRIFT if found.is_large else None


def _together(known: Mapping[UUID, Record], audits: Mapping[UUID, Audits]) -> float:
    """Evidence against the guarantee that several creators share, from all of their audits."""
    members = [one for one, record in known.items() if _guaranteed(record, Pool.TOGETHER)]
    if not members:
        return 0.0
    return _evidence(known[members[0]], [audits[one] for one in members])


def _evidence(record: Record, audits: Sequence[Audits]) -> float:
    guarantees = list(read_guarantees(record["guarantees"]).values())
    if not guarantees:
        return 0.0
    drawn = _drawn(audits)
    limit = max(one.limit for one in guarantees)
    return evidence(drawn["wrong"], drawn["drawn"], limit)


def _drawn(audits: Sequence[Audits]) -> dict[str, int]:
    """How many drawn drafts were decided, and how many of them did not leave unchanged."""
    decided = [kept for one in audits for kept in one.unchanged]
    return {"drawn": len(decided), "wrong": len(decided) - sum(decided)}


def _guaranteed(record: Record, pool: Pool) -> bool:
    guarantees: Mapping[RolloutStage, Guarantee] = read_guarantees(record["guarantees"])
    return any(one.pool is pool for one in guarantees.values())


async def _stop(
    parts: Parts,
    creator_id: UUID,
    name: str,
    record: Record,
    why: Missing,
    figures: dict[str, Any],
    now: datetime,
) -> bool:
    """False where another process was faster."""
    limit_passed = why is Missing.LIMIT_PASSED
    async with parts.transaction() as connection:
        first = await confidence.stop(connection, creator_id, record["id"], why, new_id(), now)
        if not first:
            return False
        await confidence.note_watched(connection, creator_id, record["id"], figures, now)
        await raise_alert(
            parts,
            connection,
            AlertKind.GUARANTEE_BROKEN if limit_passed else AlertKind.CONFIDENCE_DRIFTS,
            Severity.WARNING,
            _told(name, figures, limit_passed=limit_passed),
            {"model": str(record["id"])},
            now,
            subject=creator_subject(creator_id),
        )
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=None,
                action=AuditAction.AUTOMATIC_SENDING_STOPPED,
                subject_type="confidence_model",
                subject_id=str(record["id"]),
                at=now,
                details={"why": why.value} | figures,
            ),
        )
    return True


def _told(name: str, figures: Mapping[str, Any], *, limit_passed: bool) -> str:
    rest = (
        "Automatic sending has stopped, and everything waits for a person. It goes on after a new "
        "calibration, which needs newer decisions; look at the page Confidence."
    )
    if limit_passed:
        return (
            f"{name}: of {figures['drawn']} automatic messages that were drawn for a look, "
            f"{figures['wrong']} would not have been sent unchanged, more than the limit allows. "
            f"{rest}"
        )
    return f"{name}: people now decide otherwise than confidence says. {rest}"
