"""One draft by its id alone, and what to tell somebody who came too late for it."""

from itertools import takewhile
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, console, generations
from vaultcrm.domain.conversation import Message
from vaultcrm.domain.errors import Conflict, NotFound, ThreadMovedOn
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.parts import Parts

MOST_NEW_MESSAGES = 20


async def visible_creators(connection: Connection, caller: Caller) -> list[UUID]:
    """The creators that a caller may act for."""
    if caller.all_creators:
        return await access.all_creator_ids(connection)
    return list(caller.creator_ids)


async def find_generation(
    connection: Connection, caller: Caller, generation_id: UUID
) -> GenerationRecord:
    """One generation with the state of its delivery; raises NotFound."""
    return seen_by(caller, await (await generations.find(connection, generation_id)).answer())


def seen_by(caller: Caller, record: GenerationRecord | None) -> GenerationRecord:
    """What was found, if the caller may see it; raises NotFound."""
    if record is None or not caller.may_see(record.creator_id):
        raise NotFound("generation")
    return record


async def too_late(parts: Parts, seen: GenerationRecord) -> Conflict:
    """Why something did not go through with a draft, with the state as it is now."""
    async with parts.pool.connection() as connection:
        record = await (await generations.get(connection, seen.creator_id, seen.id)).answer()
        record = record or seen
        someone = await access.name_of(connection, record.approved_by or record.claimed_by)
        if record.status is GenerationStatus.QUEUED and record.stale_at is not None:
            return await _moved_on(connection, record)
    if record.status is not GenerationStatus.QUEUED:
        return Conflict(
            f"This draft is {record.status.value} already"
            + (f": {someone} decided it." if record.approved_by else "."),
            status=record.status.value,
            decided_by=someone if record.approved_by else None,
            decided_at=record.approved_at,
        )
    return Conflict(
        f"This draft is being reviewed by {someone or 'somebody else'}.",
        status="claimed",
        decided_by=someone,
        decided_at=record.claimed_until,
    )


async def _moved_on(connection: Connection, record: GenerationRecord) -> ThreadMovedOn:
    newer = await said_since(
        connection, record.creator_id, record.conversation_id, record.last_message_id
    )
    return ThreadMovedOn(
        "The conversation has gone on since this was drafted. Read the new messages, then draft "
        "anew or send it all the same with sendAnyway.",
        newer,
    )


async def said_since(
    connection: Connection, creator_id: UUID, conversation_id: UUID, seen: UUID | None
) -> tuple[Message, ...]:
    """What was said after the message that was seen, the oldest first; at most the newest 20."""
    sent = await console.thread(
        connection, creator_id, conversation_id, before=None, limit=MOST_NEW_MESSAGES
    )
    newest_first = [shown.message for shown in await sent.answer()]
    newer = takewhile(lambda message: message.id != seen, newest_first)
    return tuple(reversed(tuple(newer)))
