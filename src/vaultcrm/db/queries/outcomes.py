"""What messages did: where it has to be looked at anew, what is known, and what comes of it.

Whoever works on a creator's outcomes holds the creator's row of `outcome_states`, so that what was
read before something came in is never written over what was read after it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.outcomes import MessageFacts, Outcome, Payment

# ---- whose turn it is

BEGIN = """
    INSERT INTO outcome_states (creator_id, id, settled_until)
    VALUES (%(creator_id)s, %(creator_id)s, %(at)s)
    ON CONFLICT DO NOTHING
"""
LOCK = """
    SELECT settled_until FROM outcome_states
    WHERE creator_id = %(creator_id)s AND id = %(creator_id)s
    FOR UPDATE SKIP LOCKED
"""
SETTLED_UNTIL = """
    UPDATE outcome_states SET settled_until = %(at)s
    WHERE creator_id = %(creator_id)s AND id = %(creator_id)s
"""


def _time(rows: Rows) -> datetime | None:
    return rows[0][0] if rows else None


async def lock(connection: Connection, creator_id: UUID, at: datetime) -> datetime | None:
    """Hold a creator's outcomes until the transaction ends: up to when they are settled.

    None when somebody else is at it. Where nobody was before, they are settled up to `at`.
    """
    await run(connection, BEGIN, {"creator_id": creator_id, "at": at})
    return await (await send(connection, LOCK, {"creator_id": creator_id}, _time)).answer()


async def note_settled(connection: Connection, creator_id: UUID, until: datetime) -> None:
    """Everything up to a moment is known as final."""
    await run(connection, SETTLED_UNTIL, {"creator_id": creator_id, "at": until})


# ---- where to look

MARK = """
    INSERT INTO outcome_marks (creator_id, id, conversation_id, at)
    VALUES (%(creator_id)s, %(id)s, %(conversation_id)s, %(at)s)
"""
TAKE_MARKS = """
    DELETE FROM outcome_marks
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT id FROM outcome_marks WHERE creator_id = %(creator_id)s ORDER BY id LIMIT %(limit)s)
    RETURNING conversation_id, at
"""
# What a platform has told of money for a message that is here by now.
ATTACH = """
    UPDATE message_payments p SET message_id = m.id
    FROM messages m
    WHERE p.creator_id = %(creator_id)s AND p.conversation_id = ANY(%(conversation_ids)s)
      AND p.message_id IS NULL AND p.message_ref IS NOT NULL
      AND m.creator_id = %(creator_id)s AND m.conversation_id = p.conversation_id
      AND m.external_id = p.message_ref AND m.sender = 'creator'
    RETURNING m.id
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something came in at a moment; without one the whole conversation is meant."""

    conversation_id: UUID
    at: datetime | None


async def mark(
    connection: Connection, creator_id: UUID, conversation_id: UUID, at: datetime | None = None
) -> None:
    """Have a conversation's outcomes made anew, around a moment or all of them."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "conversation_id": conversation_id,
        "at": at,
    }
    await run(connection, MARK, params)


async def take_marks(connection: Connection, creator_id: UUID, limit: int) -> list[Mark]:
    """The oldest marks; they are gone with the transaction."""
    params = {"creator_id": creator_id, "limit": limit}
    sent = await send(connection, TAKE_MARKS, params, lambda rows: [Mark(*row) for row in rows])
    return await sent.answer()


