"""What fans paid and were offered, and for whom offers are stopped."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.money import Money
from vaultcrm.domain.spending import DAY, WEEK, PaymentKind, Spending

MOST_OFFERS = 100
"""How many are looked at: the cap cannot be set higher."""

# What is in the outbox and open is not among the messages yet: the receipt that closes it puts it
# there. So the two are counted together, and nothing twice. What waits to leave counts as of now.
_OFFERED = """
    ARRAY(SELECT offered.at FROM (
              SELECT m.sent_at AS at
              FROM conversations k
              JOIN messages m ON m.creator_id = k.creator_id AND m.conversation_id = k.id
              WHERE k.creator_id = f.creator_id AND k.fan_id = f.id
                AND m.price_minor IS NOT NULL AND m.sent_at > %(day_ago)s AND m.sender = 'creator'
              UNION ALL
              SELECT CASE WHEN o.delivery_status = 'uncertain' THEN o.updated_at
                          ELSE GREATEST(o.not_before, %(now)s) END
              FROM conversations k
              JOIN outbox o ON o.creator_id = k.creator_id AND o.conversation_id = k.id
              WHERE k.creator_id = f.creator_id AND k.fan_id = f.id
                AND o.price_minor IS NOT NULL
                AND o.delivery_status IN ('pending', 'sending', 'uncertain')
                AND (o.delivery_status <> 'uncertain' OR o.updated_at > %(day_ago)s)) offered
          ORDER BY offered.at DESC
          LIMIT %(most)s)
"""
# By the hour, so that a week is at most 169 numbers whatever was paid in it.
_PAID = """
    (SELECT jsonb_agg(jsonb_build_array(hours.at, hours.minor) ORDER BY hours.at DESC)
     FROM (SELECT extract(epoch FROM max(p.paid_at)) AS at, sum(p.amount_minor) AS minor
           FROM fan_payments p
           WHERE p.creator_id = f.creator_id AND p.fan_id = f.id AND p.paid_at > %(week_ago)s
             AND p.currency = f.currency
           GROUP BY date_trunc('hour', p.paid_at)) hours)
"""
_SPENDING = f"""
    SELECT f.id, f.currency, {_OFFERED}, {_PAID}, s.cooling_off_until, s.lifted_until
    FROM fans f
    LEFT JOIN fan_spending_care s ON s.creator_id = f.creator_id AND s.id = f.id
    WHERE f.creator_id = %(creator_id)s
"""
OF_FAN = f"{_SPENDING} AND f.id = %(fan_id)s"
OF_CONVERSATION = f"""
    {_SPENDING} AND f.id = (SELECT c.fan_id FROM conversations c
                            WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s)
"""

# The same lock as at a fan's first word and at each payment: of two who would offer something at
# once, the second counts what the first has put on its way.
LOCK = """
    SELECT 1 FROM fans WHERE creator_id = %(creator_id)s AND id = %(fan_id)s FOR NO KEY UPDATE
"""

PAY = """
    INSERT INTO fan_payments (creator_id, id, fan_id, kind, amount_minor, currency, paid_at)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(kind)s, %(minor)s, %(currency)s, %(paid_at)s)
    ON CONFLICT (creator_id, id) DO NOTHING
"""
PAY_FOR_MESSAGES = """
    INSERT INTO fan_payments (creator_id, id, fan_id, kind, amount_minor, currency, paid_at)
    SELECT m.creator_id, m.id, c.fan_id, 'purchase', m.price_minor, m.currency, m.purchased_at
    FROM conversations c
    JOIN messages m ON m.creator_id = c.creator_id AND m.conversation_id = c.id
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s
      AND m.purchased_at IS NOT NULL AND m.price_minor > 0
    ON CONFLICT (creator_id, id) DO NOTHING
"""

# The time is the caller's; what runs longer already goes on.
COOL_OFF = """
    INSERT INTO fan_spending_care AS s
        (creator_id, id, cooling_off_until, reason, changed_by, changed_at)
    VALUES (%(creator_id)s, %(fan_id)s, %(until)s, %(reason)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, id) DO UPDATE
      SET cooling_off_until = GREATEST(s.cooling_off_until, EXCLUDED.cooling_off_until),
          lifted_until = CASE WHEN %(ends_lift)s THEN NULL ELSE s.lifted_until END,
          reason = EXCLUDED.reason, changed_by = EXCLUDED.changed_by,
          changed_at = EXCLUDED.changed_at
