"""What leaves: written with the decision, marked before the call, closed with the receipt."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem, Recipient
from vaultcrm.domain.people import Creator

INSERT = """
    INSERT INTO outbox
        (creator_id, id, conversation_id, generation_id, author, author_user_id, text, price_minor,
         currency, media_ids, bound_hash, seen_message_id, template_id, after_id, delivery_status,
         attempts, not_before, created_at, updated_at)
    VALUES (%(creator_id)s, %(id)s, %(conversation_id)s, %(generation_id)s, %(author)s,
            %(author_user_id)s, %(text)s, %(price_minor)s, %(currency)s, %(media_ids)s,
            %(bound_hash)s, %(seen_message_id)s, %(template_id)s, %(after_id)s, 'pending', 0,
            %(not_before)s, %(now)s, %(now)s)
"""

_ITEM = """
    o.id, o.creator_id, o.conversation_id, o.generation_id, o.author, o.author_user_id, o.text,
    o.price_minor, o.currency, o.media_ids, o.bound_hash, o.seen_message_id, o.not_before,
    o.delivery_status, o.attempts, o.external_id, o.template_id, o.after_id
"""

# `sending` is on disk before the platform is called: after a crash nobody can mistake a message
# that may have left for one that has not.
MARK_SENDING = f"""
    UPDATE outbox o
    SET delivery_status = 'sending', attempts = o.attempts + 1, updated_at = %(now)s
    WHERE o.creator_id = %(creator_id)s AND o.id = %(id)s AND o.delivery_status = 'pending'
      AND o.not_before <= %(now)s
    RETURNING {_ITEM}
"""

GET = f"SELECT {_ITEM} FROM outbox o WHERE o.creator_id = %(creator_id)s AND o.id = %(id)s"

# Only a message that is still being sent can be closed, so a late receipt changes nothing. One that
# stays `sending` is about to be asked for again, which is its next attempt.
CLOSE = """
    UPDATE outbox
    SET delivery_status = %(status)s, external_id = %(external_id)s, error = %(error)s,
        attempts = attempts + CASE WHEN %(status)s = 'sending' THEN 1 ELSE 0 END,
        not_before = COALESCE(%(not_before)s, not_before), updated_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND delivery_status = 'sending'
    RETURNING id
"""

_RECIPIENT = """
    c.channel, c.external_ref, f.id, f.handle,
    (SELECT m.id FROM messages m
      WHERE m.creator_id = c.creator_id AND m.conversation_id = c.id AND m.sender = 'fan'
      ORDER BY m.sent_at DESC, m.id DESC LIMIT 1),
    c.care, c.mode, a.send_delay_seconds, a.paused_at IS NOT NULL, f.disclosed_at,
    c.disclosure_asked_at
"""
_RECIPIENT_COLUMNS = 11
_CONVERSATION = """
    FROM conversations c
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    JOIN creators cr ON cr.id = c.creator_id
    LEFT JOIN channel_accounts a ON a.creator_id = c.creator_id AND a.channel = c.channel
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s AND c.erased_at IS NULL
"""
RECIPIENT = f"SELECT {_RECIPIENT} {_CONVERSATION}"
DEPARTURE = f"""
    SELECT {_RECIPIENT}, cr.id, cr.handle, cr.display_name, cr.language, cr.region,
           cr.rules_revision,
           (SELECT p.forbidden_words FROM ai_creator_personalities p
             WHERE p.creator_id = c.creator_id ORDER BY p.version DESC LIMIT 1),
           EXISTS (SELECT 1 FROM event_endpoints e
                    WHERE e.creator_id IN (%(creator_id)s, %(nil)s) AND e.disabled_at IS NULL
                      AND 'generation.decided' = ANY(e.kinds))
    {_CONVERSATION}
"""


# Undone while it waits: the row goes, and its job finds nothing. MARK_SENDING and this are each one
# conditional statement on the row, so a message is either sent or taken back.
TAKE_BACK = f"""
    DELETE FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.generation_id = %(generation_id)s
      AND o.delivery_status = 'pending' AND o.attempts = 0
    RETURNING {_ITEM}
"""

OVERDUE = f"""
    SELECT {_ITEM} FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.delivery_status IN ('pending', 'sending')
      AND o.not_before < %(before)s AND o.updated_at < %(before)s
    ORDER BY o.created_at
    LIMIT %(limit)s
"""

# What a person makes of a message whose fate is not known, or that could not be sent.
# The hour in which it was to leave may be over, and is rolled up anew.
RESOLVE = f"""
    WITH o AS (
        UPDATE outbox o
        SET delivery_status = %(status)s, error = %(error)s,
            attempts = CASE WHEN %(status)s = 'pending' THEN 0 ELSE o.attempts END,
            seen_message_id = COALESCE(%(seen_message_id)s, o.seen_message_id),
            not_before = %(now)s, updated_at = %(now)s
        WHERE o.creator_id = %(creator_id)s AND o.id = %(id)s AND o.delivery_status = ANY(%(from)s)
        RETURNING o.*
    ), marked AS (
        INSERT INTO rollup_marks (creator_id, id, at)
        SELECT o.creator_id, %(mark_id)s, o.created_at FROM o
    )
    SELECT {_ITEM} FROM o
