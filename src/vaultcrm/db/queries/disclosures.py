"""Telling fans about AI: the wordings in force, who asked, and who was told what and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.disclosure import Disclosure, Why, Wording
from vaultcrm.domain.ids import new_id

_IN_FORCE = """
    SELECT DISTINCT ON (w.language) w.language, w.version, w.text, w.created_at, w.created_by
    FROM disclosure_wordings w
    WHERE w.creator_id = %(creator_id)s
    ORDER BY w.language, w.version DESC
"""

# The language of a fan is what the checker model read in their latest messages.
SPOKEN = f"""
    SELECT (SELECT latest.language
            FROM (SELECT m.sender, m.language, m.sent_at, m.id FROM messages m
                  WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
                  ORDER BY m.sent_at DESC, m.id DESC LIMIT 20) latest
            WHERE latest.sender = 'fan' AND latest.language IS NOT NULL
            ORDER BY latest.sent_at DESC, latest.id DESC LIMIT 1),
           (SELECT jsonb_object_agg(own.language, jsonb_build_array(own.version, own.text))
            FROM ({_IN_FORCE}) own)
"""

WORDINGS = f"""
    SELECT own.language, own.version, own.text, own.created_at, u.name
    FROM ({_IN_FORCE}) own
    LEFT JOIN users u ON u.id = own.created_by
    ORDER BY own.language
"""

# Of two who save at once the second finds another version than the one that they changed.
ADD_WORDING = """
    INSERT INTO disclosure_wordings (creator_id, id, language, version, text, created_at,
                                     created_by)
    SELECT %(creator_id)s, %(id)s, %(language)s, %(version)s, %(text)s, %(now)s, %(user_id)s
    WHERE %(version)s - 1 = COALESCE(
        (SELECT max(w.version) FROM disclosure_wordings w
          WHERE w.creator_id = %(creator_id)s AND w.language = %(language)s), 0)
    ON CONFLICT (creator_id, language, version) DO NOTHING
    RETURNING version
"""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The language of a conversation, if it is known, and the creator's own wordings."""

    language: str | None
    own: Mapping[str, Wording]


def _read_spoken(rows: Rows) -> Spoken:
    language, own = rows[0]
    return Spoken(
        language,
        {code: Wording(code, version, text) for code, (version, text) in (own or {}).items()},
    )


async def spoken(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> Pending[Spoken]:
    """What it takes to choose a wording for a conversation."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    return await send(connection, SPOKEN, params, _read_spoken)


async def wordings(connection: Connection, creator_id: UUID) -> Pending[list[Record]]:
    """A creator's own wordings in force, by language, with who set them when."""
    names = records("language", "version", "text", "changed_at", "changed_by")
    return await send(connection, WORDINGS, {"creator_id": creator_id}, names)


async def add_wording(
    connection: Connection, creator_id: UUID, wording: Wording, user_id: UUID, now: datetime
) -> bool:
    """Let a wording hold from now on; False when its version does not follow the one in force."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "language": wording.language,
        "version": wording.version,
        "text": wording.text,
        "user_id": user_id,
        "now": now,
    }
    return await (await send(connection, ADD_WORDING, params, bool)).answer()


# ---- asked


# Who asks again right after being told has the answer above the question.
NOTE_ASKED = """
    UPDATE conversations c SET disclosure_asked_at = COALESCE(c.disclosure_asked_at, %(now)s)
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s
      AND NOT EXISTS (
        SELECT 1 FROM disclosures d
        WHERE d.creator_id = c.creator_id AND d.fan_id = c.fan_id
          AND d.conversation_id = c.id AND d.sent_at > %(told_since)s)
    RETURNING c.id
"""


async def note_asked(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    *,
    told_since: datetime,
    now: datetime,
) -> bool:
    """The fan asks; False when they were told in this conversation since `told_since`."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "told_since": told_since,
        "now": now,
    }
    return await (await send(connection, NOTE_ASKED, params, bool)).answer()


NOTE_ANSWERED = """
    UPDATE conversations SET disclosure_asked_at = NULL
    WHERE creator_id = %(creator_id)s AND fan_id = %(fan_id)s AND disclosure_asked_at <= %(at)s
"""


async def note_answered(
    connection: Connection, creator_id: UUID, fan_id: UUID, at: datetime
) -> None:
    """A person says that the fan was told at this time: what they asked before it is answered."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "at": at}
    await run(connection, NOTE_ANSWERED, params)


# ---- told

INSERT = """
    INSERT INTO disclosures (creator_id, id, fan_id, conversation_id, outbox_id, why, language,
                             wording_version, created_at)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(conversation_id)s, %(outbox_id)s, %(why)s,
            %(language)s, %(version)s, %(now)s)
"""

# One that is on its way in a conversation: with `alone` only one that goes before no message.
ON_ITS_WAY = """
    SELECT o.id FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.conversation_id = %(conversation_id)s
      AND o.author = 'disclosure' AND o.delivery_status IN ('pending', 'sending')
      AND NOT (%(alone)s AND EXISTS (
        SELECT 1 FROM outbox b WHERE b.creator_id = o.creator_id AND b.after_id = o.id))
    ORDER BY o.created_at
    LIMIT 1
