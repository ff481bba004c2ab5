"""The list of waiting drafts as the console shows it, and how many there are of each kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries import queue
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier

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
    snoozed_until: datetime | None
    held_by: UUID | None
    holder: str | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How many drafts wait: all, worth much, calling for care, held by the one who asks, put off;
    each is counted up to `MOST_COUNTED`.
    """

    everything: int = 0
    high_value: int = 0
    care: int = 0
    mine: int = 0
    snoozed: int = 0


# Only the branches are long: what stands beside a draft is looked up for the cards alone.
_CARDS = """
    SELECT g.id, g.creator_id, g.conversation_id, f.display_name, f.tier, c.care, c.waiting_since,
           g.created_at, g.generation_type, left(COALESCE(g.generated_message, ''), 200),
           g.suggested_price_minor, g.currency, jsonb_array_length(g.safety -> 'findings'),
           g.confidence_score, g.stale_at IS NOT NULL, g.snoozed_until, u.id, u.name
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
    SNOOZED = "snoozed"


_WANTED = {
    CardList.ALL: f" AND {queue.AWAKE}",
    CardList.HIGH_VALUE: f" AND {queue.AWAKE} AND {queue.HIGH_VALUE}",
    CardList.CARE: f" AND {queue.AWAKE} AND {queue.CARE}",
    CardList.MINE: f" AND {queue.MINE}",
    CardList.SNOOZED: f" AND {queue.SNOOZED}",
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
            snoozed_until=row[15],
            held_by=row[16],
            holder=row[17],
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
