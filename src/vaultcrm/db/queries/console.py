"""What the console's pages show and no workflow needs: cards, counts, names beside ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries import queue
from vaultcrm.domain.conversation import Author, Care, Message, Sender
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Creator, Tier

MOST_COUNTED = 100
"""Counting stops here: the page says 99+ and stays quick."""


@dataclass(frozen=True, slots=True)
class QueueCard:
    """One waiting draft in the list. `holder` names whoever reviews it just now."""

    id: UUID
    creator_id: UUID
    conversation_id: UUID
    fan_name: str
    tier: Tier
    care: Care | None
    waiting_since: datetime | None
    created_at: datetime
    generation_type: GenerationType
    text: str
    price: Money | None
    finding_count: int
    confidence: int
    stale: bool
    held_by: UUID | None
    holder: str | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many drafts wait: all, worth much, calling for care, held by the one who asks; each is
    counted up to `MOST_COUNTED`.
    """

    everything: int = 0
    high_value: int = 0
    care: int = 0
    mine: int = 0


@dataclass(frozen=True, slots=True)
class ThreadMessage:
    """A message and, where a person wrote or approved it, their name."""

    message: Message
    user_name: str | None


# Only the branches are long: what stands beside a draft is looked up for the cards alone.
_CARDS = """
    SELECT g.id, g.creator_id, g.conversation_id, f.display_name, f.tier, c.care, c.waiting_since,
           g.created_at, g.generation_type, left(COALESCE(g.generated_message, ''), 200),
           g.suggested_price_minor, g.currency, jsonb_array_length(g.safety -> 'findings'),
           g.confidence_score, g.stale_at IS NOT NULL, u.id, u.name
    FROM ({urgent} OFFSET {offset}) g
    JOIN fans f ON f.creator_id = g.creator_id AND f.id = g.fan_id
    JOIN conversations c ON c.creator_id = g.creator_id AND c.id = g.conversation_id
    LEFT JOIN users u ON u.id = g.claimed_by AND g.claimed_until > %(now)s
    ORDER BY g.priority DESC, g.created_at, g.id
"""


class CardList(StrEnum):
    """Which of the waiting drafts are listed."""

    ALL = "all"
    HIGH_VALUE = "high_value"
    CARE = "care"
    MINE = "mine"


_WANTED = {
    CardList.ALL: "",
    CardList.HIGH_VALUE: f" AND {queue.HIGH_VALUE}",
    CardList.CARE: f" AND {queue.CARE}",
    CardList.MINE: f" AND {queue.MINE}",
}


def _count(cards: CardList) -> str:
    return f"""
        (SELECT count(*) FROM (
           SELECT 1 FROM ai_message_generations g
           WHERE g.creator_id = ANY(%(creator_ids)s) AND g.status = 'queued'{_WANTED[cards]}
           LIMIT %(most)s) {cards.value}_waiting)"""


QUEUE_COUNTS = f"SELECT {', '.join(_count(cards) for cards in CardList)}"


@lru_cache(maxsize=64)
def _cards(creators: int, cards: CardList, limit: int, offset: int) -> str:
    """The statement for so many creators. The numbers stand in it, because not knowing how few
    rows come, PostgreSQL would read all fans to have them at hand.
    """
    # The branches' own limit takes in what the offset leaves out.
    urgent = queue.branches(creators, "g.*", _WANTED[cards], str(limit + offset))
    return _CARDS.format(urgent=urgent, offset=offset)


def _read_cards(rows: Rows) -> tuple[QueueCard, ...]:
    return tuple(
        QueueCard(
            id=row[0],
            creator_id=row[1],
            conversation_id=row[2],
            fan_name=row[3],
            tier=Tier(row[4]),
            care=None if row[5] is None else Care(row[5]),
            waiting_since=row[6],
            created_at=row[7],
            generation_type=GenerationType(row[8]),
            text=row[9],
            price=None if row[10] is None else Money(row[10], row[11]),
            finding_count=row[12],
            confidence=row[13],
            stale=row[14],
            held_by=row[15],
            holder=row[16],
        )
        for row in rows
    )


async def queue_cards(
    connection: Connection,
    creator_ids: Sequence[UUID],
    user_id: UUID,
    *,
    cards: CardList,
    now: datetime,
    limit: int,
    offset: int,
) -> tuple[QueueCard, ...]:
    """Waiting drafts, the most urgent first; those of `CardList.MINE` are held by `user_id`."""
    if not creator_ids:
        return ()
    statement, params = cards_statement(
        creator_ids, user_id, cards=cards, now=now, limit=limit, offset=offset
    )
    return await (await send(connection, statement, params, _read_cards)).answer()


def cards_statement(
    creator_ids: Sequence[UUID],
    user_id: UUID,
    *,
    cards: CardList,
    now: datetime,
    limit: int,
    offset: int,
) -> tuple[str, dict[str, Any]]:
    """The statement of a list of cards, and its parameters."""
    params = {
        **queue.creator_params(creator_ids),
        "user_id": user_id,
        "now": now,
    }
    return _cards(len(creator_ids), cards, limit, offset), params


async def queue_counts(
    connection: Connection, creator_ids: Sequence[UUID], user_id: UUID, now: datetime
) -> Pending[QueueCounts]:
    """How many drafts of some creators wait, each counted up to `MOST_COUNTED`."""
    params = {
        "creator_ids": list(creator_ids),
        "user_id": user_id,
        "now": now,
        "most": MOST_COUNTED,
    }
    return await send(connection, QUEUE_COUNTS, params, lambda rows: QueueCounts(*rows[0]))


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
        SELECT generation_id, reason FROM ai_message_feedback
        WHERE creator_id = %(creator_id)s AND generation_id = ANY(%(generation_ids)s)
          AND reason <> ''
    """
    params = {"creator_id": creator_id, "generation_ids": list(generation_ids)}
    return await send(connection, statement, params, _read_pairs)