async def attach(
    connection: Connection, creator_id: UUID, conversation_ids: Sequence[UUID]
) -> list[UUID]:
    """Tie payments to the messages that they name; those messages."""
    params = {"creator_id": creator_id, "conversation_ids": list(conversation_ids)}
    sent = await send(connection, ATTACH, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()


# ---- what is known

_PAYMENTS = """
    (SELECT jsonb_agg(jsonb_build_array(p.kind, extract(epoch FROM p.occurred_at), p.event_key,
                                        p.amount_minor, p.currency))
     FROM message_payments p
     WHERE p.creator_id = m.creator_id AND {which})
"""
# A message of the creator's that stands after `m` and before a moment: what the fan did then is
# that one's effect. Of two at the same moment the one whose platform id is greater is the later.
_LATER = """
    EXISTS (SELECT 1 FROM messages n
            WHERE n.creator_id = m.creator_id AND n.conversation_id = m.conversation_id
              AND n.sent_at >= m.sent_at AND n.sent_at < {before}
              AND n.sender = 'creator' AND n.author <> 'disclosure'
              AND (n.sent_at, n.external_id) > (m.sent_at, m.external_id))
"""
FACTS = f"""
    WITH wanted AS (
        SELECT m.id
        FROM unnest(%(conversation_ids)s::uuid[], %(starts)s::timestamptz[],
                    %(ends)s::timestamptz[]) r (conversation_id, start_at, end_at)
        JOIN messages m ON m.creator_id = %(creator_id)s AND m.conversation_id = r.conversation_id
          AND m.sent_at >= r.start_at AND m.sent_at <= r.end_at AND m.sender = 'creator'
        UNION
        SELECT unnest(%(ids)s::uuid[])
    )
    SELECT m.creator_id, m.id, m.conversation_id, c.fan_id, m.generation_id, m.template_id,
           m.author, f.tier, m.sent_at, m.price_minor, m.currency, m.purchased_at,
           paid.amount_minor, paid.currency,
           CASE WHEN answer.sent_at IS NOT NULL AND NOT {_LATER.format(before="answer.sent_at")}
                THEN answer.sent_at END,
           {_PAYMENTS.format(which="p.message_id = m.id")},
           {
    _PAYMENTS.format(
        which=f'''p.conversation_id = m.conversation_id
              AND p.message_ref IS NULL AND p.kind = 'purchase' AND p.occurred_at > m.sent_at
              AND p.occurred_at <= m.sent_at + %(window)s
              AND NOT {_LATER.format(before="p.occurred_at")}'''
    )
},
           b.reported, COALESCE(g.currency, f.currency), o.refunded_minor, o.currency
    FROM wanted
    JOIN messages m ON m.creator_id = %(creator_id)s AND m.id = wanted.id
    JOIN conversations c ON c.creator_id = m.creator_id AND c.id = m.conversation_id
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    LEFT JOIN fan_payments paid ON paid.creator_id = m.creator_id AND paid.id = m.id
    LEFT JOIN ai_message_generations g
      ON g.creator_id = m.creator_id AND g.id = m.generation_id
    LEFT JOIN ai_message_feedback b
      ON b.creator_id = m.creator_id AND b.generation_id = m.generation_id
    LEFT JOIN message_outcomes o ON o.creator_id = m.creator_id AND o.id = m.id
    LEFT JOIN LATERAL (
        SELECT a.sent_at FROM messages a
        WHERE a.creator_id = m.creator_id AND a.conversation_id = m.conversation_id
          AND a.sender = 'fan' AND a.sent_at > m.sent_at AND a.sent_at <= m.sent_at + %(window)s
        ORDER BY a.sent_at LIMIT 1
    ) answer ON true
    WHERE m.author <> 'disclosure'
"""
_EVER = datetime(1, 1, 2, tzinfo=UTC)
_NEVER = datetime(9999, 12, 30, tzinfo=UTC)


async def facts(
    connection: Connection,
    creator_id: UUID,
    marks: Iterable[Mark],
    message_ids: Iterable[UUID],
    window: timedelta,
) -> list[MessageFacts]:
    """What is known of every message that something at the marks can be the effect of, and of some
    messages besides.
    """
    ranges = {
        (one.conversation_id, _EVER, _NEVER)
        if one.at is None
        else (one.conversation_id, one.at - window, one.at)
        for one in marks
    }
    params = {
        "creator_id": creator_id,
        "conversation_ids": [each[0] for each in ranges],
        "starts": [each[1] for each in ranges],
        "ends": [each[2] for each in ranges],
        "ids": list(message_ids),
        "window": window,
    }
    sent = await send(connection, FACTS, params, lambda rows: [_facts(row) for row in rows])
    return await sent.answer()


def _facts(row: tuple[Any, ...]) -> MessageFacts:
    price = _money(row[9], row[10])
    named = row[15] or []
    purchases = [_payment(one) for one in named if one[0] == "purchase"]
    if not purchases and row[11] is not None:
        # Bought before payments were kept by message, or as a file says that was brought in.
        purchases = [Payment(row[11], "", _money(row[12], row[13]) or price)]
    return MessageFacts(
        creator_id=row[0],
        id=row[1],
        conversation_id=row[2],
        fan_id=row[3],
        generation_id=row[4],
        template_id=row[5],
        author=Author(row[6]),
        tier=row[7],
        sent_at=row[8],
        price=price,
        answered_at=row[14],
        purchases=tuple(purchases),
        following=tuple(_payment(one) for one in row[16] or []),
        refunds=tuple(_payment(one) for one in named if one[0] != "purchase"),
        reported=row[17] or {},
        usual_currency=row[18],
        is_bought=row[11] is not None,
        counted_refund=_money(row[19] or None, row[20]),
    )


def _payment(stored: Sequence[Any]) -> Payment:
    _, at, key, minor, currency = stored
    return Payment(datetime.fromtimestamp(at, UTC), key, _money(minor, currency))


def _money(minor: int | None, currency: str | None) -> Money | None:
    return None if minor is None or currency is None else Money(minor, currency)


# Messages whose time is over since then, so that no answer is an answer now.
SETTLING_END = """
    SELECT max(sent_at) FROM (
        SELECT sent_at FROM message_outcomes
        WHERE creator_id = %(creator_id)s AND sent_at > %(after)s AND sent_at <= %(until)s
        ORDER BY sent_at LIMIT %(limit)s) s
"""
SETTLING_DRAFTS = """
    SELECT id FROM message_outcomes
    WHERE creator_id = %(creator_id)s AND sent_at > %(after)s AND sent_at <= %(until)s
      AND generation_id IS NOT NULL
"""


async def settling(
    connection: Connection, creator_id: UUID, after: datetime, until: datetime, limit: int
) -> tuple[list[UUID], datetime]:
    """Drafts' messages that were sent after one moment and up to another, and up to when these go:
    about `limit` messages.
    """
    params = {"creator_id": creator_id, "after": after, "until": until, "limit": limit}
    sent = await send(connection, SETTLING_END, params, _time)
    last = await sent.answer()
    if last is None:
        return [], until
    found = await send(
        connection, SETTLING_DRAFTS, params | {"until": last}, lambda rows: [r[0] for r in rows]
    )
    ids = await found.answer()
    return ids, last


# ---- what comes of it

SAVE = """
    INSERT INTO message_outcomes AS o
        (creator_id, id, conversation_id, fan_id, generation_id, template_id, author, tier, sent_at,
         settled_at, price_minor, currency, replied, time_to_reply, purchased, revenue_minor,
         refunded_minor, currencies_differ, updated_at)
    SELECT %(creator_id)s, u.*, %(now)s
    FROM unnest(%(id)s::uuid[], %(conversation_id)s::uuid[], %(fan_id)s::uuid[],
                %(generation_id)s::uuid[], %(template_id)s::uuid[], %(author)s::text[],
                %(tier)s::text[], %(sent_at)s::timestamptz[], %(settled_at)s::timestamptz[],
                %(price_minor)s::bigint[], %(currency)s::text[], %(replied)s::boolean[],
                %(time_to_reply)s::integer[], %(purchased)s::boolean[], %(revenue_minor)s::bigint[],
                %(refunded_minor)s::bigint[], %(currencies_differ)s::boolean[]) u
    ON CONFLICT (creator_id, id) DO UPDATE
      SET generation_id = EXCLUDED.generation_id, template_id = EXCLUDED.template_id,
          author = EXCLUDED.author, sent_at = EXCLUDED.sent_at, settled_at = EXCLUDED.settled_at,
          price_minor = EXCLUDED.price_minor, currency = EXCLUDED.currency,
          replied = EXCLUDED.replied, time_to_reply = EXCLUDED.time_to_reply,
          purchased = EXCLUDED.purchased, revenue_minor = EXCLUDED.revenue_minor,
          refunded_minor = EXCLUDED.refunded_minor,
          currencies_differ = EXCLUDED.currencies_differ, updated_at = EXCLUDED.updated_at
      WHERE (o.generation_id, o.template_id, o.author, o.sent_at, o.settled_at, o.price_minor,
             o.currency, o.replied, o.time_to_reply, o.purchased, o.revenue_minor,
             o.refunded_minor, o.currencies_differ)
        IS DISTINCT FROM
            (EXCLUDED.generation_id, EXCLUDED.template_id, EXCLUDED.author, EXCLUDED.sent_at,
             EXCLUDED.settled_at, EXCLUDED.price_minor, EXCLUDED.currency, EXCLUDED.replied,
             EXCLUDED.time_to_reply, EXCLUDED.purchased, EXCLUDED.revenue_minor,
             EXCLUDED.refunded_minor, EXCLUDED.currencies_differ)
    RETURNING sent_at
"""
SAVE_PERFORMANCE = """
    UPDATE ai_message_feedback f
    SET performance_data = u.performance, updated_at = %(now)s
    FROM unnest(%(generation_id)s::uuid[], %(performance)s::jsonb[]) u (generation_id, performance)
    WHERE f.creator_id = %(creator_id)s AND f.generation_id = u.generation_id
      AND f.performance_data IS DISTINCT FROM u.performance
    RETURNING f.created_at
"""


async def save(
    connection: Connection, creator_id: UUID, found: Sequence[Outcome], now: datetime
) -> list[datetime]:
    """Write outcomes down where they differ from what is there.

    The moments whose roll-ups this changes: of messages, and of decisions on drafts.
    """
    told = [one.facts for one in found]
    params = {
        "creator_id": creator_id,
        "now": now,
        "id": [one.id for one in told],
        "conversation_id": [one.conversation_id for one in told],
        "fan_id": [one.fan_id for one in told],
        "generation_id": [one.generation_id for one in told],
        "template_id": [one.template_id for one in told],
        "author": [one.author.value for one in told],
        "tier": [one.tier for one in told],
        "sent_at": [one.sent_at for one in told],
        "settled_at": [one.settled_at for one in found],
        "price_minor": [None if one.price is None else one.price.minor for one in told],
        "currency": [one.currency for one in found],
        "replied": [one.replied for one in found],
        "time_to_reply": [one.time_to_reply for one in found],
        "purchased": [one.purchased for one in found],
        "revenue_minor": [one.revenue_minor for one in found],
        "refunded_minor": [one.refunded_minor for one in found],
        "currencies_differ": [one.currencies_differ for one in found],
    }
    drafts = [one for one in found if one.facts.generation_id is not None]
    performance = {
        "creator_id": creator_id,
        "now": now,
        "generation_id": [one.facts.generation_id for one in drafts],
        "performance": [json.dumps(dict(one.performance)) for one in drafts],
    }
    saved = await send(connection, SAVE, params, lambda rows: [row[0] for row in rows])
    moments = await saved.answer()
    if drafts:
        sent = await send(
            connection, SAVE_PERFORMANCE, performance, lambda rows: [row[0] for row in rows]
        )
        moments = moments + await sent.answer()
    return moments


# A purchase that was told before its message was here.
BUY = """
    UPDATE messages SET purchased_at = %(at)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND purchased_at IS NULL
    RETURNING id
"""
# Never below nothing: what a fan spent elsewhere is not this message's to take back.
TAKE_VALUE = """
    UPDATE fans
    SET lifetime_value_minor = GREATEST(lifetime_value_minor - %(minor)s, 0)
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s AND currency = %(currency)s
    RETURNING lifetime_value_minor, currency
"""


async def buy(connection: Connection, creator_id: UUID, message_id: UUID, at: datetime) -> bool:
    """Mark a message as bought; False when it was."""
    params = {"creator_id": creator_id, "id": message_id, "at": at}
    return await (await send(connection, BUY, params, bool)).answer()


async def take_value(
    connection: Connection, creator_id: UUID, fan_id: UUID, minor: int, currency: str
) -> Money | None:
    """Take from a fan's lifetime value (minor units, negative gives back); what it is then.

    None where it is in another currency, or the fan is gone.
    """
    params = {"creator_id": creator_id, "fan_id": fan_id, "minor": minor, "currency": currency}
    sent = await send(
        connection, TAKE_VALUE, params, lambda rows: Money(*rows[0]) if rows else None
    )
    return await sent.answer()


# ---- reading them

OF_DRAFT = """
    SELECT id, conversation_id, sent_at FROM messages
    WHERE creator_id = %(creator_id)s AND generation_id = %(generation_id)s
    ORDER BY sent_at LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message of a creator that went out."""

    id: UUID
    conversation_id: UUID
    sent_at: datetime


async def message_of(
    connection: Connection, creator_id: UUID, generation_id: UUID
) -> SentMessage | None:
    """The message that a draft became; None while it has not been sent."""
    params = {"creator_id": creator_id, "generation_id": generation_id}
    sent = await send(
        connection, OF_DRAFT, params, lambda rows: SentMessage(*rows[0]) if rows else None
    )
    return await sent.answer()


_NAMES = (
    "id", "creator_id", "conversation_id", "generation_id", "template_id", "author", "sent_at",
    "settled_at", "price_minor", "currency", "replied", "time_to_reply", "purchased",
    "revenue_minor", "refunded_minor", "currencies_differ", "updated_at",
)  # fmt: skip
OF_MESSAGE = f"""
    SELECT {", ".join(_NAMES)} FROM message_outcomes
    WHERE creator_id = ANY(%(creator_ids)s) AND id = %(id)s
"""


async def of_message(
    connection: Connection, creator_ids: Sequence[UUID], message_id: UUID
) -> Pending[list[Record]]:
    """The outcome of a message of one of these creators, if it has one."""
    params = {"creator_ids": list(creator_ids), "id": message_id}
    return await send(connection, OF_MESSAGE, params, records(*_NAMES))
