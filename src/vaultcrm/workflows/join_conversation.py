"""A message that has left joins its conversation."""

from datetime import datetime

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import threads
from vaultcrm.domain.conversation import Author, Sender
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.workflows.disclose import note_told


async def join_conversation(
    connection: Connection, item: OutboxItem, external_id: str, sent_at: datetime, now: datetime
) -> None:
    """Keep what was sent as a message of the creator's, under the platform's id of it. A disclosure
    is noted as told; anything else is an answer to the fan.

    Fan and conversation are locked before the message is there, as they are where a platform tells
    of it: both may happen at once.
    """
    if item.author is Author.DISCLOSURE:
        await note_told(connection, item, sent_at, now)
    else:
        await threads.note_creator_message(
            connection, item.creator_id, item.conversation_id, sent_at
        )
    await threads.add_message(
        connection,
        creator_id=item.creator_id,
        conversation_id=item.conversation_id,
        sender=Sender.CREATOR,
        author=item.author,
        author_user_id=item.author_user_id,
        generation_id=item.generation_id,
        template_id=item.template_id,
        external_id=external_id,
        text=item.text,
        price=item.price,
        sent_at=sent_at,
        ours=True,
    )
