"""Take a chatter's own message back while it still waits to leave."""

from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.queries import audit, inbox, outbox
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.errors import Conflict, Forbidden, NotFound
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.disclose import take_back_before
from vaultcrm.workflows.parts import Parts


async def take_back_message(
    parts: Parts, caller: Caller, creator_id: UUID, item_id: UUID
) -> OutboxItem:
    """The message that will not leave, so that its text can be written on. Drafts that expired when
    it was written stay so.

    Raises NotFound, Forbidden for a chatter and somebody else's message, or Conflict when it has
    left, is leaving, or was a draft (`undo_decision` takes those back).
    """
    require_creator(caller, creator_id)
    async with parts.transaction() as connection:
        item = await (await outbox.get(connection, creator_id, item_id)).answer()
        if item is None:
            raise NotFound("message")
        if item.author_user_id != caller.user_id and caller.role is Role.CHATTER:
            raise Forbidden("Another chatter wrote this. A manager can take it back.")
        if item.author is Author.DISCLOSURE:
            raise Conflict(
                "A disclosure is taken back with the message that it goes before, or not at all.",
                status=item.status.value,
            )
        if not await inbox.take_back(connection, creator_id, item_id):
            raise Conflict(
                "It is too late: the message has left or is leaving.", status=item.status.value
            )
        await take_back_before(connection, item)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.TAKEN_BACK,
                subject_type="outbox",
                subject_id=str(item_id),
                at=parts.now(),
            ),
        )
    return item
