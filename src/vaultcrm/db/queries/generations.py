"""Generations: saved once, decided once. What waits for a person is in `queue`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.db.queries.confidence import in_ten_thousandths
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions, Length, Tone
from vaultcrm.domain.experiments import Assignment
from vaultcrm.domain.generation import (
    Attempt,
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
    TokenUsage,
)
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Verdict

# A message that came in while the model was writing locks the conversation's row and then marks
# waiting drafts as stale; this locks the same row and then compares its revision. Whichever comes
# second sees the other, so a draft that missed a message is never taken for a fresh one.
INSERT = """
    INSERT INTO ai_message_generations
        (creator_id, id, conversation_id, fan_id, chatter_id, generation_type, status,
         generated_message, suggested_price_minor, currency, alternatives, confidence_score,
         reasoning, note, approval_reasons, safety, priority, model, prompt_version,
         personality_version, last_message_id, input_tokens, output_tokens, cached_tokens,
         cost_micro_usd, created_at, options, template_id, attempts, confidence_inputs,
         confidence_model, audit_propensity, ab_variants, stale_at)
    SELECT c.creator_id, %s, c.id, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s,
           %s::jsonb, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s::jsonb,
           %s::real[], %s, %s, %s::jsonb,
           CASE WHEN c.revision <> %s THEN %s::timestamptz END
    FROM conversations c
    WHERE c.creator_id = %s AND c.id = %s
    FOR NO KEY UPDATE OF c
    RETURNING stale_at
"""

# A draft that the fan has overtaken makes room for the new one.
EXPIRE_STALE = """
    UPDATE ai_message_generations SET status = 'expired'
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND status = 'queued' AND stale_at IS NOT NULL
"""

MARK_STALE = """
    UPDATE ai_message_generations SET stale_at = %(now)s
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND status = 'queued' AND stale_at IS NULL
"""

# A person has answered, or a setting says that what is overtaken goes: what waits is over.
EXPIRE = """
    UPDATE ai_message_generations SET status = 'expired'
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND status = 'queued'
    RETURNING generation_type
"""

COLUMNS = """
    g.creator_id, g.id, g.conversation_id, g.fan_id, g.chatter_id, g.generation_type, g.status,
    g.generated_message, g.suggested_price_minor, g.currency, g.alternatives, g.confidence_score,
    g.reasoning, g.note, g.approval_reasons, g.safety, g.priority, g.model, g.prompt_version,
    g.personality_version, g.last_message_id, g.input_tokens, g.output_tokens, g.cached_tokens,
    g.cost_micro_usd, g.created_at, g.stale_at, g.claimed_by, g.claimed_until, g.approved_at,
    g.approved_by, g.final_message, g.final_price_minor, g.snoozed_until, g.options, g.template_id,
    g.attempts
"""

_WITH_DELIVERY = f"""
    SELECT {COLUMNS}, o.delivery_status, o.error, o.not_before
    FROM ai_message_generations g
    LEFT JOIN outbox o ON o.creator_id = g.creator_id AND o.generation_id = g.id
"""
GET = f"{_WITH_DELIVERY} WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s"

# The API's decisions and claims name no creator. These two try the key under each creator there is;
# they are the only ones that ask every shard, and they run before anything is locked.
_UNDER_ANY_CREATOR = "creator_id = ANY(ARRAY(SELECT id FROM creators))"
FIND = f"{_WITH_DELIVERY} WHERE g.{_UNDER_ANY_CREATOR} AND g.id = %(id)s"
FIND_CREATOR = f"""
    SELECT creator_id FROM ai_message_generations WHERE {_UNDER_ANY_CREATOR} AND id = %(id)s
"""

# The decision is this one conditional UPDATE: of two people deciding at once one gets the row back.
# Whoever holds a live claim keeps others out; a stale draft passes only if the person insists.
DECIDE = f"""
    UPDATE ai_message_generations g
    SET status = %(status)s, approved_at = %(now)s, approved_by = %(user_id)s,
        final_message = %(final_message)s, final_price_minor = %(final_price_minor)s,
        claimed_by = NULL, claimed_until = NULL
    WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s AND g.status = 'queued'
      AND (g.stale_at IS NULL OR %(although_stale)s)
      AND (g.claimed_by IS NULL OR g.claimed_by = %(user_id)s OR g.claimed_until < %(now)s)
    RETURNING {COLUMNS}, NULL::text, NULL::text, NULL::timestamptz
