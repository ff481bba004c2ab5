"""What a person settles about a fan: that they were told about AI, what AI does, and care.

Each runs in the caller's transaction, with its audit entry.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, conversations, fans
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.people import Caller, Role


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
    tending: Tending, conversation_id: UUID, care: Care | None, reason: str | None
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
    await tending.record(
        AuditAction.CARE_CHANGED, "conversation", conversation_id, care=value, reason=reason
    )
