"""Conversations brought in from a file: whatever is there already is found, and left as it is.

The rows of a fan and a conversation are locked in this order, as live messages lock them, so that
neither waits for the other in a circle. `NO KEY` lets new drafts and messages refer to the rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.conversation import Author, Mode, Sender
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Fan, Tier

ADD_FAN = """
    INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor, currency,
                      notes, disclosed_at, last_seen_at, created_at)
    VALUES (%(creator_id)s, %(id)s, %(handle)s, %(display_name)s, %(tier)s, %(value)s,
            %(currency)s, %(notes)s, %(disclosed_at)s, %(last_seen_at)s, %(now)s)
    ON CONFLICT (creator_id, handle) DO NOTHING
"""

LOCK_FAN = """
    SELECT id, creator_id, handle, display_name, tier, lifetime_value_minor, currency,
           disclosed_at, last_seen_at, notes
    FROM fans
    WHERE creator_id = %(creator_id)s AND handle = %(handle)s
    FOR NO KEY UPDATE
"""

SAVE_FAN = """
    UPDATE fans
    SET display_name = %(display_name)s, tier = %(tier)s, lifetime_value_minor = %(value)s,
        currency = %(currency)s, notes = %(notes)s, disclosed_at = %(disclosed_at)s,
        last_seen_at = %(last_seen_at)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""

ADD_CONVERSATION = """
    INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode, unread_count,
                               created_at)
    SELECT f.creator_id, %(id)s, f.id, %(channel)s, f.handle, %(mode)s, 0, %(now)s
    FROM fans f
    WHERE f.creator_id = %(creator_id)s AND f.handle = %(handle)s
    ON CONFLICT (creator_id, channel, external_ref) DO NOTHING
"""

LOCK_CONVERSATION = """
    SELECT id, fan_id, last_message_at
    FROM conversations
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s AND external_ref = %(handle)s
    FOR NO KEY UPDATE
"""

ADD_MESSAGES = """
    INSERT INTO messages (creator_id, id, conversation_id, sender, author, external_id, text,
                          price_minor, currency, purchased_at, sent_at)
    SELECT %(creator_id)s, u.id, %(conversation_id)s, u.sender, u.author, u.external_id, u.text,
           u.price_minor, u.currency, u.purchased_at, u.sent_at
    FROM unnest(%(ids)s::uuid[], %(senders)s::text[], %(authors)s::text[],
                %(external_ids)s::text[], %(texts)s::text[], %(prices)s::bigint[],
                %(currencies)s::text[], %(purchased)s::timestamptz[], %(sent)s::timestamptz[])
         AS u (id, sender, author, external_id, text, price_minor, currency, purchased_at, sent_at)
    ON CONFLICT (creator_id, conversation_id, external_id) DO NOTHING
    RETURNING sender, sent_at
"""

NOTE_PURCHASES = """
    UPDATE messages m SET purchased_at = u.purchased_at
    FROM unnest(%(external_ids)s::text[], %(purchased)s::timestamptz[])
         AS u (external_id, purchased_at)
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
      AND m.external_id = u.external_id AND m.price_minor IS NOT NULL AND m.purchased_at IS NULL
    RETURNING m.id
"""

# A fan waits since the first message that the creator has not answered.
REFRESH_CONVERSATION = """
    UPDATE conversations c
    SET last_message_at = t.last_message_at, last_fan_message_at = t.last_fan_message_at,
        waiting_since = t.waiting_since, unread_count = t.unread_count
    FROM (
        SELECT max(m.sent_at) AS last_message_at,
               max(m.sent_at) FILTER (WHERE m.sender = 'fan') AS last_fan_message_at,
               min(m.sent_at) FILTER (WHERE m.sender = 'fan' AND m.unanswered) AS waiting_since,
               count(*) FILTER (WHERE m.sender = 'fan' AND m.unanswered) AS unread_count
        FROM (
            SELECT sender, sent_at,
                   count(*) FILTER (WHERE sender = 'creator')
                       OVER (ORDER BY sent_at DESC, id DESC) = 0 AS unanswered
            FROM messages
            WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
        ) m
    ) t
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s
"""


class ImportedMessage(NamedTuple):
    """A message as a file tells it; `external_id` is the file's id for it."""

    external_id: str
    sender: Sender
    text: str
    sent_at: datetime
    price: Money | None
    purchased_at: datetime | None


