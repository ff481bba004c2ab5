"""Message templates: listed and added."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, send
from vaultcrm.domain.ids import new_id

_TEMPLATE = """
    id, creator_id, name, category, language, template_text, price_minor, performance_stats,
    usage_count, created_at, updated_at
"""
_TEMPLATE_NAMES = (
    "id", "creator_id", "name", "category", "language", "template_text", "price_minor",
    "performance_stats", "usage_count", "created_at", "updated_at",
)  # fmt: skip
# The last row of the page before is looked up by its key: a category and a name of any length would
# make a cursor of any length.
TEMPLATES = f"""
    SELECT {_TEMPLATE} FROM ai_message_templates
    WHERE creator_id = ANY(%(creator_ids)s) AND archived_at IS NULL
      AND (%(after)s::uuid IS NULL
           OR (creator_id, category, name) >
              (SELECT l.creator_id, l.category, l.name FROM ai_message_templates l
               WHERE l.creator_id = %(after_creator)s AND l.id = %(after)s))
    ORDER BY creator_id, category, name
    LIMIT %(limit)s
"""
ADD_TEMPLATE = f"""
    INSERT INTO ai_message_templates (creator_id, id, name, category, language, template_text,
                                      price_minor, performance_stats, usage_count, created_at,
                                      updated_at)
    VALUES (%(creator_id)s, %(id)s, %(name)s, %(category)s, %(language)s, %(template_text)s,
            %(price_minor)s, '{{}}', 0, %(now)s, %(now)s)
    ON CONFLICT (creator_id, name) DO NOTHING
    RETURNING {_TEMPLATE}
"""


async def list_templates(
    connection: Connection,
    creator_ids: list[UUID],
    limit: int,
    *,
    after: tuple[UUID, UUID] | None = None,
) -> Pending[list[Record]]:
    """Templates by creator, category and name; `after` is creator and id of the last one seen."""
    params = {
        "creator_ids": creator_ids,
        "limit": limit,
        "after_creator": None if after is None else after[0],
        "after": None if after is None else after[1],
    }
    return await send(connection, TEMPLATES, params, records(*_TEMPLATE_NAMES))


async def add_template(
    connection: Connection,
    *,
    creator_id: UUID,
    name: str,
    category: str,
    language: str,
    template_text: str,
    price_minor: int | None,
    now: datetime,
) -> Pending[list[Record]]:
    """Add a template; no record comes back when the name is taken."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "name": name,
        "category": category,
        "language": language,
        "template_text": template_text,
        "price_minor": price_minor,
        "now": now,
    }
    return await send(connection, ADD_TEMPLATE, params, records(*_TEMPLATE_NAMES))


KNOWN_TEMPLATES = """
    SELECT id FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND id = ANY(%(ids)s) AND archived_at IS NULL
"""


async def known_templates(
    connection: Connection, creator_id: UUID, template_ids: list[UUID]
) -> Pending[frozenset[UUID]]:
    """Those of some ids that are templates of this creator."""
    params = {"creator_id": creator_id, "ids": template_ids}
    return await send(
        connection, KNOWN_TEMPLATES, params, lambda rows: frozenset(row[0] for row in rows)
    )
