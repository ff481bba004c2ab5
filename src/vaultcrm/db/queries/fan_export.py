"""Everything that is held about a fan, some rows at a time: each list goes on behind an id."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Record, Rows, send

PROFILE = """
    SELECT f.id, f.handle, f.display_name AS "displayName", f.tier,
           f.lifetime_value_minor AS "lifetimeValueMinor", f.currency, f.notes,
           f.disclosed_at AS "disclosedAt", f.last_seen_at AS "lastSeenAt",
           f.created_at AS "createdAt", cr.handle AS creator,
           s.cooling_off_until AS "coolingOffUntil", s.lifted_until AS "capsLiftedUntil",
           s.reason AS "spendingCareReason"
    FROM fans f
    JOIN creators cr ON cr.id = f.creator_id
    LEFT JOIN fan_spending_care s ON s.creator_id = f.creator_id AND s.id = f.id
    WHERE f.creator_id = %(creator_id)s AND f.id = %(fan_id)s AND f.erased_at IS NULL
"""

_OF_FAN = "%(creator_id)s AND {alias}.fan_id = %(fan_id)s"
_OF_CONVERSATIONS = """%(creator_id)s AND {alias}.conversation_id = ANY(ARRAY(
        SELECT k.id FROM conversations k
        WHERE k.creator_id = %(creator_id)s AND k.fan_id = %(fan_id)s))"""


def _list(columns: str, table: str, alias: str, whose: str, joins: str = "") -> str:
    return f"""
        SELECT {columns}
        FROM {table} {alias} {joins}
        WHERE {alias}.creator_id = {whose.format(alias=alias)} AND {alias}.id > %(after)s
        ORDER BY {alias}.id LIMIT %(most)s
    """


LISTS: Mapping[str, str] = {
    "conversations": _list(
        """c.id, c.channel, c.external_ref AS "externalRef", c.mode, c.care,
           c.care_since AS "careSince", c.disclosure_asked_at AS "disclosureAskedAt",
           c.last_message_at AS "lastMessageAt", c.created_at AS "createdAt" """,
        "conversations",
        "c",
        _OF_FAN,
    ),
    "messages": _list(
        """m.id, m.conversation_id AS "conversationId", m.sender, m.author,
           m.external_id AS "externalId", m.text, m.price_minor AS "priceMinor", m.currency,
           m.media_ids AS "mediaIds", m.purchased_at AS "purchasedAt", m.sentiment, m.intent,
           m.language, m.generation_id AS "generationId", m.sent_at AS "sentAt" """,
        "messages",
        "m",
        _OF_CONVERSATIONS,
    ),
    "payments": _list(
        """p.id, p.kind, p.amount_minor AS "amountMinor", p.currency, p.paid_at AS "paidAt" """,
        "fan_payments",
        "p",
        _OF_FAN,
    ),
    "drafts": _list(
        """g.id, g.conversation_id AS "conversationId", g.generation_type AS "generationType",
           g.status, g.generated_message AS "generatedMessage",
           g.suggested_price_minor AS "suggestedPriceMinor", g.currency, g.alternatives, g.options,
           g.attempts, g.confidence_score AS confidence, g.reasoning, g.note,
           g.approval_reasons AS "approvalReasons", g.safety, g.model,
           g.created_at AS "createdAt", g.approved_at AS "decidedAt",
           g.final_message AS "finalMessage", g.final_price_minor AS "finalPriceMinor",
           f.feedback_type AS decision, f.reason AS "decisionReason",
           f.modification_notes AS "modificationNotes", f.performance_data AS outcome,
           k.marked_at AS "complaintMarkedAt" """,
        "ai_message_generations",
        "g",
        _OF_CONVERSATIONS,
        """LEFT JOIN ai_message_feedback f
             ON f.creator_id = g.creator_id AND f.generation_id = g.id
           LEFT JOIN message_complaints k
             ON k.creator_id = g.creator_id AND k.generation_id = g.id""",
    ),
    "moneyForMessages": _list(
        """p.id, p.kind, p.conversation_id AS "conversationId", p.message_ref AS "messageRef",
           p.message_id AS "messageId", p.amount_minor AS "amountMinor", p.currency,
           p.occurred_at AS "occurredAt", p.received_at AS "receivedAt" """,
        "message_payments",
        "p",
        _OF_CONVERSATIONS,
    ),
    "outcomes": _list(
        """o.id, o.conversation_id AS "conversationId", o.sent_at AS "sentAt", o.tier, o.replied,
           o.time_to_reply AS "timeToReply", o.purchased, o.revenue_minor AS "revenueMinor",
           o.refunded_minor AS "refundedMinor", o.currency """,
        "message_outcomes",
        "o",
        _OF_FAN,
    ),
    "leaving": _list(
        """o.id, o.conversation_id AS "conversationId", o.author, o.text,
           o.price_minor AS "priceMinor", o.currency, o.media_ids AS "mediaIds",
           o.delivery_status AS "deliveryStatus", o.external_id AS "externalId", o.error,
           o.created_at AS "createdAt", o.updated_at AS "updatedAt" """,
        "outbox",
        "o",
        _OF_CONVERSATIONS,
    ),
    "disclosures": _list(
        """d.id, d.conversation_id AS "conversationId", d.why, d.language,
           d.wording_version AS "wordingVersion", d.created_at AS "createdAt",
           d.sent_at AS "sentAt" """,
        "disclosures",
        "d",
        _OF_FAN,
    ),
}
"""What a fan's export lists, in its order. Each row has an `id`, by which the list goes on."""


async def profile(connection: Connection, creator_id: UUID, fan_id: UUID) -> Record | None:
    """The fan; None when there is none, or they are erased."""
    found = await _records(connection, PROFILE, {"creator_id": creator_id, "fan_id": fan_id})
    return found[0] if found else None


async def part(
    connection: Connection, name: str, creator_id: UUID, fan_id: UUID, *, after: UUID, most: int
) -> list[Record]:
    """The next rows of one of `LISTS`, by id."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "after": after, "most": most}
    return await _records(connection, LISTS[name], params)


async def _records(
    connection: Connection, statement: str, params: Mapping[str, Any]
) -> list[Record]:
    names: Sequence[str] = ()

    def read(rows: Rows) -> list[Record]:
        return [dict(zip(names, row, strict=True)) for row in rows]

    sent = await send(connection, statement, params, read)
    names = [column.name for column in sent.cursor.description or ()]
    return await sent.answer()
