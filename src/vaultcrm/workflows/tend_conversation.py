"""What a person settles about a fan: that they were told about AI, what AI does, care, and notes.

Each but `mark_read` runs in the caller's transaction, with its audit entry.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, conversations, disclosures, fans, inbox
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.care_state import care_begins, care_ends
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Tending:
    """Who settles something for which creator, when, and in which transaction."""

    connection: Connection
    caller: Caller
    creator_id: UUID
    now: datetime

    async def record(
        self, action: AuditAction, subject_type: str, subject_id: UUID, **details: str | None
    ) -> None:
        await audit.record(
            self.connection,
            AuditEntry(
                creator_id=self.creator_id,
                actor_id=self.caller.user_id,
                action=action,
                subject_type=subject_type,
                subject_id=str(subject_id),
                at=self.now,
                details=details,
            ),
        )


async def note_disclosure(tending: Tending, fan_id: UUID, shown_at: datetime) -> None:
    """Note that a fan was told that AI helps to write; raises NotFound."""
    require_creator(tending.caller, tending.creator_id)
    sent = await fans.disclose(tending.connection, tending.creator_id, fan_id, shown_at)
    if not await sent.answer():
        raise NotFound("fan")
    await disclosures.note_answered(tending.connection, tending.creator_id, fan_id, shown_at)
    await tending.record(AuditAction.DISCLOSED, "fan", fan_id)


async def change_mode(tending: Tending, conversation_id: UUID, mode: Mode) -> None:
    """Change what AI does in a conversation by itself; raises NotFound."""
    require_creator(tending.caller, tending.creator_id)
    sent = await conversations.set_mode(
        tending.connection, tending.creator_id, conversation_id, mode.value
    )
    if not await sent.answer():
        raise NotFound("conversation")
    await tending.record(AuditAction.MODE_CHANGED, "conversation", conversation_id, mode=mode.value)


async def change_care(
    parts: Parts,
    tending: Tending,
    conversation_id: UUID,
    care: Care | None,
    reason: str | None,
) -> None:
    """Stop selling and automation in a conversation, or, with None, let them go on.

    Raises NotFound, or Forbidden when a chatter wants to let them go on.
    """
    require_creator(tending.caller, tending.creator_id)
    if care is None:
        require_role(tending.caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    value = None if care is None else care.value
    sent = await conversations.set_care(
        tending.connection, tending.creator_id, conversation_id, value, tending.now
    )
    if not await sent.answer():
        raise NotFound("conversation")
    if care is None:
        await care_ends(parts, tending.connection, tending.creator_id, conversation_id, tending.now)
    else:
        await care_begins(
            parts, tending.connection, tending.creator_id, conversation_id, care, tending.now
        )
    await tending.record(
        AuditAction.CARE_CHANGED, "conversation", conversation_id, care=value, reason=reason
    )


async def change_notes(tending: Tending, fan_id: UUID, notes: str, *, before: str) -> None:
    """Change the team's notes on a fan. `before` is the MD5 (in hex) of the notes that were edited.

    Raises Conflict when they are others by now.
    """
    require_creator(tending.caller, tending.creator_id)
    changed = await inbox.set_notes(
        tending.connection, tending.creator_id, fan_id, notes=notes, before=before
    )
    if not changed:
        raise Conflict("Somebody else has changed these notes in the meantime.")
    await tending.record(AuditAction.NOTES_CHANGED, "fan", fan_id)


async def mark_read(
    parts: Parts, caller: Caller, creator_id: UUID, conversation_id: UUID, revision: int
) -> None:
    """Nothing is unread up to what somebody has seen, which `revision` of the conversation says.

    Reading decides nothing, and so leaves no audit entry.
    """
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        await inbox.mark_read(connection, creator_id, conversation_id, revision)
