"""Personalities: one row a version, the highest version is the one in force."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, send
from vaultcrm.db.queries.inbox import search_query
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.personality import EmojiStyle, Personality

_VOICE = """
    creator_id, version, personality_type, tone_descriptors, forbidden_words, preferred_phrases,
    emoji_style, system_prompt
"""

CURRENT = f"""
    SELECT {_VOICE}
    FROM ai_creator_personalities
    WHERE creator_id = %(creator_id)s
    ORDER BY version DESC
    LIMIT 1
"""

# Of two people who save version n + 1 at once, the unique constraint lets one through.
ADD_VERSION = """
    INSERT INTO ai_creator_personalities
        (creator_id, id, version, personality_type, tone_descriptors, forbidden_words,
         preferred_phrases, emoji_style, system_prompt, created_at, created_by)
    VALUES (%(creator_id)s, %(id)s, %(version)s, %(personality_type)s, %(tone_descriptors)s,
            %(forbidden_words)s, %(preferred_phrases)s, %(emoji_style)s, %(system_prompt)s,
            %(now)s, %(user_id)s)
    ON CONFLICT (creator_id, version) DO NOTHING
    RETURNING version
"""


def _read(rows: Rows) -> Personality | None:
    return _voice(rows[0]) if rows else None


def _voice(row: Sequence[Any]) -> Personality:
    creator_id, version, kind, tone, forbidden, preferred, emoji, prompt = row
    return Personality(
        creator_id,
        version,
        kind,
        tuple(tone),
        tuple(forbidden),
        tuple(preferred),
        EmojiStyle(emoji),
        prompt,
    )


async def current(connection: Connection, creator_id: UUID) -> Pending[Personality | None]:
    return await send(connection, CURRENT, {"creator_id": creator_id}, _read)


async def add_version(
    connection: Connection, personality: Personality, user_id: UUID | None, now: datetime
) -> bool:
    """Save a version; False when somebody else has saved the same version number first."""
    params = {
        "creator_id": personality.creator_id,
        "id": new_id(),
        "version": personality.version,
        "personality_type": personality.personality_type,
        "tone_descriptors": list(personality.tone_descriptors),
        "forbidden_words": list(personality.forbidden_words),
        "preferred_phrases": list(personality.preferred_phrases),
        "emoji_style": personality.emoji_style.value,
        "system_prompt": personality.system_prompt,
        "user_id": user_id,
        "now": now,
    }
    return await (await send(connection, ADD_VERSION, params, bool)).answer()


KNOWN_VERSIONS = """
    SELECT version FROM ai_creator_personalities
    WHERE creator_id = %(creator_id)s AND version = ANY(%(versions)s)
"""


async def known_versions(
    connection: Connection, creator_id: UUID, versions: list[int]
) -> Pending[frozenset[int]]:
    """Those of some versions that a personality has; version 0 has no row and is none of them."""
    params = {"creator_id": creator_id, "versions": versions}
    return await send(
        connection, KNOWN_VERSIONS, params, lambda rows: frozenset(row[0] for row in rows)
    )


@dataclass(frozen=True, slots=True)
class SavedVersion:
    """A version with who saved it and when; nobody's name where the product itself did."""

    voice: Personality
    saved_at: datetime
    saved_by: str | None


_VERSION = f"""
    SELECT {", ".join(f"p.{column.strip()}" for column in _VOICE.split(","))}, p.created_at, u.name
    FROM ai_creator_personalities p
    LEFT JOIN users u ON u.id = p.created_by
    WHERE p.creator_id = %(creator_id)s
"""
VERSIONS = f"""
    {_VERSION} AND (%(before)s::int IS NULL OR p.version < %(before)s)
    ORDER BY p.version DESC
    LIMIT %(limit)s
"""
VERSION = f"{_VERSION} AND p.version = %(version)s"


def _read_versions(rows: Rows) -> tuple[SavedVersion, ...]:
    return tuple(SavedVersion(_voice(row[:8]), row[8], row[9]) for row in rows)


async def versions(
    connection: Connection, creator_id: UUID, *, before: int | None, limit: int
) -> Pending[tuple[SavedVersion, ...]]:
    """The versions of a voice, the newest first; `before` is the last one seen."""
    params = {"creator_id": creator_id, "before": before, "limit": limit}
    return await send(connection, VERSIONS, params, _read_versions)


async def saved_version(
    connection: Connection, creator_id: UUID, version: int
) -> Pending[SavedVersion | None]:
    params = {"creator_id": creator_id, "version": version}
    return await send(
        connection, VERSION, params, lambda rows: next(iter(_read_versions(rows)), None)
    )


LATEST = """
    SELECT DISTINCT ON (creator_id) creator_id, version, created_at
    FROM ai_creator_personalities
    WHERE creator_id = ANY(%(creator_ids)s)
    ORDER BY creator_id, version DESC
"""


async def latest(
    connection: Connection, creator_ids: Sequence[UUID]
) -> Pending[Mapping[UUID, tuple[int, datetime]]]:
    """Number and time of the version in force, by creator; who has none is not among them."""
    return await send(
        connection,
        LATEST,
        {"creator_ids": list(creator_ids)},
        lambda rows: {creator_id: (version, at) for creator_id, version, at in rows},
    )


# The few conversations are chosen first; only their last messages are then read. Fans are found by
# the same index as in the inbox, which reads its expression as it stands here.
_TALKS = """
    SELECT c.id, c.fan_name, c.tier, c.last_message_at, m.sender, m.text
    FROM (SELECT c.creator_id, c.id, f.display_name AS fan_name, f.tier, c.last_message_at
          FROM conversations c
          JOIN {fans} f ON f.creator_id = c.creator_id AND f.id = c.fan_id
          WHERE c.creator_id = %(creator_id)s AND c.mode <> 'off'
          ORDER BY c.last_message_at DESC NULLS LAST, c.id DESC
          LIMIT %(limit)s) c
    LEFT JOIN LATERAL (
        SELECT x.sender, left(x.text, 160) AS text
        FROM messages x
        WHERE x.creator_id = c.creator_id AND x.conversation_id = c.id
        ORDER BY x.sent_at DESC, x.id DESC
        LIMIT 1) m ON true
    ORDER BY c.last_message_at DESC NULLS LAST, c.id DESC
"""
RECENT_TALKS = _TALKS.format(fans="fans")
TALKS_WITH = _TALKS.format(
    fans=r"""
          (SELECT f.creator_id, f.id, f.display_name, f.tier FROM fans f
           WHERE f.creator_id = %(creator_id)s
             AND to_tsvector('simple', translate(f.display_name || ' ' || f.handle,
                                         '!"#$%%&''()*+,-./:;<=>?@[\]^_`{|}~',
                                         '                                '))
                 @@ to_tsquery('simple', %(search)s)
           OFFSET 0)"""
)


async def talks(
    connection: Connection, creator_id: UUID, *, name: str, limit: int
) -> Pending[list[Record]]:
    """Conversations in which AI may draft, the latest message first, each with that message.

    With a `name`, those of fans in whose name or handle a word begins with each of its words.
    """
    search = search_query(name)
    params = {"creator_id": creator_id, "search": search, "limit": limit}
    read = records("id", "fan_name", "tier", "last_message_at", "sender", "text")
    return await send(connection, TALKS_WITH if search else RECENT_TALKS, params, read)
