"""Conversations as they go on: fans and threads at first contact, messages, purchases, care."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.channels import InboundEvent
from vaultcrm.domain.conversation import Author, Care, Mode, Sender
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier, tier_of

ADD_FAN = """
    INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor, currency,
                      notes, last_seen_at, created_at)
    VALUES (%(creator_id)s, %(id)s, %(handle)s, %(display_name)s, %(tier)s, 0, %(currency)s, '',
            %(seen_at)s, %(now)s)
    ON CONFLICT (creator_id, handle) DO UPDATE
      SET last_seen_at = GREATEST(fans.last_seen_at, EXCLUDED.last_seen_at)
    RETURNING id
"""

ADD_CONVERSATION = """
    INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode, unread_count,
                               created_at)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(channel)s, %(external_ref)s, 'auto', 0, %(now)s)
    ON CONFLICT (creator_id, channel, external_ref) DO UPDATE
      SET external_ref = EXCLUDED.external_ref
    RETURNING id, fan_id, mode, care, last_message_at IS NULL
"""

ADD_MESSAGE = """
    INSERT INTO messages (creator_id, id, conversation_id, sender, author, author_user_id,
                          generation_id, template_id, external_id, text, price_minor, currency,
                          sent_at)
    VALUES (%(creator_id)s, %(id)s, %(conversation_id)s, %(sender)s, %(author)s,
            %(author_user_id)s, %(generation_id)s, %(template_id)s, %(external_id)s, %(text)s,
            %(price_minor)s, %(currency)s, %(sent_at)s)
    ON CONFLICT (creator_id, conversation_id, external_id) DO NOTHING
    RETURNING id
"""

# A platform may tell of our own message before its receipt is here: what stands there then is ours.
ADD_OURS = ADD_MESSAGE.replace(
    "DO NOTHING",
    """DO UPDATE
      SET author = EXCLUDED.author, author_user_id = EXCLUDED.author_user_id,
          generation_id = EXCLUDED.generation_id, template_id = EXCLUDED.template_id,
          price_minor = EXCLUDED.price_minor,
          currency = EXCLUDED.currency
      WHERE messages.sender = EXCLUDED.sender""",
)

# What has come in may change what messages of ours did: `vaultcrm.db.queries.outcomes` takes marks.
MARK = """
    WITH marked AS (
        INSERT INTO outcome_marks (creator_id, id, conversation_id, at)
        VALUES (%(creator_id)s, %(mark_id)s, %(conversation_id)s, %(marked_at)s)
    )
"""
NOTE_FAN_MESSAGE = f"""
    {MARK}
    UPDATE conversations
    SET last_message_at = GREATEST(last_message_at, %(sent_at)s),
        last_fan_message_at = GREATEST(last_fan_message_at, %(sent_at)s),
        waiting_since = COALESCE(waiting_since, %(sent_at)s),
        unread_count = unread_count + 1,
        revision = revision + 1,
        care = CASE WHEN care = 'possible_minor' THEN care ELSE COALESCE(%(care)s, care) END,
        care_since = CASE WHEN care IS NULL AND %(care)s::text IS NOT NULL THEN %(now)s
                          ELSE care_since END
    WHERE creator_id = %(creator_id)s AND id = %(conversation_id)s
"""

NOTE_CREATOR_MESSAGE = f"""
    {MARK}
    UPDATE conversations
    SET last_message_at = GREATEST(last_message_at, %(sent_at)s), revision = revision + 1,
        waiting_since = CASE WHEN last_fan_message_at > %(sent_at)s THEN waiting_since END,
        unread_count = CASE WHEN last_fan_message_at > %(sent_at)s THEN unread_count ELSE 0 END
    WHERE creator_id = %(creator_id)s AND id = %(conversation_id)s
"""

_KEEP_PAYMENT = """, kept AS (
        INSERT INTO message_payments (creator_id, id, conversation_id, event_key, kind, message_ref,
                                      amount_minor, currency, occurred_at, received_at)
        VALUES (%(creator_id)s, %(id)s, %(conversation_id)s, %(event_key)s, %(kind)s,
                %(external_id)s, %(amount_minor)s, %(currency)s, %(occurred_at)s, %(now)s)
        ON CONFLICT (creator_id, conversation_id, event_key) DO NOTHING
    )
"""
KEEP_PAYMENT = f"""
    {MARK}{_KEEP_PAYMENT}
    SELECT EXISTS (SELECT 1 FROM messages
                   WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
                     AND external_id = %(external_id)s AND sender = 'creator')
