"""Message templates: listed, searched, added, changed, archived, and filled in for a fan."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, send
from vaultcrm.db.queries.inbox import NAMED, search_query
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.template import (
    DAYS_OF_USES,
    Template,
    TemplateDraft,
    TemplateFacts,
    read_stats,
)

_TEMPLATE = """
    id, creator_id, name, category, language, template_text, price_minor, performance_stats,
    usage_count, archived_at, created_at, updated_at
"""
_TEMPLATE_NAMES = (
    "id", "creator_id", "name", "category", "language", "template_text", "price_minor",
    "performance_stats", "usage_count", "archived_at", "created_at", "updated_at",
)  # fmt: skip
_read = records(*_TEMPLATE_NAMES)


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """Which templates are wanted; None and "" leave a question open."""

    search: str = ""
    category: GenerationType | None = None
    language: str | None = None
    archived: bool = False


# The last row of the page before is looked up by its key: a category and a name of any length would
# make a cursor of any length.
TEMPLATES = f"""
    SELECT {_TEMPLATE} FROM ai_message_templates
    WHERE creator_id = ANY(%(creator_ids)s) AND (archived_at IS NOT NULL) = %(archived)s
      AND (%(category)s::text IS NULL OR category = %(category)s)
      AND (%(language)s::text IS NULL OR language = %(language)s)
      AND (%(search)s = '' OR strpos(lower(name), lower(%(search)s)) > 0
           OR strpos(lower(template_text), lower(%(search)s)) > 0)
      AND (%(after)s::uuid IS NULL
           OR (creator_id, category, name) >
              (SELECT l.creator_id, l.category, l.name FROM ai_message_templates l
               WHERE l.creator_id = %(after_creator)s AND l.id = %(after)s))
    ORDER BY creator_id, category, name
    LIMIT %(limit)s
"""
# What begins with the words stands first, then what holds them in its name, then in its text.
MATCHING = f"""
    SELECT {_TEMPLATE} FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND archived_at IS NULL
      AND (strpos(lower(name), lower(%(search)s)) > 0
           OR strpos(lower(template_text), lower(%(search)s)) > 0
           OR strpos(category, lower(%(search)s)) = 1)
    ORDER BY CASE strpos(lower(name), lower(%(search)s)) WHEN 1 THEN 0 WHEN 0 THEN 2 ELSE 1 END,
             usage_count DESC, name
    LIMIT %(limit)s
"""
GET_TEMPLATE = f"""
    SELECT {_TEMPLATE} FROM ai_message_templates
    WHERE creator_id = ANY(%(creator_ids)s) AND id = %(id)s
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
# Two clocks may differ: the time of a change is never that of the change before.
_CHANGED_AT = "GREATEST(%(now)s, updated_at + interval '1 microsecond')"
CHANGE_TEMPLATE = f"""
    UPDATE ai_message_templates
    SET name = %(name)s, category = %(category)s, language = %(language)s,
        template_text = %(template_text)s, price_minor = %(price_minor)s, updated_at = {_CHANGED_AT}
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND updated_at = %(seen)s
    RETURNING {_TEMPLATE}
"""
SET_ARCHIVED = f"""
    UPDATE ai_message_templates
    SET archived_at = CASE WHEN %(archived)s THEN %(now)s::timestamptz END,
        updated_at = {_CHANGED_AT}
    WHERE creator_id = %(creator_id)s AND id = %(id)s
      AND (archived_at IS NOT NULL) <> %(archived)s
    RETURNING {_TEMPLATE}
"""
KNOWN_TEMPLATES = """
    SELECT id FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND id = ANY(%(ids)s) AND archived_at IS NULL
"""
NAMES_IN_USE = """
    SELECT id, name, category FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND archived_at IS NULL
    ORDER BY category, name
    LIMIT %(most)s
"""
CATEGORIES = """
    SELECT id::text, category, length(template_text) FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND id = ANY(%(ids)s)
"""
OF_THAT_NAME = """
    SELECT id, archived_at FROM ai_message_templates
    WHERE creator_id = %(creator_id)s AND name = %(name)s
"""
LANGUAGES = """
    SELECT DISTINCT language FROM ai_message_templates WHERE creator_id = ANY(%(creator_ids)s)
    ORDER BY language
"""
# Days that the chart has left behind are dropped with the next use.
COUNT_USE = f"""
    UPDATE ai_message_templates
    SET usage_count = usage_count + 1,
        performance_stats = performance_stats || jsonb_build_object('usesByDay', (
            SELECT jsonb_object_agg(u.day, u.uses)
            FROM (SELECT e.key AS day, e.value AS uses
                  FROM jsonb_each(COALESCE(performance_stats -> 'usesByDay', '{{}}')) e
                  WHERE e.key > %(oldest)s AND e.key <> %(today)s
                  UNION ALL
                  SELECT %(today)s, to_jsonb(1 + COALESCE(
                      (performance_stats -> 'usesByDay' ->> %(today)s)::bigint, 0))) u))
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND archived_at IS NULL
    RETURNING {_TEMPLATE}
"""


