"""Fans whose spending somebody should look at.

What is read grows with this week's payments and this day's offers, not with the fans there are: the
eight weeks before are looked up for those alone who paid something worth a look.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.money import (
    THREE_DECIMAL_CURRENCIES,
    ZERO_DECIMAL_CURRENCIES,
    Money,
    minor_per_major,
)
from vaultcrm.domain.spending import (
    CAP_TO_COMPARE,
    DAY,
    NEAR,
    NOTABLE,
    STEEP,
    WEEK,
    WEEKS_BEFORE,
    Concern,
    FanAtRisk,
)

_SCALE = """
    CASE WHEN {currency} = ANY(%(zero_decimals)s) THEN 1
         WHEN {currency} = ANY(%(three_decimals)s) THEN 1000
         ELSE 100 END"""
"""How many minor units one whole unit has."""
AT_RISK = f"""
    WITH caps AS MATERIALIZED (
        SELECT * FROM unnest(%(creator_ids)s::uuid[], %(week_caps)s::bigint[],
                             %(offer_caps)s::int[]) AS given(creator_id, week_cap, offer_cap)),
    week AS MATERIALIZED (
        SELECT p.creator_id, p.fan_id, p.currency, sum(p.amount_minor) AS minor,
               {_SCALE.format(currency="p.currency")} AS scale
        FROM fan_payments p
        WHERE p.creator_id = ANY(%(creator_ids)s) AND p.paid_at > %(week_ago)s
        GROUP BY p.creator_id, p.fan_id, p.currency),
    offered AS MATERIALIZED (
        SELECT k.creator_id, k.fan_id, count(*) AS offers
        FROM (SELECT m.creator_id, m.conversation_id
              FROM messages m
              WHERE m.creator_id = ANY(%(creator_ids)s) AND m.price_minor IS NOT NULL
                AND m.sender = 'creator' AND m.sent_at > %(day_ago)s
              UNION ALL
              SELECT o.creator_id, o.conversation_id
              FROM outbox o
              WHERE o.creator_id = ANY(%(creator_ids)s) AND o.price_minor IS NOT NULL
                AND o.delivery_status IN ('pending', 'sending', 'uncertain')
                AND (o.delivery_status <> 'uncertain' OR o.updated_at > %(day_ago)s)) offers
        JOIN conversations k ON k.creator_id = offers.creator_id AND k.id = offers.conversation_id
        GROUP BY k.creator_id, k.fan_id),
    looked_at AS (
        SELECT s.creator_id, s.id AS fan_id
        FROM fan_spending_care s
        WHERE s.creator_id = ANY(%(creator_ids)s)
          AND (s.cooling_off_until > %(now)s OR s.lifted_until > %(now)s)
        UNION
        SELECT o.creator_id, o.fan_id
        FROM offered o JOIN caps USING (creator_id)
        WHERE caps.offer_cap > 0 AND o.offers >= caps.offer_cap
        UNION
        SELECT w.creator_id, w.fan_id
        FROM week w JOIN caps USING (creator_id)
        WHERE w.minor >= %(notable)s * w.scale
                         * COALESCE(NULLIF(caps.week_cap, 0), %(cap_to_compare)s)),
    found AS (
        SELECT f.creator_id, f.id, f.display_name, f.currency, COALESCE(w.minor, 0) AS minor,
               before.mean, caps.week_cap, caps.offer_cap,
               COALESCE(o.offers, 0) AS offers, s.cooling_off_until, s.lifted_until, s.reason,
               COALESCE(w.minor / (w.scale * COALESCE(NULLIF(caps.week_cap, 0),
                                                      %(cap_to_compare)s)), 0) AS share,
               s.cooling_off_until > %(now)s OR s.lifted_until > %(now)s AS settled
        FROM looked_at
        JOIN fans f ON f.creator_id = looked_at.creator_id AND f.id = looked_at.fan_id
                   AND f.erased_at IS NULL
        JOIN caps ON caps.creator_id = f.creator_id
        LEFT JOIN week w ON w.creator_id = f.creator_id AND w.fan_id = f.id
                        AND w.currency = f.currency
        LEFT JOIN offered o ON o.creator_id = f.creator_id AND o.fan_id = f.id
        LEFT JOIN fan_spending_care s ON s.creator_id = f.creator_id AND s.id = f.id
        CROSS JOIN LATERAL (
            SELECT COALESCE(sum(p.amount_minor), 0) / %(weeks)s AS mean
            FROM fan_payments p
            WHERE p.creator_id = f.creator_id AND p.fan_id = f.id AND p.currency = f.currency
              AND p.paid_at > %(weeks_ago)s AND p.paid_at <= %(week_ago)s) before)
    SELECT g.creator_id, g.id, g.display_name,
           (SELECT k.id FROM conversations k
            WHERE k.creator_id = g.creator_id AND k.fan_id = g.id
            ORDER BY k.last_message_at DESC NULLS LAST, k.id DESC LIMIT 1),
           g.currency, g.minor, g.mean, g.week_cap, g.offer_cap, g.offers,
           g.cooling_off_until, g.lifted_until, g.reason
    FROM found g
    WHERE COALESCE(g.settled, false)
       OR (g.offer_cap > 0 AND g.offers >= g.offer_cap)
       OR (g.week_cap > 0 AND g.share >= %(near)s)
       OR (g.share >= %(notable)s AND g.minor >= %(steep)s * g.mean)
    ORDER BY g.share DESC, g.offers DESC, g.creator_id, g.id
    LIMIT %(limit)s OFFSET %(offset)s