"""
NOTE_PURCHASE = f"""
    {MARK}{_KEEP_PAYMENT}
    UPDATE messages SET purchased_at = %(purchased_at)s
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND external_id = %(external_id)s AND purchased_at IS NULL
    RETURNING id, generation_id, price_minor, currency
"""

# A fan whose first purchase this is takes its currency; later ones in another currency are kept
# with their message and not added up, as nobody here knows a rate.
ADD_LIFETIME_VALUE = """
    UPDATE fans
    SET lifetime_value_minor = lifetime_value_minor + %(minor)s, currency = %(currency)s
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s
      AND (currency = %(currency)s OR lifetime_value_minor = 0)
    RETURNING lifetime_value_minor, currency
"""

SET_TIER = """
    UPDATE fans SET tier = %(tier)s WHERE creator_id = %(creator_id)s AND id = %(fan_id)s
"""

NOTE_ANALYSIS = """
    UPDATE messages SET sentiment = %(sentiment)s, intent = %(intent)s, language = %(language)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""


class Thread(NamedTuple):
    """A conversation that a message belongs to."""

    conversation_id: UUID
    fan_id: UUID
    mode: Mode
    care: Care | None
    is_new: bool
    """Whether nothing has been said in it yet."""


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


async def find_or_open_thread(
    connection: Connection,
    creator_id: UUID,
    channel: str,
    event: InboundEvent,
    currency: str,
    now: datetime,
) -> Thread:
    """The conversation an event belongs to; fan and conversation are made at first contact."""
    fan = await send(
        connection,
        ADD_FAN,
        {
            "creator_id": creator_id,
            "id": new_id(),
            "handle": event.fan_handle,
            "display_name": event.fan_display_name or event.fan_handle,
            "tier": Tier.LOW.value,
            "currency": currency,
            "seen_at": event.occurred_at,
            "now": now,
        },
        _read_id,
    )
    conversation = await send(
        connection,
        ADD_CONVERSATION,
        {
            "creator_id": creator_id,
            "id": new_id(),
            "fan_id": await fan.answer(),
            "channel": channel,
            "external_ref": event.conversation_ref,
            "now": now,
        },
        lambda rows: Thread(
            rows[0][0],
            rows[0][1],
            Mode(rows[0][2]),
            None if rows[0][3] is None else Care(rows[0][3]),
            rows[0][4],
        ),
    )
    return await conversation.answer()


async def add_message(
    connection: Connection,
    *,
    creator_id: UUID,
    conversation_id: UUID,
    sender: Sender,
    author: Author,
    external_id: str,
    text: str,
    sent_at: datetime,
    price: Money | None = None,
    author_user_id: UUID | None = None,
    generation_id: UUID | None = None,
    template_id: UUID | None = None,
    ours: bool = False,
) -> UUID | None:
    """Store a message and return its id; None when the same one is there already.

    `ours` is a message that we have sent: what the platform has told of it is corrected.
    """
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "conversation_id": conversation_id,
        "sender": sender.value,
        "author": author.value,
        "author_user_id": author_user_id,
        "generation_id": generation_id,
        "template_id": template_id,
        "external_id": external_id,
        "text": text,
        "price_minor": None if price is None else price.minor,
        "currency": None if price is None else price.currency,
        "sent_at": sent_at,
    }
    statement = ADD_OURS if ours else ADD_MESSAGE
    return await (await send(connection, statement, params, _read_id)).answer()


# The platform's name for what it told of since then and nobody here has sent: perhaps ours.
FIND_TOLD = """
    SELECT external_id FROM messages
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND sender = 'creator' AND author = 'chatter' AND author_user_id IS NULL
      AND text = %(text)s AND sent_at >= %(since)s
    ORDER BY sent_at, id
    LIMIT 1
"""


async def find_told(
    connection: Connection, creator_id: UUID, conversation_id: UUID, text: str, since: datetime
) -> str | None:
    """The platform's id of a message with this text that it has told of; None if there is none."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "text": text,
        "since": since,
    }
    sent = await send(connection, FIND_TOLD, params, lambda rows: str(rows[0][0]) if rows else None)
    return await sent.answer()


async def note_fan_message(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    *,
    sent_at: datetime,
    care: Care | None,
    now: datetime,
) -> None:
    """The fan waits from now on; a sign that calls for care stays until a person takes it away.

    That a fan may be a minor outlasts distress, which may also pass.
    """
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "sent_at": sent_at,
        "care": None if care is None else care.value,
        "mark_id": new_id(),
        "marked_at": sent_at,
        "now": now,
    }
    await run(connection, NOTE_FAN_MESSAGE, params)


async def lock_conversation(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> None:
    """Let no message of the fan be noted until the transaction ends."""
    await run(
        connection,
        """
        SELECT 1 FROM conversations
        WHERE creator_id = %(creator_id)s AND id = %(conversation_id)s
        FOR NO KEY UPDATE
        """,
        {"creator_id": creator_id, "conversation_id": conversation_id},
    )


async def note_creator_message(
    connection: Connection, creator_id: UUID, conversation_id: UUID, sent_at: datetime
) -> None:
    """Nobody waits any more, unless the fan has written since the message was sent."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "sent_at": sent_at,
        "mark_id": new_id(),
        "marked_at": sent_at,
    }
    await run(connection, NOTE_CREATOR_MESSAGE, params)


