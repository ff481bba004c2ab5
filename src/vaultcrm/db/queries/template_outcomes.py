"""What became of messages that were made from templates: answered, bought, earned."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.people import Tier
from vaultcrm.domain.template import DAYS_OF_USES, TemplateOutcomes, TierOutcomes

# Read from the index alone. A message whose window is not over is left out whatever came of it: to
# count those that were answered at once, and not those that still may be, would flatter.
OUTCOMES = """
    SELECT o.template_id, o.tier,
           CASE WHEN o.revenue_minor > 0 THEN o.currency END,
           count(*), count(*) FILTER (WHERE o.replied),
           count(*) FILTER (WHERE o.price_minor IS NOT NULL OR o.purchased),
           count(*) FILTER (WHERE o.purchased),
           sum(o.revenue_minor)::bigint, sum(o.revenue_minor::numeric * o.revenue_minor)
    FROM message_outcomes o
    WHERE o.creator_id = ANY(%(creator_ids)s) AND o.template_id = ANY(%(template_ids)s)
      AND o.sent_at > %(since)s AND o.settled_at <= %(now)s
    GROUP BY 1, 2, 3
"""


def _read(rows: Rows) -> dict[UUID, TemplateOutcomes]:
    found: dict[UUID, TemplateOutcomes] = {}
    for template_id, tier, currency, sent, replied, offers, bought, revenue, squares in rows:
        part = TierOutcomes(
            Tier(tier), currency, sent, replied, offers, bought, revenue, int(squares)
        )
        more = TemplateOutcomes((part,))
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
        "now": now,
    }
    return await send(connection, OUTCOMES, params, _read)
