"""Write into the audit log that somebody was refused: once an hour for each person and reason."""

from uuid import UUID

from vaultcrm.db.queries import audit, refusals
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Forbidden, LimitExceeded
from vaultcrm.domain.ids import NIL
from vaultcrm.workflows.parts import Parts


def reason_of(error: Forbidden | LimitExceeded) -> str:
    """What refused: `role`, or the limit by its name."""
    return error.limit if isinstance(error, LimitExceeded) else "role"


async def note_refusal(
    parts: Parts,
    error: Forbidden | LimitExceeded,
    *,
    user_id: UUID | None,
    creator_id: UUID = NIL,
    asked_for: str,
) -> bool:
    """Write the refusal down, unless the like of it is there already; whether it was written.

    `user_id` None is automatic work for `creator_id`. `asked_for` says what was asked for, without
    anything that the caller has sent.
    """
    now, refused_by = parts.now(), reason_of(error)
    hour = now.replace(minute=0, second=0, microsecond=0)
    subject = f"{refused_by}:{creator_id if user_id is None else user_id}"
    async with parts.transaction() as connection:
        if not await refusals.is_first_of_hour(connection, subject, hour):
            return False
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=user_id,
                action=AuditAction.REFUSED,
                subject_type="creator" if user_id is None else "user",
                subject_id=str(creator_id if user_id is None else user_id),
                at=now,
                details={"refused_by": refused_by, "asked_for": asked_for},
            ),
        )
    return True
