"""Which of the demo's messages were made from templates, and how often each was filled in."""

from datetime import datetime, timedelta

from vaultcrm.db.pending import Connection, run
from vaultcrm.domain.template import DAYS_OF_USES

# One message of three, by a byte of its id; another byte picks the template, of those that ask for
# money where the message does.
_LINK = """
    UPDATE messages m SET template_id = t.id
    FROM (SELECT creator_id, id, price_minor IS NOT NULL AS sells,
                 row_number() OVER (PARTITION BY creator_id, price_minor IS NOT NULL
                                    ORDER BY name) - 1 AS place,
                 count(*) OVER (PARTITION BY creator_id, price_minor IS NOT NULL) AS many
          FROM ai_message_templates) t
    WHERE m.creator_id = t.creator_id AND m.sender = 'creator'
      AND (m.price_minor IS NOT NULL) = t.sells
      AND mod(get_byte(uuid_send(m.id), 15), 3) = 0
      AND mod(get_byte(uuid_send(m.id), 14), t.many) = t.place
"""
_COUNT = """
    UPDATE ai_message_templates t
    SET usage_count = u.ever, performance_stats = jsonb_build_object('usesByDay', u.by_day)
    FROM (SELECT creator_id, template_id, sum(uses)::bigint AS ever,
                 COALESCE(jsonb_object_agg(day, uses) FILTER (WHERE day > %(oldest)s), '{}')
                     AS by_day
          FROM (SELECT creator_id, template_id, count(*) AS uses,
                       to_char(sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day
                FROM messages WHERE template_id IS NOT NULL
                GROUP BY 1, 2, 4) d
          GROUP BY 1, 2) u
    WHERE t.creator_id = u.creator_id AND t.id = u.template_id
"""


async def link_templates(connection: Connection, now: datetime) -> None:
    """Say of some of the creators' messages which template they began with, and count that."""
    await run(connection, _LINK, ())
    oldest = (now - timedelta(days=DAYS_OF_USES)).date().isoformat()
    await run(connection, _COUNT, {"oldest": oldest})