"""

# Only one that nobody has tried to send, and that no other message of those that leave needs.
TAKE_BACK = """
    DELETE FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.id = %(id)s AND o.author = 'disclosure'
      AND o.delivery_status = 'pending' AND o.attempts = 0
      AND NOT EXISTS (
        SELECT 1 FROM outbox b
        WHERE b.creator_id = o.creator_id AND b.after_id = o.id AND b.id <> %(but_for)s
          AND b.delivery_status IN ('pending', 'sending'))
    RETURNING o.id
"""
FORGET = "DELETE FROM disclosures WHERE creator_id = %(creator_id)s AND outbox_id = %(id)s"

NOTE_SENT = """
    UPDATE disclosures SET sent_at = %(at)s
    WHERE creator_id = %(creator_id)s AND outbox_id = %(outbox_id)s
    RETURNING id, creator_id, fan_id, conversation_id, outbox_id, why, language, wording_version,
              created_at, sent_at
"""
NOTE_TOLD = """
    UPDATE fans SET disclosed_at = GREATEST(disclosed_at, %(at)s)
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s
"""
# That a fan was told is no answer to what else they wrote: they wait on.
NOTE_SAID = """
    UPDATE conversations
    SET last_message_at = GREATEST(last_message_at, %(at)s),
        disclosure_asked_at = CASE WHEN disclosure_asked_at > %(at)s THEN disclosure_asked_at END
    WHERE creator_id = %(creator_id)s AND id = %(conversation_id)s
"""

OF_FAN = """
    SELECT d.id, d.conversation_id, d.why, d.language, d.wording_version, d.created_at, d.sent_at,
           o.delivery_status, o.error, o.text, u.name
    FROM disclosures d
    LEFT JOIN outbox o ON o.creator_id = d.creator_id AND o.id = d.outbox_id
    LEFT JOIN users u ON u.id = o.author_user_id
    WHERE d.creator_id = %(creator_id)s AND d.fan_id = %(fan_id)s
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT %(limit)s
"""
_OF_FAN_NAMES = (
    "id", "conversation_id", "why", "language", "wording_version", "created_at", "sent_at",
    "delivery_status", "error", "text", "by",
)  # fmt: skip


async def insert(connection: Connection, disclosure: Disclosure) -> None:
    """Note that a disclosure is on its way, in the transaction that puts it into the outbox."""
    params = {
        "creator_id": disclosure.creator_id,
        "id": disclosure.id,
        "fan_id": disclosure.fan_id,
        "conversation_id": disclosure.conversation_id,
        "outbox_id": disclosure.item_id,
        "why": disclosure.why.value,
        "language": disclosure.language,
        "version": disclosure.version,
        "now": disclosure.created_at,
    }
    await run(connection, INSERT, params)


async def on_its_way(
    connection: Connection, creator_id: UUID, conversation_id: UUID, *, alone: bool = False
) -> UUID | None:
    """The disclosure in the outbox of a conversation that has not been sent; None if none is."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "alone": alone}
    sent = await send(connection, ON_ITS_WAY, params, lambda rows: rows[0][0] if rows else None)
    return await sent.answer()


async def told_at(connection: Connection, creator_id: UUID, fan_id: UUID) -> datetime | None:
    """When a fan was last told; None where they never were."""
    statement = "SELECT disclosed_at FROM fans WHERE creator_id = %(creator_id)s AND id = %(id)s"
    params = {"creator_id": creator_id, "id": fan_id}
    sent = await send(connection, statement, params, lambda rows: rows[0][0] if rows else None)
    return await sent.answer()


async def take_back(
    connection: Connection, creator_id: UUID, item_id: UUID, *, but_for: UUID
) -> bool:
    """Take a disclosure out of the outbox that nobody has tried to send; False when it is too
    late, or another message than `but_for` needs it.
    """
    params = {"creator_id": creator_id, "id": item_id, "but_for": but_for}
    taken = await (await send(connection, TAKE_BACK, params, bool)).answer()
    if taken:
        await run(connection, FORGET, {"creator_id": creator_id, "id": item_id})
    return taken


def _read_disclosure(rows: Rows) -> Disclosure | None:
    if not rows:
        return None
    row = rows[0]
    return Disclosure(
        id=row[0],
        creator_id=row[1],
        fan_id=row[2],
        conversation_id=row[3],
        item_id=row[4],
        why=Why(row[5]),
        language=row[6],
        version=row[7],
        created_at=row[8],
        sent_at=row[9],
    )


async def note_told(
    connection: Connection, creator_id: UUID, item_id: UUID, at: datetime
) -> Disclosure | None:
    """The platform has taken a disclosure: the fan has been told, and is answered if they asked."""
    params = {"creator_id": creator_id, "outbox_id": item_id, "at": at}
    told = await (await send(connection, NOTE_SENT, params, _read_disclosure)).answer()
    if told is None:
        return None
    await run(connection, NOTE_TOLD, {"creator_id": creator_id, "fan_id": told.fan_id, "at": at})
    said = {"creator_id": creator_id, "conversation_id": told.conversation_id, "at": at}
    await run(connection, NOTE_SAID, said)
    return told


async def of_fan(
    connection: Connection, creator_id: UUID, fan_id: UUID, limit: int
) -> Pending[list[Record]]:
    """When a fan was told, or is about to be, why and in which words, the latest first."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "limit": limit}
    return await send(connection, OF_FAN, params, records(*_OF_FAN_NAMES))
