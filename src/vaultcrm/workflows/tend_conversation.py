"""What a person settles in a conversation: that the fan was told about AI, and what AI does."""

from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.queries import audit, directory
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.parts import Parts


async def note_disclosure(
    parts: Parts, caller: Caller, creator_id: UUID, fan_id: UUID, shown_at: datetime
) -> None:
    """Note that a fan was told that AI helps to write; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.transaction() as connection:
        sent = await directory.disclose(connection, creator_id, fan_id, shown_at)
        if not await sent.answer():
            raise NotFound("fan")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.DISCLOSED,
                subject_type="fan",
                subject_id=str(fan_id),
                at=parts.now(),
            ),
        )


async def change_mode(
    parts: Parts, caller: Caller, creator_id: UUID, conversation_id: UUID, mode: Mode
) -> None:
    """Change what AI does in a conversation by itself; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.transaction() as connection:
        sent = await directory.set_mode(connection, creator_id, conversation_id, mode.value)
        if not await sent.answer():
            raise NotFound("conversation")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.MODE_CHANGED,
                subject_type="conversation",
                subject_id=str(conversation_id),
                at=parts.now(),
                details={"mode": mode.value},
            ),
        )