"""

PAGE = """
    SELECT o.id, o.creator_id, o.conversation_id, o.generation_id, o.author, u.name, o.text,
           o.price_minor, o.currency, o.delivery_status, o.attempts, o.not_before, o.external_id,
           o.error, o.created_at, o.updated_at
    FROM outbox o
    LEFT JOIN users u ON u.id = o.author_user_id
    WHERE o.creator_id = ANY(%(creator_ids)s) AND o.delivery_status = ANY(%(statuses)s)
      AND o.bound_hash <> ''
      AND (%(before)s::timestamptz IS NULL OR (o.updated_at, o.id) < (%(before)s, %(before_id)s))
    ORDER BY o.updated_at DESC, o.id DESC
    LIMIT %(limit)s
"""


def _read_item(rows: Rows) -> OutboxItem | None:
    return _item(rows[0]) if rows else None


def _item(row: tuple[Any, ...]) -> OutboxItem:
    return OutboxItem(
        id=row[0],
        creator_id=row[1],
        conversation_id=row[2],
        generation_id=row[3],
        author=Author(row[4]),
        author_user_id=row[5],
        text=row[6],
        price=None if row[7] is None else Money(row[7], row[8]),
        media_ids=tuple(row[9] or ()),
        bound_hash=bytes(row[10]),
        seen_message_id=row[11],
        not_before=row[12],
        status=DeliveryStatus(row[13]),
        attempts=row[14],
        external_id=row[15],
        template_id=row[16],
        after_id=row[17],
    )


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a conversation's messages go, and what they are checked against on their way.

    `decisions_are_heard`: somebody wants to be told of decisions on this creator's drafts.
    """

    recipient: Recipient
    creator: Creator
    forbidden_words: tuple[str, ...]
    decisions_are_heard: bool


def _read_departure(rows: Rows) -> Departure | None:
    if not rows:
        return None
    *creator, forbidden_words, heard = rows[0][_RECIPIENT_COLUMNS:]
    return Departure(
        _recipient(rows[0][:_RECIPIENT_COLUMNS]),
        Creator(*creator),
        tuple(forbidden_words or ()),
        heard,
    )


def _read_recipient(rows: Rows) -> Recipient | None:
    return _recipient(rows[0]) if rows else None


def _recipient(row: tuple[Any, ...]) -> Recipient:
    channel, conversation_ref, fan_id, fan_handle, newest, care, mode, delay, paused, *told = row
    return Recipient(
        channel,
        conversation_ref,
        fan_id,
        fan_handle,
        newest,
        care=None if care is None else Care(care),
        mode=Mode(mode),
        send_delay_seconds=delay,
        paused=paused,
        told_at=told[0],
        asked_at=told[1],
    )


def _read_changed(rows: Rows) -> bool:
    return bool(rows)


async def insert(connection: Connection, item: OutboxItem, now: datetime) -> None:
    """Put a message in the outbox, in the transaction that decides on it."""
    params: dict[str, Any] = {
        "creator_id": item.creator_id,
        "id": item.id,
        "conversation_id": item.conversation_id,
        "generation_id": item.generation_id,
        "author": item.author.value,
        "author_user_id": item.author_user_id,
        "text": item.text,
        "price_minor": None if item.price is None else item.price.minor,
        "currency": None if item.price is None else item.price.currency,
        "media_ids": list(item.media_ids) or None,
        "bound_hash": item.bound_hash,
        "seen_message_id": item.seen_message_id,
        "template_id": item.template_id,
        "after_id": item.after_id,
        "not_before": item.not_before,
        "now": now,
    }
    await run(connection, INSERT, params)


async def mark_sending(
    connection: Connection, creator_id: UUID, item_id: UUID, now: datetime
) -> Pending[OutboxItem | None]:
    """Take a waiting message for sending; None when it is not waiting or its time has not come."""
    params = {"creator_id": creator_id, "id": item_id, "now": now}
    return await send(connection, MARK_SENDING, params, _read_item)


async def get(
    connection: Connection, creator_id: UUID, item_id: UUID
) -> Pending[OutboxItem | None]:
    return await send(connection, GET, {"creator_id": creator_id, "id": item_id}, _read_item)


