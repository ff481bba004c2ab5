"""What became of messages that were made from templates: answered, bought, earned."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.money import Money
from vaultcrm.domain.template import ANSWERED_WITHIN, DAYS_OF_USES, TemplateOutcomes

# One look into the conversation's index for each message; a message that may still be answered is
# not counted as unanswered.
OUTCOMES = """
    SELECT m.template_id, m.currency,
           count(*) FILTER (WHERE m.sent_at <= %(settled)s OR a.answered
                                  OR m.purchased_at IS NOT NULL),
           count(*) FILTER (WHERE a.answered),
           count(*) FILTER (WHERE m.purchased_at IS NOT NULL),
           COALESCE(sum(m.price_minor) FILTER (WHERE m.purchased_at IS NOT NULL), 0)::bigint
    FROM messages m
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT 1 FROM messages r
                       WHERE r.creator_id = m.creator_id AND r.conversation_id = m.conversation_id
                         AND r.sender = 'fan' AND r.sent_at > m.sent_at
                         AND r.sent_at <= m.sent_at + %(within)s) AS answered
    ) a
    WHERE m.creator_id = ANY(%(creator_ids)s) AND m.template_id = ANY(%(template_ids)s)
      AND m.sent_at > %(since)s AND m.sent_at <= %(now)s
    GROUP BY 1, 2
"""


def _read(rows: Rows) -> dict[UUID, TemplateOutcomes]:
    found: dict[UUID, TemplateOutcomes] = {}
    for template_id, currency, sent, replied, bought, revenue in rows:
        money = (Money(revenue, currency),) if revenue else ()
        more = TemplateOutcomes(sent, replied, bought, money)
        found[template_id] = found.get(template_id, TemplateOutcomes()) + more
    return found


async def outcomes(
    connection: Connection, creator_ids: list[UUID], template_ids: list[UUID], now: datetime
) -> Pending[dict[UUID, TemplateOutcomes]]:
    """What came of the messages of the last 30 days, by template; those without are left out."""
    params = {
        "creator_ids": creator_ids,
        "template_ids": template_ids,
        "since": now - timedelta(days=DAYS_OF_USES),
        "settled": now - ANSWERED_WITHIN,
        "within": ANSWERED_WITHIN,
        "now": now,
    }
    return await send(connection, OUTCOMES, params, _read)
