"""Examples for prompts: a creator's own messages that went unchanged and were answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, run, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.learning import EXAMPLE_BYTES

# Approved without a change, free, answered, in conversations that need no care.
CANDIDATES = """
    SELECT o.id, o.conversation_id, m.text, o.fan_id, f.display_name, o.time_to_reply, o.sent_at
    FROM message_outcomes o
    JOIN messages m ON m.creator_id = o.creator_id AND m.id = o.id
    JOIN fans f ON f.creator_id = o.creator_id AND f.id = o.fan_id
    JOIN conversations c ON c.creator_id = o.creator_id AND c.id = o.conversation_id
    JOIN ai_message_generations g ON g.creator_id = o.creator_id AND g.id = o.generation_id
    WHERE o.creator_id = %(creator_id)s AND o.sent_at >= %(start)s AND o.sent_at < %(end)s
      AND o.author = 'ai_approved' AND o.replied AND o.price_minor IS NULL
      AND g.generation_type = 'reply' AND g.final_message = g.generated_message
      AND m.text <> '' AND octet_length(m.text) <= %(longest)s
      AND f.erased_at IS NULL AND c.care IS NULL
    ORDER BY o.sent_at DESC, o.id
    LIMIT %(most)s
"""
FORGET = "DELETE FROM learned_examples WHERE creator_id = %(creator_id)s"
ADD = """
    INSERT INTO learned_examples
        (creator_id, id, place, conversation_id, message_id, text, chosen_at)
    SELECT %(creator_id)s, %(id)s, %(place)s, c.id, %(message_id)s, %(text)s, %(now)s
    FROM conversations c
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s AND c.erased_at IS NULL
"""
TEXTS = "SELECT text FROM learned_examples WHERE creator_id = %(creator_id)s ORDER BY place"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that could be an example. `time_to_reply` is in seconds."""

    message_id: UUID
    conversation_id: UUID
    text: str
    fan_id: UUID
    fan_name: str
    time_to_reply: int | None
    sent_at: datetime


async def candidates(
    connection: Connection, creator_id: UUID, start: datetime, end: datetime, most: int
) -> list[Candidate]:
    """The newest that could be."""
    params = {
        "creator_id": creator_id,
        "start": start,
        "end": end,
        "most": most,
        "longest": EXAMPLE_BYTES,
    }
    sent = await send(
        connection, CANDIDATES, params, lambda rows: [Candidate(*row) for row in rows]
    )
    return await sent.answer()


async def replace_all(
    connection: Connection, creator_id: UUID, chosen: Sequence[Candidate], now: datetime
) -> None:
    """Let these be a creator's examples from now on, the first one first."""
    await run(connection, FORGET, {"creator_id": creator_id})
    for place, one in enumerate(chosen):
        params = {
            "creator_id": creator_id,
            "id": new_id(),
            "place": place,
            "conversation_id": one.conversation_id,
            "message_id": one.message_id,
            "text": one.text,
            "now": now,
        }
        await run(connection, ADD, params)


async def texts(connection: Connection, creator_id: UUID) -> list[str]:
    sent = await send(
        connection, TEXTS, {"creator_id": creator_id}, lambda rows: [row[0] for row in rows]
    )
    return await sent.answer()
