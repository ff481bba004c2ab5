"""Where the demo's world lies in the database: ids behind its handles, and ids of past times."""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from vaultcrm.db.pending import Connection, send
from vaultcrm.domain.ids import least_id_at

_CONVERSATIONS = """
    SELECT cr.handle, f.handle, c.creator_id, c.id, c.fan_id, c.channel, c.external_ref
    FROM conversations c
    JOIN creators cr ON cr.id = c.creator_id
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
"""
_MESSAGES = "SELECT conversation_id, external_id, id FROM messages"


@dataclass(frozen=True, slots=True)
class Place:
    """One conversation. `messages` has the id of each message by that in the world."""

    creator_id: UUID
    conversation_id: UUID
    fan_id: UUID
    channel: str
    external_ref: str
    messages: dict[str, UUID]

    def message(self, name: str | None) -> UUID | None:
        return None if name is None else self.messages[name]


async def places_of(connection: Connection) -> dict[tuple[str, str], Place]:
    """Every conversation of the installation, by the handles of creator and fan."""
    by_conversation: dict[UUID, dict[str, UUID]] = {}
    for conversation_id, name, message_id in await (
        await send(connection, _MESSAGES, (), list)
    ).answer():
        by_conversation.setdefault(conversation_id, {})[name] = message_id
    rows = await (await send(connection, _CONVERSATIONS, (), list)).answer()
    return {
        (creator, fan): Place(
            creator_id, conversation_id, fan_id, channel, ref, by_conversation[conversation_id]
        )
        for creator, fan, creator_id, conversation_id, fan_id, channel, ref in rows
    }


def past_id(moment: datetime, random: Random) -> UUID:
    """A UUIDv7 as it would have been made at that moment (RFC 9562, 5.7)."""
    version, variant = 7 << 76, 2 << 62
    return UUID(
        int=least_id_at(moment).int
        | version
        | random.getrandbits(12) << 64
        | variant
        | random.getrandbits(62)
    )
