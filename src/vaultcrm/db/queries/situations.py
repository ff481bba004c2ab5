"""What is known when a draft is asked for, in one statement over tenant tables."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.ab_tests import UNDER_TEST, read_running
from vaultcrm.domain.conversation import Author, Care, Conversation, Message, Mode, Sender
from vaultcrm.domain.drafting import Phrase
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Creator, Fan, Tier
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.domain.situation import (
    LAST_MESSAGES,
    MOST_SHOWN,
    QUIET,
    Activity,
    Situation,
    messages_shown,
)

# `recent` reads 101 index entries at most whatever the length of the conversation. Times travel as
# seconds since 1970 because JSON has no time of its own.
SITUATION = f"""
    SELECT cr.id, cr.handle, cr.display_name, cr.language, cr.region,
           f.id, f.handle, f.display_name, f.tier, f.lifetime_value_minor, f.currency,
           f.disclosed_at, f.last_seen_at, f.notes,
           c.channel, c.external_ref, c.mode, c.care, c.waiting_since,
           recent.messages, recent.fan_messages, recent.purchases, recent.last_fan_message_at,
           p.version, p.personality_type, p.tone_descriptors, p.forbidden_words,
           p.preferred_phrases, p.emoji_style, p.system_prompt,
           EXISTS (SELECT 1 FROM ai_message_generations g
                   WHERE g.creator_id = c.creator_id AND g.conversation_id = c.id
                     AND g.status = 'queued' AND g.stale_at IS NOT NULL),
           c.revision, a.config -> 'automatedSending', cr.rules_revision,
           c.disclosure_asked_at, cr.confidence_revision,
           {UNDER_TEST},
           ARRAY(SELECT e.text FROM learned_examples e
                 WHERE e.creator_id = c.creator_id ORDER BY e.place),
           recent.in_sitting
    FROM conversations c
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    LEFT JOIN channel_accounts a ON a.creator_id = c.creator_id AND a.channel = c.channel
    JOIN creators cr ON cr.id = c.creator_id
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(
                   m.id, m.sender, m.author, m.text, extract(epoch FROM m.sent_at),
                   m.price_minor, m.currency, extract(epoch FROM m.purchased_at))
                 ORDER BY m.age DESC) FILTER (WHERE m.age <= {MOST_SHOWN}) AS messages,
               count(*) FILTER (WHERE m.sender = 'fan' AND m.sent_at > %(month_ago)s)
                 AS fan_messages,
               count(*) FILTER (WHERE m.purchased_at > %(quarter_ago)s) AS purchases,
               max(m.sent_at) FILTER (WHERE m.sender = 'fan') AS last_fan_message_at,
               min(m.age) FILTER (WHERE m.sender = 'fan'
                                    AND m.quiet > interval '{QUIET.seconds} seconds') AS in_sitting
        FROM (SELECT x.*, row_number() OVER newest AS age,
                     x.sent_at - lead(x.sent_at) OVER newest AS quiet
              FROM messages x
              WHERE x.creator_id = c.creator_id AND x.conversation_id = c.id
              WINDOW newest AS (ORDER BY x.sent_at DESC, x.id DESC)
              ORDER BY x.sent_at DESC, x.id DESC
              LIMIT 100) m
    ) recent
    LEFT JOIN LATERAL (
        SELECT * FROM ai_creator_personalities v
        WHERE v.creator_id = c.creator_id
        ORDER BY v.version DESC
        LIMIT 1
    ) p ON true
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s AND c.erased_at IS NULL
      AND (%(fan_id)s::uuid IS NULL OR c.fan_id = %(fan_id)s::uuid)