async def note_purchase(
    connection: Connection,
    creator_id: UUID,
    thread: Thread,
    event: InboundEvent,
    now: datetime,
) -> tuple[UUID, UUID | None, Money] | None:
    """Mark a message as bought and add to the fan's lifetime value and tier, in one currency.

    Returns the message, the generation behind it, if any, and the amount; None when the message is
    unknown or was bought before. What the event says is kept, also for a message yet to come.
    """
    pending = await send(
        connection,
        NOTE_PURCHASE,
        _payment(creator_id, thread, event, now) | {"purchased_at": event.occurred_at},
        lambda rows: tuple(rows[0]) if rows else None,
    )
    found = await pending.answer()
    if found is None:
        return None
    message_id, generation_id, price_minor, currency = found
    amount = event.amount or Money(price_minor or 0, currency or "USD")
    await add_value(connection, creator_id, thread.fan_id, amount)
    return message_id, generation_id, amount


def _payment(
    creator_id: UUID, thread: Thread, event: InboundEvent, now: datetime
) -> dict[str, object]:
    """An event that tells of money, as `KEEP_PAYMENT` keeps it."""
    return {
        "creator_id": creator_id,
        "id": new_id(),
        "conversation_id": thread.conversation_id,
        "event_key": f"{event.kind.value}:{event.event_id}",
        "kind": event.kind.value,
        "external_id": event.message_ref or None,
        "amount_minor": None if event.amount is None else event.amount.minor,
        "currency": None if event.amount is None else event.amount.currency,
        "occurred_at": event.occurred_at,
        "mark_id": new_id(),
        "marked_at": event.occurred_at,
        "now": now,
    }


async def keep_payment(
    connection: Connection, creator_id: UUID, thread: Thread, event: InboundEvent, now: datetime
) -> bool:
    """Keep what a platform tells of money for a message; the same event twice is kept once.

    Whether the message that it names is known here.
    """
    params = _payment(creator_id, thread, event, now)
    sent = await send(connection, KEEP_PAYMENT, params, lambda rows: bool(rows[0][0]))
    return await sent.answer()


async def add_value(connection: Connection, creator_id: UUID, fan_id: UUID, amount: Money) -> None:
    """Add to a fan's lifetime value, in one currency, and set the tier that it earns."""
    fan = {"creator_id": creator_id, "fan_id": fan_id}
    sent = await send(
        connection,
        ADD_LIFETIME_VALUE,
        fan | {"minor": amount.minor, "currency": amount.currency},
        lambda rows: Money(rows[0][0], rows[0][1]) if rows else None,
    )
    value = await sent.answer()
    if value is not None:
        await set_tier(connection, creator_id, fan_id, value)


async def set_tier(connection: Connection, creator_id: UUID, fan_id: UUID, value: Money) -> None:
    """Give a fan the tier that a lifetime value earns."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "tier": tier_of(value).value}
    await run(connection, SET_TIER, params)


async def note_analysis(
    connection: Connection,
    creator_id: UUID,
    message_id: UUID,
    *,
    sentiment: str,
    intent: str,
    language: str,
) -> None:
    """Keep what the checker model read in a fan's message."""
    params = {
        "creator_id": creator_id,
        "id": message_id,
        "sentiment": sentiment,
        "intent": intent,
        "language": language,
    }
    await run(connection, NOTE_ANALYSIS, params)


# What is known already is kept: a state of care ends by a person's word only.
NOTE_CARE = """
    UPDATE conversations
    SET care = CASE WHEN care = 'possible_minor' THEN care ELSE %(care)s END,
        care_since = COALESCE(care_since, %(now)s)
    WHERE creator_id = %(creator_id)s AND id = %(conversation_id)s
"""


async def note_care(
    connection: Connection, creator_id: UUID, conversation_id: UUID, care: Care, now: datetime
) -> None:
    """Stop selling and automation in a conversation."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "care": care.value,
        "now": now,
    }
    await run(connection, NOTE_CARE, params)