def as_template(record: Record) -> Template:
    """A record of a template as a value."""
    return Template(
        id=record["id"],
        creator_id=record["creator_id"],
        draft=TemplateDraft(
            name=record["name"],
            category=GenerationType(record["category"]),
            language=record["language"],
            text=record["template_text"],
            price_minor=record["price_minor"],
        ),
        stats=read_stats(record["performance_stats"]),
        usage_count=record["usage_count"],
        archived_at=record["archived_at"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
    )


async def list_templates(
    connection: Connection,
    creator_ids: list[UUID],
    limit: int,
    *,
    after: tuple[UUID, UUID] | None = None,
    wanted: TemplateFilter | None = None,
) -> Pending[list[Record]]:
    """Templates by creator, category and name; `after` is creator and id of the last one seen."""
    wanted = wanted or TemplateFilter()
    params = {
        "creator_ids": creator_ids,
        "limit": limit,
        "after_creator": None if after is None else after[0],
        "after": None if after is None else after[1],
        "search": wanted.search,
        "category": None if wanted.category is None else wanted.category.value,
        "language": wanted.language,
        "archived": wanted.archived,
    }
    return await send(connection, TEMPLATES, params, _read)


async def matching_templates(
    connection: Connection, creator_id: UUID, search: str, limit: int
) -> Pending[list[Record]]:
    """What fits some words best, in name, category or text; the most used first among equals."""
    params = {"creator_id": creator_id, "search": search, "limit": limit}
    return await send(connection, MATCHING, params, _read)


async def get_template(
    connection: Connection, creator_ids: list[UUID], template_id: UUID
) -> Pending[list[Record]]:
    """One template, archived or not."""
    params = {"creator_ids": creator_ids, "id": template_id}
    return await send(connection, GET_TEMPLATE, params, _read)


def _params(draft: TemplateDraft) -> dict[str, object]:
    return {
        "name": draft.name,
        "category": draft.category.value,
        "language": draft.language,
        "template_text": draft.text,
        "price_minor": draft.price_minor,
    }


async def add_template(
    connection: Connection, creator_id: UUID, draft: TemplateDraft, now: datetime
) -> Pending[list[Record]]:
    """Add a template; no record comes back when the name is taken."""
    params = {**_params(draft), "creator_id": creator_id, "id": new_id(), "now": now}
    return await send(connection, ADD_TEMPLATE, params, _read)


async def change_template(
    connection: Connection,
    creator_id: UUID,
    template_id: UUID,
    draft: TemplateDraft,
    *,
    seen: datetime,
    now: datetime,
) -> Pending[list[Record]]:
    """Change the template that was last changed at `seen`; no record comes back for any other.

    Raises psycopg's UniqueViolation when the name is another one's.
    """
    params = {
        **_params(draft),
        "creator_id": creator_id,
        "id": template_id,
        "seen": seen,
        "now": now,
    }
    return await send(connection, CHANGE_TEMPLATE, params, _read)


async def set_archived(
    connection: Connection, creator_id: UUID, template_id: UUID, archived: bool, now: datetime
) -> Pending[list[Record]]:
    """Put a template away, or take it back; no record comes back for one that is so already."""
    params = {"creator_id": creator_id, "id": template_id, "archived": archived, "now": now}
    return await send(connection, SET_ARCHIVED, params, _read)


async def known_templates(
    connection: Connection, creator_id: UUID, template_ids: list[UUID]
) -> Pending[frozenset[UUID]]:
    """Those of some ids that are templates of this creator."""
    params = {"creator_id": creator_id, "ids": template_ids}
    return await send(
        connection, KNOWN_TEMPLATES, params, lambda rows: frozenset(row[0] for row in rows)
    )


async def names_in_use(
    connection: Connection, creator_id: UUID, most: int
) -> Pending[list[tuple[UUID, str, GenerationType]]]:
    """Id, name and category of a creator's templates that are not archived."""
    return await send(
        connection,
        NAMES_IN_USE,
        {"creator_id": creator_id, "most": most},
        lambda rows: [(one, name, GenerationType(category)) for one, name, category in rows],
    )


async def categories(
    connection: Connection, creator_id: UUID, template_ids: list[UUID]
) -> Pending[dict[str, tuple[str, int]]]:
    """Category and length in characters of some templates of a creator, by their ids."""
    params = {"creator_id": creator_id, "ids": template_ids}
    return await send(
        connection,
        CATEGORIES,
        params,
        lambda rows: {one: (category, length) for one, category, length in rows},
    )


async def template_named(
    connection: Connection, creator_id: UUID, name: str
) -> Pending[list[Record]]:
    """The template of that name, archived or not: its id and when it was archived."""
    params = {"creator_id": creator_id, "name": name}
    return await send(connection, OF_THAT_NAME, params, records("id", "archived_at"))


async def languages_of(connection: Connection, creator_ids: list[UUID]) -> Pending[tuple[str, ...]]:
    """The languages in which there are templates."""
    return await send(
        connection,
        LANGUAGES,
        {"creator_ids": creator_ids},
        lambda rows: tuple(row[0] for row in rows),
    )


async def count_use(
    connection: Connection, creator_id: UUID, template_id: UUID, now: datetime
) -> Pending[list[Record]]:
    """Count one use today and return the template; no record comes back for an archived one."""
    today = now.date()
    params = {
        "creator_id": creator_id,
        "id": template_id,
        "today": today.isoformat(),
        "oldest": (today - timedelta(days=DAYS_OF_USES)).isoformat(),
    }
    return await send(connection, COUNT_USE, params, _read)


# ---- the fan that a template is filled in for


@dataclass(frozen=True, slots=True)
class FilledFor:
    """A conversation whose fan a template is filled in for."""

    creator_id: UUID
    conversation_id: UUID
    facts: TemplateFacts
    currency: str
    channel: str


_FILLED_FOR = """
    SELECT c.creator_id, c.id, f.display_name, cr.display_name, bought.price_minor,
           bought.currency, bought.purchased_at, c.last_fan_message_at, f.currency, c.channel
    FROM conversations c
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    JOIN creators cr ON cr.id = c.creator_id
    LEFT JOIN LATERAL (
        SELECT m.price_minor, m.currency, m.purchased_at FROM messages m
        WHERE m.creator_id = c.creator_id AND m.conversation_id = c.id
          AND m.purchased_at IS NOT NULL
        ORDER BY m.purchased_at DESC
        LIMIT 1
    ) bought ON true
"""
FILLED_FOR = f"""{_FILLED_FOR}
    WHERE c.creator_id = ANY(%(creator_ids)s) AND c.id = %(conversation_id)s
"""
FILLED_FOR_LATEST = f"""{_FILLED_FOR}
    WHERE c.creator_id = %(creator_id)s
    ORDER BY COALESCE(c.last_message_at, c.created_at) DESC, c.id DESC
    LIMIT 1
"""


def _read_filled_for(rows: Rows) -> FilledFor | None:
    if not rows:
        return None
    [row] = rows
    return FilledFor(
        creator_id=row[0],
        conversation_id=row[1],
        facts=TemplateFacts(
            fan_name=row[2],
            creator_name=row[3],
            last_purchase=None if row[4] is None else Money(row[4], row[5]),
            last_purchase_at=row[6],
            last_message_at=row[7],
        ),
        currency=row[8],
        channel=row[9],
    )


async def filled_for(
    connection: Connection, creator_ids: list[UUID], conversation_id: UUID
) -> Pending[FilledFor | None]:
    """What is known of the fan of a conversation; None when it is not one of these creators'."""
    params = {"creator_ids": creator_ids, "conversation_id": conversation_id}
    return await send(connection, FILLED_FOR, params, _read_filled_for)


async def filled_for_latest(connection: Connection, creator_id: UUID) -> Pending[FilledFor | None]:
    """What is known of the fan whom a creator talked with last; None while there are none."""
    params = {"creator_id": creator_id}
    return await send(connection, FILLED_FOR_LATEST, params, _read_filled_for)


# The newest fan's currency stands for the creator's: platforms pay a creator in one.
CURRENCIES = """
    SELECT c.creator_id, COALESCE((SELECT f.currency FROM fans f
                                   WHERE f.creator_id = c.creator_id
                                   ORDER BY f.id DESC LIMIT 1), 'USD')
    FROM unnest(%(creator_ids)s::uuid[]) c (creator_id)
"""


async def currencies_of(
    connection: Connection, creator_ids: list[UUID]
) -> Pending[dict[UUID, str]]:
    """By creator, the currency that prices are shown in where there is no fan to tell: USD while
    there are no fans.
    """
    params = {"creator_ids": creator_ids}
    return await send(connection, CURRENCIES, params, lambda rows: {row[0]: row[1] for row in rows})


async def currency_of(connection: Connection, creator_id: UUID) -> Pending[str]:
    """The same for one creator."""
    params = {"creator_ids": [creator_id]}
    return await send(connection, CURRENCIES, params, lambda rows: str(rows[0][1]))


_LATEST = "COALESCE(c.last_message_at, c.created_at) DESC, c.id DESC"
RECENT_FANS = f"""
    SELECT c.id AS conversation_id, f.display_name, f.handle
    FROM conversations c JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE c.creator_id = %(creator_id)s AND c.erased_at IS NULL
    ORDER BY {_LATEST}
    LIMIT %(limit)s
"""
# Fans are found before their conversations, for the reason that the inbox gives.
FANS_NAMED = f"""
    SELECT c.id AS conversation_id, f.display_name, f.handle
    FROM (SELECT f.id, f.display_name, f.handle FROM fans_to_find f
          WHERE f.creator_id = %(creator_id)s AND f.erased_at IS NULL AND {NAMED}
          OFFSET 0) f
    JOIN conversations c ON c.creator_id = %(creator_id)s AND c.fan_id = f.id
    ORDER BY {_LATEST}
    LIMIT %(limit)s
"""


async def fans_to_preview(
    connection: Connection, creator_id: UUID, search: str, limit: int
) -> Pending[list[Record]]:
    """Conversations with the names of their fans, the latest message first. Each word of the
    search begins a word of the name or the handle; without a word, all fans are meant.
    """
    words = search_query(search)
    params = {"creator_id": creator_id, "search": words, "limit": limit}
    statement = FANS_NAMED if words else RECENT_FANS
    return await send(
        connection, statement, params, records("conversation_id", "display_name", "handle")
    )