"""
END_COOLING_OFF = """
    UPDATE fan_spending_care
    SET cooling_off_until = NULL, reason = %(reason)s, changed_by = %(user_id)s,
        changed_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s AND cooling_off_until > %(now)s
    RETURNING id
"""
LIFT = """
    INSERT INTO fan_spending_care AS s
        (creator_id, id, lifted_until, reason, changed_by, changed_at)
    VALUES (%(creator_id)s, %(fan_id)s, %(until)s, %(reason)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, id) DO UPDATE
      SET lifted_until = EXCLUDED.lifted_until, reason = EXCLUDED.reason,
          changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at
"""


def _read(rows: Rows) -> Spending | None:
    if not rows:
        return None
    fan_id, currency, offered, paid, cooling_off_until, lifted_until = rows[0]
    return Spending(
        fan_id,
        currency,
        tuple(offered),
        tuple((datetime.fromtimestamp(at, UTC), int(minor)) for at, minor in paid or ()),
        cooling_off_until,
        lifted_until,
    )


async def of_conversation(
    connection: Connection, creator_id: UUID, conversation_id: UUID, now: datetime
) -> Pending[Spending | None]:
    """What counts for the caps of a conversation's fan."""
    params = _since(now) | {"creator_id": creator_id, "conversation_id": conversation_id}
    return await send(connection, OF_CONVERSATION, params, _read)


async def of_fan(
    connection: Connection, creator_id: UUID, fan_id: UUID, now: datetime
) -> Pending[Spending | None]:
    """What counts for a fan's caps."""
    params = _since(now) | {"creator_id": creator_id, "fan_id": fan_id}
    return await send(connection, OF_FAN, params, _read)


def _since(now: datetime) -> dict[str, Any]:
    return {"now": now, "day_ago": now - DAY, "week_ago": now - WEEK, "most": MOST_OFFERS}


async def lock(connection: Connection, creator_id: UUID, fan_id: UUID) -> None:
    """Let nobody else decide on an offer to this fan until the transaction ends."""
    await run(connection, LOCK, {"creator_id": creator_id, "fan_id": fan_id})


async def pay(
    connection: Connection,
    *,
    creator_id: UUID,
    payment_id: UUID,
    fan_id: UUID,
    kind: PaymentKind,
    amount: Money,
    paid_at: datetime,
) -> None:
    """Keep a payment; a known one changes nothing."""
    params = {
        "creator_id": creator_id,
        "id": payment_id,
        "fan_id": fan_id,
        "kind": kind.value,
        "minor": amount.minor,
        "currency": amount.currency,
        "paid_at": paid_at,
    }
    await run(connection, PAY, params)


async def pay_for_messages(connection: Connection, creator_id: UUID, conversation_id: UUID) -> None:
    """Keep the payments for a conversation's bought messages that are not kept yet."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    await run(connection, PAY_FOR_MESSAGES, params)


async def cool_off(
    connection: Connection,
    creator_id: UUID,
    fan_id: UUID,
    *,
    until: datetime,
    reason: str,
    user_id: UUID | None,
    now: datetime,
) -> None:
    """Stop offers to a fan. A person's word ends what was lifted before; a cap's does not."""
    params = {
        "creator_id": creator_id,
        "fan_id": fan_id,
        "until": until,
        "reason": reason,
        "user_id": user_id,
        "ends_lift": user_id is not None,
        "now": now,
    }
    await run(connection, COOL_OFF, params)


async def end_cooling_off(
    connection: Connection,
    creator_id: UUID,
    fan_id: UUID,
    *,
    reason: str,
    user_id: UUID,
    now: datetime,
) -> bool:
    """Let a fan cool off no longer; False when they do not."""
    params = {
        "creator_id": creator_id,
        "fan_id": fan_id,
        "reason": reason,
        "user_id": user_id,
        "now": now,
    }
    return await (await send(connection, END_COOLING_OFF, params, bool)).answer()


async def lift(
    connection: Connection,
    creator_id: UUID,
    fan_id: UUID,
    *,
    until: datetime | None,
    reason: str,
    user_id: UUID,
    now: datetime,
) -> None:
    """Let no cap hold for a fan until then; None lets them hold again."""
    params = {
        "creator_id": creator_id,
        "fan_id": fan_id,
        "until": until,
        "reason": reason,
        "user_id": user_id,
        "now": now,
    }
    await run(connection, LIFT, params)