"""

OF_CONVERSATION = f"""
    SELECT {COLUMNS}, o.delivery_status, o.error, o.not_before
    FROM ai_message_generations g
    LEFT JOIN outbox o ON o.creator_id = g.creator_id AND o.generation_id = g.id
    WHERE g.creator_id = %(creator_id)s AND g.conversation_id = %(conversation_id)s
    ORDER BY g.created_at DESC
    LIMIT %(limit)s
"""


TAKE_BACK = f"""
    UPDATE ai_message_generations g
    SET status = 'queued', approved_at = NULL, approved_by = NULL, final_message = NULL,
        final_price_minor = NULL, claimed_by = %(user_id)s, claimed_until = %(until)s,
        stale_at = COALESCE(g.stale_at, %(stale_at)s)
    WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s AND g.status = 'approved'
    RETURNING {COLUMNS}, NULL::text, NULL::text, NULL::timestamptz
"""


def safety_as_json(report: SafetyReport) -> str:
    """The report as it is stored: verdict, score and findings with short keys."""
    return json.dumps(_safety_stored(report))


def _safety_stored(report: SafetyReport) -> dict[str, Any]:
    return {
        "verdict": report.verdict.value,
        "score": report.score,
        "findings": [
            [
                f.category.value,
                f.start,
                f.end,
                f.rule,
                f.tier.value,
                f.score,
                f.matched,
                f.reason,
            ]
            for f in report.findings
        ],
    }


def _attempts_as_json(attempts: tuple[Attempt, ...]) -> str | None:
    if not attempts:
        return None
    return json.dumps(
        [{"message": one.message, "safety": _safety_stored(one.safety)} for one in attempts]
    )


def _safety(stored: dict[str, Any]) -> SafetyReport:
    return SafetyReport(
        verdict=Verdict(stored["verdict"]),
        score=stored["score"],
        findings=tuple(
            Finding(Category(c), start, end, rule, FindingTier(tier), score, matched, reason)
            for c, start, end, rule, tier, score, matched, reason in stored["findings"]
        ),
    )


def read_one(rows: Rows) -> GenerationRecord | None:
    return _record(rows[0]) if rows else None


def read_all(rows: Rows) -> tuple[GenerationRecord, ...]:
    return tuple(_record(row) for row in rows)


def _record(row: tuple[Any, ...]) -> GenerationRecord:
    currency = row[9]
    return GenerationRecord(
        creator_id=row[0],
        id=row[1],
        conversation_id=row[2],
        fan_id=row[3],
        chatter_id=row[4],
        generation_type=GenerationType(row[5]),
        status=GenerationStatus(row[6]),
        message=row[7],
        suggested_price=None if row[8] is None else Money(row[8], currency),
        currency=currency,
        alternatives=tuple(row[10] or ()),
        confidence=row[11],
        reasoning=row[12],
        note=row[13],
        approval_reasons=tuple(ApprovalReason(reason) for reason in row[14]),
        safety=_safety(row[15]),
        priority=row[16],
        model=row[17],
        prompt_version=row[18],
        personality_version=row[19],
        last_message_id=row[20],
        usage=TokenUsage(input=row[21], output=row[22], cache_read=row[23]),
        cost_micro_usd=row[24],
        created_at=row[25],
        stale_at=row[26],
        claimed_by=row[27],
        claimed_until=row[28],
        approved_at=row[29],
        approved_by=row[30],
        final_message=row[31],
        final_price=None if row[32] is None else Money(row[32], currency),
        snoozed_until=row[33],
        options=_options(row[34]),
        template_id=row[35],
        attempts=tuple(Attempt(one["message"], _safety(one["safety"])) for one in row[36] or ()),
        delivery_status=None if row[37] is None else DeliveryStatus(row[37]),
        delivery_error=row[38],
        leaves_at=row[39],
    )


def _variants_as_json(assignments: tuple[Assignment, ...]) -> str | None:
    """By test: the variant, how probable it was, and the epoch of the shares."""
    if not assignments:
        return None
    return json.dumps(
        {str(one.test_id): [one.variant, one.propensity, one.epoch] for one in assignments}
    )


def _options_as_json(options: DraftOptions) -> str | None:
    """The options as they are stored, without what was left open; None when all of it was."""
    if options == NO_OPTIONS:
        return None
    return json.dumps({name: value for name, value in asdict(options).items() if value})


def _options(stored: dict[str, str] | None) -> DraftOptions:
    if stored is None:
        return NO_OPTIONS
    tone, length = stored.get("tone"), stored.get("length")
    return DraftOptions(
        tone=Tone(tone) if tone else None,
        length=Length(length) if length else None,
        hint=stored.get("hint", ""),
        begin_from=stored.get("begin_from", ""),
    )


def _array(numbers: Sequence[float]) -> str:
    """An array as PostgreSQL reads it. psycopg asks of each item whether it needs quotes."""
    return f"{{{','.join(map(str, numbers))}}}"


async def insert(
    connection: Connection, record: GenerationRecord, revision: int
) -> Pending[datetime | None]:
    """Save a new generation; the answer is since when it is stale, or None.

    It is stale from the start when the conversation, at `revision` when the draft was asked for,
    has gone on since. Cache writes are counted as input, as they are read in full.
    """
    price, scored = record.suggested_price, record.scored
    params = (
        record.id,
        record.fan_id,
        record.chatter_id,
        record.generation_type.value,
        record.status.value,
        record.message,
        None if price is None else price.minor,
        record.currency,
        json.dumps(record.alternatives) if record.alternatives else None,
        record.confidence,
        record.reasoning,
        record.note,
        [reason.value for reason in record.approval_reasons],
        safety_as_json(record.safety),
        record.priority,
        record.model,
        record.prompt_version,
        record.personality_version,
        record.last_message_id,
        record.usage.input + record.usage.cache_write,
        record.usage.output,
        record.usage.cache_read,
        record.cost_micro_usd,
        record.created_at,
        _options_as_json(record.options),
        record.template_id,
        _attempts_as_json(record.attempts),
        None if scored is None else _array(scored.inputs),
        None if scored is None else scored.model_id,
        None if scored is None else in_ten_thousandths(scored.propensity),
        _variants_as_json(record.assignments),
        revision,
        record.created_at if record.status is GenerationStatus.QUEUED else None,
        record.creator_id,
        record.conversation_id,
    )
    return await send(connection, INSERT, params, lambda rows: rows[0][0] if rows else None)


async def expire_stale(connection: Connection, creator_id: UUID, conversation_id: UUID) -> None:
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    await run(connection, EXPIRE_STALE, params)


async def mark_stale(
    connection: Connection, creator_id: UUID, conversation_id: UUID, now: datetime
) -> None:
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "now": now}
    await run(connection, MARK_STALE, params)


async def expire(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> tuple[GenerationType, ...]:
    """Take every waiting draft of a conversation out of the queue; what types they were of."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    sent = await send(
        connection, EXPIRE, params, lambda rows: tuple(GenerationType(row[0]) for row in rows)
    )
    return await sent.answer()