"""

# What the creator has said and people let pass: approved or automatic replies with the fan's
# message before each, newest first, then templates.
REPERTOIRE = """
    (SELECT m.text,
            COALESCE((SELECT b.text FROM messages b
                      WHERE b.creator_id = m.creator_id AND b.conversation_id = m.conversation_id
                        AND b.sent_at < m.sent_at AND b.sender = 'fan'
                      ORDER BY b.sent_at DESC LIMIT 1), '') AS prompted_by,
            '' AS category, m.price_minor, 1::bigint AS uses, NULL::uuid AS template_id
     FROM messages m
     WHERE m.creator_id = %(creator_id)s AND m.sender = 'creator' AND m.author <> 'disclosure'
       AND m.text <> ''
     ORDER BY m.id DESC
     LIMIT 400)
    UNION ALL
    (SELECT t.template_text, '', t.category, t.price_minor, t.usage_count, t.id
     FROM ai_message_templates t
     WHERE t.creator_id = %(creator_id)s AND t.archived_at IS NULL
     ORDER BY t.usage_count DESC, t.id
     LIMIT 100)
"""


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _message(item: list[Any]) -> Message:
    message_id, sender, author, text, sent_at, price, currency, purchased_at = item
    return Message(
        id=UUID(message_id),
        sender=Sender(sender),
        author=Author(author),
        text=text,
        sent_at=datetime.fromtimestamp(sent_at, UTC),
        price=None if price is None else Money(price, currency),
        purchased_at=_time(purchased_at),
    )


def _read_situation(rows: Rows, creator_id: UUID, conversation_id: UUID) -> Situation | None:
    if not rows:
        return None
    row = rows[0]
    fan_id = row[5]
    personality = None
    if row[23] is not None:
        personality = Personality(
            creator_id=creator_id,
            version=row[23],
            personality_type=row[24],
            tone_descriptors=tuple(row[25]),
            forbidden_words=tuple(row[26]),
            preferred_phrases=tuple(row[27]),
            emoji_style=EmojiStyle(row[28]),
            system_prompt=row[29],
        )
    # Where a sitting's beginning is further back than is read, the revision counts as well.
    shown = messages_shown(row[31] if row[38] is None else row[38])
    messages = [_message(item) for item in (row[19] or ())[-shown:]]
    return Situation(
        creator=Creator(*row[0:5], *row[33:34]),
        fan=Fan(
            id=fan_id,
            creator_id=creator_id,
            handle=row[6],
            display_name=row[7],
            tier=Tier(row[8]),
            lifetime_value=Money(row[9], row[10]),
            disclosed_at=row[11],
            last_seen_at=row[12],
            notes=row[13],
        ),
        conversation=Conversation(
            id=conversation_id,
            creator_id=creator_id,
            fan_id=fan_id,
            channel=row[14],
            external_ref=row[15],
            mode=Mode(row[16]),
            care=None if row[17] is None else Care(row[17]),
            disclosure_asked_at=row[34],
        ),
        waiting_since=row[18],
        messages=tuple(messages[-LAST_MESSAGES:]),
        earlier=tuple(messages[:-LAST_MESSAGES]),
        activity=Activity(row[20], row[21], row[22]),
        personality=personality,
        stale_drafts=row[30],
        revision=row[31],
        account_automates=row[32],
        confidence_revision=row[35],
        under_test=read_running(row[36]),
        examples=tuple(row[37]),
    )


def _read_repertoire(rows: Rows) -> tuple[Phrase, ...]:
    return tuple(Phrase(*row) for row in rows)


async def load_situation(
    connection: Connection,
    *,
    creator_id: UUID,
    conversation_id: UUID,
    fan_id: UUID | None,
    now: datetime,
) -> Pending[Situation | None]:
    """The situation of a conversation; None when it is not there or is another fan's."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "fan_id": fan_id,
        "month_ago": now - timedelta(days=30),
        "quarter_ago": now - timedelta(days=90),
    }
    return await send(
        connection,
        SITUATION,
        params,
        lambda rows: _read_situation(rows, creator_id, conversation_id),
    )


async def load_repertoire(connection: Connection, creator_id: UUID) -> Pending[tuple[Phrase, ...]]:
    """Up to 400 things that the creator said and 100 templates, for the retrieval drafter."""
    return await send(connection, REPERTOIRE, {"creator_id": creator_id}, _read_repertoire)