class Found(NamedTuple):
    """A fan and a conversation, both locked. `fan_new` and `conversation_new`: made just now.

    `conversation_fan_id` is another fan's where the conversation's reference is taken by them.
    `last_message_at` is None for a conversation without messages.
    """

    fan: Fan
    fan_new: bool
    conversation_id: UUID
    conversation_fan_id: UUID
    conversation_new: bool
    last_message_at: datetime | None


class Added(NamedTuple):
    """What was not there before: how many messages, and the time of the newest one of the fan's."""

    messages: int
    newest_from_fan: datetime | None


async def find_or_open(
    connection: Connection, fan: Fan, *, channel: str, mode: Mode, now: datetime
) -> Found:
    """The fan of that creator and handle with their conversation on a channel, locked.

    What is missing is made, as `fan` and `mode` say. A conversation goes by the fan's handle.
    """
    conversation_id = new_id()
    key = {"creator_id": fan.creator_id, "handle": fan.handle, "channel": channel}
    async with connection.pipeline():
        await run(connection, ADD_FAN, _fan_params(fan) | {"now": now})
        fan_sent = await send(connection, LOCK_FAN, key, _read_fan)
        opening = key | {"id": conversation_id, "mode": mode.value, "now": now}
        await run(connection, ADD_CONVERSATION, opening)
        conversation_sent = await send(
            connection,
            LOCK_CONVERSATION,
            key,
            lambda rows: (rows[0][0], rows[0][1], rows[0][2]),
        )
    found_fan = await fan_sent.answer()
    found_id, found_fan_id, last_message_at = await conversation_sent.answer()
    return Found(
        fan=found_fan,
        fan_new=found_fan.id == fan.id,
        conversation_id=found_id,
        conversation_fan_id=found_fan_id,
        conversation_new=found_id == conversation_id,
        last_message_at=last_message_at,
    )


async def save_fan(connection: Connection, fan: Fan) -> None:
    await run(connection, SAVE_FAN, _fan_params(fan))


async def add_messages(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    messages: Sequence[ImportedMessage],
) -> Pending[Added]:
    """Store the messages that are not there yet. Their ids follow `sent_at`, then the file."""
    ordered = sorted(messages, key=lambda message: message.sent_at)
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "ids": sorted(new_id() for _ in ordered),
        "senders": [m.sender.value for m in ordered],
        "authors": [_AUTHORS[m.sender].value for m in ordered],
        "external_ids": [m.external_id for m in ordered],
        "texts": [m.text for m in ordered],
        "prices": [None if m.price is None else m.price.minor for m in ordered],
        "currencies": [None if m.price is None else m.price.currency for m in ordered],
        "purchased": [m.purchased_at for m in ordered],
        "sent": [m.sent_at for m in ordered],
    }
    return await send(connection, ADD_MESSAGES, params, _read_added)


_AUTHORS = {Sender.FAN: Author.FAN, Sender.CREATOR: Author.IMPORTED}


async def note_purchases(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    purchased_at: Mapping[str, datetime],
) -> Pending[int]:
    """Mark messages, by external id, as bought; how many of them were not so before."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "external_ids": list(purchased_at),
        "purchased": list(purchased_at.values()),
    }
    return await send(connection, NOTE_PURCHASES, params, len)


async def refresh_conversation(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> None:
    """Read from the messages when the last ones came and whether the fan waits for an answer."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    await run(connection, REFRESH_CONVERSATION, params)


def _fan_params(fan: Fan) -> dict[str, object]:
    return {
        "creator_id": fan.creator_id,
        "id": fan.id,
        "handle": fan.handle,
        "display_name": fan.display_name,
        "tier": fan.tier.value,
        "value": fan.lifetime_value.minor,
        "currency": fan.lifetime_value.currency,
        "notes": fan.notes,
        "disclosed_at": fan.disclosed_at,
        "last_seen_at": fan.last_seen_at,
    }


def _read_fan(rows: Rows) -> Fan:
    (row,) = rows
    return Fan(
        id=row[0],
        creator_id=row[1],
        handle=row[2],
        display_name=row[3],
        tier=Tier(row[4]),
        lifetime_value=Money(row[5], row[6]),
        disclosed_at=row[7],
        last_seen_at=row[8],
        notes=row[9],
    )


def _read_added(rows: Rows) -> Added:
    from_fan = [sent_at for sender, sent_at in rows if sender == Sender.FAN.value]
    return Added(len(rows), max(from_fan, default=None))