async def get(
    connection: Connection, creator_id: UUID, generation_id: UUID
) -> Pending[GenerationRecord | None]:
    """One generation with the state of its delivery."""
    params = {"creator_id": creator_id, "id": generation_id}
    return await send(connection, GET, params, read_one)


async def find(connection: Connection, generation_id: UUID) -> Pending[GenerationRecord | None]:
    """One generation by its id alone, with the state of its delivery."""
    return await send(connection, FIND, {"id": generation_id}, read_one)


async def find_creator(connection: Connection, generation_id: UUID) -> UUID | None:
    """Whose generation an id is."""
    pending = await send(connection, FIND_CREATOR, {"id": generation_id}, _read_id)
    return await pending.answer()


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


async def decide(
    connection: Connection,
    *,
    creator_id: UUID,
    generation_id: UUID,
    status: GenerationStatus,
    user_id: UUID,
    final_message: str | None,
    final_price: Money | None,
    although_stale: bool,
    now: datetime,
) -> Pending[GenerationRecord | None]:
    """Decide a waiting draft; None when somebody else was first, holds it, or it is stale."""
    params = {
        "creator_id": creator_id,
        "id": generation_id,
        "status": status.value,
        "user_id": user_id,
        "final_message": final_message,
        "final_price_minor": None if final_price is None else final_price.minor,
        "although_stale": although_stale,
        "now": now,
    }
    return await send(connection, DECIDE, params, read_one)


async def take_back(
    connection: Connection,
    creator_id: UUID,
    generation_id: UUID,
    *,
    user_id: UUID,
    until: datetime,
    stale_at: datetime | None,
) -> GenerationRecord | None:
    """Let an approved draft wait again, held by `user_id`; None when it is not approved."""
    params = {
        "creator_id": creator_id,
        "id": generation_id,
        "user_id": user_id,
        "until": until,
        "stale_at": stale_at,
    }
    return await (await send(connection, TAKE_BACK, params, read_one)).answer()


async def of_conversation(
    connection: Connection, creator_id: UUID, conversation_id: UUID, limit: int
) -> Pending[tuple[GenerationRecord, ...]]:
    """The newest generations of one conversation."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "limit": limit}
    return await send(connection, OF_CONVERSATION, params, read_all)