async def recipient_of(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> Pending[Recipient | None]:
    """Where a conversation's messages go, and the fan's newest message."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    return await send(connection, RECIPIENT, params, _read_recipient)


async def departure(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> Pending[Departure | None]:
    """Everything that a decision on a conversation's draft has to know, in one statement."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "nil": NIL}
    return await send(connection, DEPARTURE, params, _read_departure)


async def close(
    connection: Connection,
    item: OutboxItem,
    status: DeliveryStatus,
    *,
    now: datetime,
    external_id: str | None = None,
    error: str | None = None,
    not_before: datetime | None = None,
) -> Pending[bool]:
    """Leave `sending` for another status; the answer is False when somebody has closed it."""
    params = {
        "creator_id": item.creator_id,
        "id": item.id,
        "status": status.value,
        "external_id": external_id,
        "error": error,
        "not_before": not_before,
        "now": now,
    }
    return await send(connection, CLOSE, params, _read_changed)


async def take_back(
    connection: Connection, creator_id: UUID, generation_id: UUID
) -> OutboxItem | None:
    """Take a message out that nobody has tried to send; None when it is too late."""
    params = {"creator_id": creator_id, "generation_id": generation_id}
    return await (await send(connection, TAKE_BACK, params, _read_item)).answer()


async def overdue(
    connection: Connection, creator_id: UUID, before: datetime, limit: int
) -> tuple[OutboxItem, ...]:
    """Messages that should have been tried before `before`, in the order of their decisions."""
    params = {"creator_id": creator_id, "before": before, "limit": limit}
    sent = await send(connection, OVERDUE, params, lambda rows: tuple(_item(row) for row in rows))
    return await sent.answer()


async def resolve(
    connection: Connection,
    creator_id: UUID,
    item_id: UUID,
    *,
    from_statuses: tuple[DeliveryStatus, ...],
    status: DeliveryStatus,
    seen_message_id: UUID | None,
    error: str | None,
    now: datetime,
) -> OutboxItem | None:
    """Leave `uncertain` or `failed` by a person's word; None when it is in neither of these."""
    params = {
        "creator_id": creator_id,
        "id": item_id,
        "from": [one.value for one in from_statuses],
        "status": status.value,
        "seen_message_id": seen_message_id,
        "error": error,
        "mark_id": new_id(),
        "now": now,
    }
    return await (await send(connection, RESOLVE, params, _read_item)).answer()


async def any_uncertain(connection: Connection, creator_id: UUID) -> bool:
    """Whether a message of this creator waits for somebody to say what became of it."""
    statement = """
        SELECT 1 FROM outbox
        WHERE creator_id = %(creator_id)s AND delivery_status = 'uncertain'
        LIMIT 1
    """
    return await (await send(connection, statement, {"creator_id": creator_id}, bool)).answer()


async def is_underway(
    connection: Connection, creator_id: UUID, conversation_id: UUID, text: str
) -> bool:
    """Whether a message with this text is leaving or may have left, with no receipt so far."""
    statement = """
        SELECT 1 FROM outbox
        WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
          AND delivery_status IN ('sending', 'uncertain') AND text = %(text)s
        LIMIT 1
    """
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "text": text}
    return await (await send(connection, statement, params, bool)).answer()


_page = records(
    "id", "creator_id", "conversation_id", "generation_id", "author", "author_name", "text",
    "price_minor", "currency", "status", "attempts", "not_before", "external_id", "error",
    "created_at", "updated_at",
)  # fmt: skip


async def page(
    connection: Connection,
    creator_ids: list[UUID],
    statuses: list[DeliveryStatus],
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Record]:
    """Messages in some states, the latest change first."""
    params = {
        "creator_ids": creator_ids,
        "statuses": [status.value for status in statuses],
        "before": None if before is None else before[0],
        "before_id": None if before is None else before[1],
        "limit": limit,
    }
    return await (await send(connection, PAGE, params, _page)).answer()


@dataclass(frozen=True, slots=True)
class StillHere:
    """An approved message that has not left: whose draft, to whom, until when it can be undone."""

    generation_id: UUID
    fan_name: str
    leaves_at: datetime


STILL_HERE = """
    SELECT o.generation_id, f.display_name, o.not_before
    FROM outbox o
    JOIN conversations c ON c.creator_id = o.creator_id AND c.id = o.conversation_id
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE o.creator_id = ANY(%(creator_ids)s) AND o.delivery_status = 'pending'
      AND o.not_before > %(now)s AND o.author_user_id = %(user_id)s
      AND o.generation_id IS NOT NULL
    ORDER BY o.not_before DESC
    LIMIT %(limit)s
"""


async def still_here(
    connection: Connection, creator_ids: list[UUID], user_id: UUID, now: datetime, limit: int
) -> Pending[tuple[StillHere, ...]]:
    """What this person has approved and could take back now, the latest first."""
    params = {"creator_ids": creator_ids, "user_id": user_id, "now": now, "limit": limit}
    return await send(
        connection, STILL_HERE, params, lambda rows: tuple(StillHere(*row) for row in rows)
    )
