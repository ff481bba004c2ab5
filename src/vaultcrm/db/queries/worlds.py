"""What a simulation looks up to see whether everything came out as it must. Each of one creator."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, send

CONVERSATIONS = """
    SELECT external_ref, id FROM conversations
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s
"""

OUTBOX = """
    SELECT id, delivery_status, external_id, generation_id FROM outbox
    WHERE creator_id = %(creator_id)s
"""

GENERATIONS = """
    SELECT id, status FROM ai_message_generations WHERE creator_id = %(creator_id)s
"""

MESSAGES = """
    SELECT external_id, sender, author FROM messages WHERE creator_id = %(creator_id)s
"""

COUNTS = """
    SELECT (SELECT COALESCE(sum(lifetime_value_minor), 0)::bigint FROM fans
            WHERE creator_id = %(creator_id)s),
           (SELECT count(*) FROM ai_message_feedback WHERE creator_id = %(creator_id)s),
           (SELECT count(*) FROM audit_log
            WHERE creator_id = %(creator_id)s AND action = 'generation.created'),
           (SELECT count(*) FROM audit_log
            WHERE creator_id = %(creator_id)s AND action = 'generation.decided'),
           (SELECT count(*) FROM audit_log
            WHERE creator_id = %(creator_id)s AND action = 'message.sent'),
           (SELECT COALESCE(sum(cost_micro_usd), 0)::bigint FROM usage
            WHERE creator_id = %(creator_id)s AND purpose = 'draft'),
           (SELECT COALESCE(sum(waiting + approved + modified + rejected + automatic + blocked
                               + expired), 0)::bigint
            FROM rollup_drafts
            WHERE creator_id = %(creator_id)s AND span = 1)
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One row of the outbox."""

    id: UUID
    status: str
    external_id: str | None
    generation_id: UUID | None


@dataclass(frozen=True, slots=True)
class Kept:
    """One message. `external_id` is the platform's."""

    external_id: str
    sender: str
    author: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Sums over a creator's rows; money in minor units, cost in millionths of a dollar.

    `generated`, `decided` and `sent` are entries of the audit log; `rolled_up` are the drafts that
    the roll-ups of hours count.
    """

    lifetime_value: int
    feedback: int
    generated: int
    decided: int
    sent: int
    cost_micro_usd: int
    rolled_up: int


def _by_first(rows: Rows) -> dict[Any, Any]:
    return {row[0]: row[1] for row in rows}


async def conversations(connection: Connection, creator_id: UUID, channel: str) -> dict[str, UUID]:
    """Conversations by the platform's name for them."""
    params = {"creator_id": creator_id, "channel": channel}
    sent = await send(connection, CONVERSATIONS, params, _by_first)
    return await sent.answer()


async def outbox(connection: Connection, creator_id: UUID) -> tuple[Sent, ...]:
    def read(rows: Rows) -> tuple[Sent, ...]:
        return tuple(Sent(*row) for row in rows)

    sent = await send(connection, OUTBOX, {"creator_id": creator_id}, read)
    return await sent.answer()


async def generations(connection: Connection, creator_id: UUID) -> dict[UUID, str]:
    """The status of every draft."""
    sent = await send(connection, GENERATIONS, {"creator_id": creator_id}, _by_first)
    return await sent.answer()


async def messages(connection: Connection, creator_id: UUID) -> tuple[Kept, ...]:
    def read(rows: Rows) -> tuple[Kept, ...]:
        return tuple(Kept(*row) for row in rows)

    sent = await send(connection, MESSAGES, {"creator_id": creator_id}, read)
    return await sent.answer()


async def counts(connection: Connection, creator_id: UUID) -> Counted:
    sent = await send(
        connection, COUNTS, {"creator_id": creator_id}, lambda rows: Counted(*rows[0])
    )
    return await sent.answer()
