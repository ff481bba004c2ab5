"""Personalities: one row a version, the highest version is the one in force."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.personality import EmojiStyle, Personality

CURRENT = """
    SELECT creator_id, version, personality_type, tone_descriptors, forbidden_words,
           preferred_phrases, emoji_style, system_prompt
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
    if not rows:
        return None
    creator_id, version, kind, tone, forbidden, preferred, emoji, prompt = rows[0]
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