"""


def statement(
    flags: Mapping[UUID, Flags], now: datetime, *, limit: int, offset: int
) -> tuple[str, dict[str, Any]]:
    """The statement of the list, and its parameters."""
    return AT_RISK, {
        "creator_ids": list(flags),
        "week_caps": [one.spend_per_fan_per_week for one in flags.values()],
        "offer_caps": [one.offers_per_fan_per_day for one in flags.values()],
        "zero_decimals": list(ZERO_DECIMAL_CURRENCIES),
        "three_decimals": list(THREE_DECIMAL_CURRENCIES),
        "cap_to_compare": CAP_TO_COMPARE,
        "notable": NOTABLE,
        "near": NEAR,
        "steep": STEEP,
        "weeks": WEEKS_BEFORE,
        "now": now,
        "day_ago": now - DAY,
        "week_ago": now - WEEK,
        "weeks_ago": now - (WEEKS_BEFORE + 1) * WEEK,
        "limit": limit,
        "offset": offset,
    }


async def at_risk(
    connection: Connection, flags: Mapping[UUID, Flags], now: datetime, *, limit: int, offset: int
) -> Pending[tuple[FanAtRisk, ...]]:
    """Fans of these creators, by the flags in force for each; those nearest their cap first."""
    asked, params = statement(flags, now, limit=limit, offset=offset)
    return await send(connection, asked, params, lambda rows: _read(rows, now))


def _read(rows: Rows, now: datetime) -> tuple[FanAtRisk, ...]:
    return tuple(_fan(row, now) for row in rows)


def _fan(row: tuple[Any, ...], now: datetime) -> FanAtRisk:
    creator_id, fan_id, name, conversation_id, currency, minor, mean = row[:7]
    week_cap, offer_cap, offers, cooling, lifted, reason = row[7:]
    scale = minor_per_major(currency)
    cap = Money(week_cap * scale, currency) if week_cap else None
    notable = NOTABLE * scale * (week_cap or CAP_TO_COMPARE)
    concerns = {
        Concern.OVER_CAP: cap is not None and minor >= cap.minor,
        Concern.NEAR_CAP: cap is not None and NEAR * cap.minor <= minor < cap.minor,
        Concern.STEEP_RISE: minor >= notable and minor >= STEEP * mean,
        Concern.MANY_OFFERS: 0 < offer_cap <= offers,
        Concern.COOLING_OFF: cooling is not None and cooling > now,
        Concern.LIFTED: lifted is not None and lifted > now,
    }
    return FanAtRisk(
        creator_id=creator_id,
        fan_id=fan_id,
        display_name=name,
        conversation_id=conversation_id,
        week=Money(int(minor), currency),
        before=Money(round(mean), currency),
        cap=cap,
        offers=offers,
        most_offers=offer_cap,
        cooling_off_until=cooling if concerns[Concern.COOLING_OFF] else None,
        lifted_until=lifted if concerns[Concern.LIFTED] else None,
        reason=reason or "",
        concerns=tuple(concern for concern, holds in concerns.items() if holds),
    )
