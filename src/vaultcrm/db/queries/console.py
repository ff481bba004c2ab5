"""What the console's pages show and no workflow needs: threads, names beside ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.cards import MOST_COUNTED
from vaultcrm.domain.conversation import Author, Message, Sender
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Creator


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message and, where a person wrote or approved it, their name."""

    message: Message
    user_name: str | None


WAITING = """
    SELECT count(*) FROM (
        SELECT 1 FROM conversations
        WHERE creator_id = ANY(%(creator_ids)s) AND waiting_since IS NOT NULL
        LIMIT %(most)s) waiting
"""


async def waiting_conversations(
    connection: Connection, creator_ids: Sequence[UUID]
) -> Pending[int]:
    """In how many conversations a fan waits for an answer, counted up to `MOST_COUNTED`."""
    params = {"creator_ids": list(creator_ids), "most": MOST_COUNTED}
    return await send(connection, WAITING, params, lambda rows: int(rows[0][0]))


CREATORS = """
    SELECT id, handle, display_name, language, region
    FROM creators
    WHERE %(all)s OR id = ANY(%(creator_ids)s)
    ORDER BY display_name, id
"""

OVERRIDES = """
    SELECT creator_id, name, value FROM flag_overrides
    WHERE %(all)s OR creator_id = %(nil)s OR creator_id = ANY(%(creator_ids)s)
"""


def _read_overrides(rows: Rows) -> dict[UUID, dict[str, Any]]:
    found: dict[UUID, dict[str, Any]] = {}
    for creator_id, name, value in rows:
        found.setdefault(creator_id, {})[name] = value
    return found


async def creators(
    connection: Connection, creator_ids: Sequence[UUID] | None
) -> Pending[tuple[Creator, ...]]:
    """The given creators by name; None means all."""
    params = {"all": creator_ids is None, "creator_ids": list(creator_ids or ())}
    return await send(
        connection, CREATORS, params, lambda rows: tuple(Creator(*row) for row in rows)
    )


async def overrides(
    connection: Connection, creator_ids: Sequence[UUID] | None
) -> Pending[dict[UUID, dict[str, Any]]]:
    """Overrides of flags by creator, those of the installation under the nil id."""
    params = {"all": creator_ids is None, "creator_ids": list(creator_ids or ()), "nil": NIL}
    return await send(connection, OVERRIDES, params, _read_overrides)


THREAD = """
    SELECT m.id, m.sender, m.author, m.text, m.sent_at, m.price_minor, m.currency, m.purchased_at,
           u.name
    FROM messages m
    LEFT JOIN users u ON u.id = m.author_user_id
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
      AND (%(before)s::timestamptz IS NULL
           OR (m.sent_at, m.id) < (%(before)s, %(before_id)s::uuid))
    ORDER BY m.sent_at DESC, m.id DESC
    LIMIT %(limit)s
"""


def _read_thread(rows: Rows) -> tuple[ThreadMessage, ...]:
    return tuple(
        ThreadMessage(
            Message(
                id=row[0],
                sender=Sender(row[1]),
                author=Author(row[2]),
                text=row[3],
                sent_at=row[4],
                price=None if row[5] is None else Money(row[5], row[6]),
                purchased_at=row[7],
            ),
            user_name=row[8],
        )
        for row in rows
    )


async def thread(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Pending[tuple[ThreadMessage, ...]]:
    """Messages of one conversation, the newest first; `before` is the last one seen."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "before": None if before is None else before[0],
        "before_id": None if before is None else before[1],
        "limit": limit,
    }
    return await send(connection, THREAD, params, _read_thread)


def _read_pairs(rows: Rows) -> dict[UUID, str]:
    return {row[0]: row[1] for row in rows}


async def user_names(
    connection: Connection, user_ids: Sequence[UUID]
) -> Pending[Mapping[UUID, str]]:
    """The names of users, by id."""
    statement = "SELECT id, name FROM users WHERE id = ANY(%(user_ids)s)"
    return await send(connection, statement, {"user_ids": list(user_ids)}, _read_pairs)


async def reasons_given(
    connection: Connection, creator_id: UUID, generation_ids: Sequence[UUID]
) -> Pending[Mapping[UUID, str]]:
    """Why drafts were rejected, where somebody said it, by generation."""
    statement = """
        SELECT generation_id,
               CASE WHEN reason = 'other' AND modification_notes <> '' THEN modification_notes
                    ELSE reason END
        FROM ai_message_feedback
        WHERE creator_id = %(creator_id)s AND generation_id = ANY(%(generation_ids)s)
          AND reason <> ''
    """
    params = {"creator_id": creator_id, "generation_ids": list(generation_ids)}
    return await send(connection, statement, params, _read_pairs)
