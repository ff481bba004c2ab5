"""Write the demo's history down: in bulk, in the caller's transaction. Nothing of it is to be sent.

The rows are those that drafting, deciding and delivering leave behind, with times and ids of then.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.db.pending import Connection, run, send
from vaultcrm.db.queries import access, generations, personalities
from vaultcrm.domain.alerts import channel_subject
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.audit import AuditAction
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.generation import DeliveryStatus, FeedbackType, TokenUsage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import EVERYBODY, TOKENS_PER_DAY
from vaultcrm.domain.money import Money
from vaultcrm.domain.personality import Personality
from vaultcrm.entrypoints.cli.demo_world.lore import load_lore
from vaultcrm.entrypoints.cli.demo_world.past import (
    DemoHistory,
    PastAnswer,
    PastDecision,
    PastDraft,
    PastVoice,
)
from vaultcrm.entrypoints.cli.demo_world.places import Place, past_id, places_of
from vaultcrm.pipeline.approval.edits import edit_distance
from vaultcrm.pipeline.delivery import Recipe, bound_hash
from vaultcrm.pipeline.prompting import PROMPT_VERSION

Row = tuple[Any, ...]
TEAM_SINCE = timedelta(days=60)
_LEADER = 2
"""Which of the people saves voices and acknowledges alerts: the manager."""

_GENERATIONS = """
    creator_id, id, conversation_id, fan_id, chatter_id, generation_type, status,
    generated_message, suggested_price_minor, currency, confidence_score, reasoning, note,
    approval_reasons, safety, priority, model, prompt_version, personality_version, last_message_id,
    input_tokens, output_tokens, cached_tokens, cost_micro_usd, created_at, stale_at, approved_at,
    approved_by, final_message, final_price_minor
"""
_FEEDBACK = """
    creator_id, id, generation_id, feedback_type, original_message, final_message, reason,
    modification_notes, edit_distance, performance_data, user_id, created_at, updated_at
"""
_USAGE = """
    creator_id, id, generation_id, purpose, model, input_tokens, output_tokens, cached_tokens,
    cost_micro_usd, created_at
"""
_OUTBOX = """
    creator_id, id, conversation_id, generation_id, author, author_user_id, text, price_minor,
    currency, bound_hash, seen_message_id, delivery_status, attempts, not_before, external_id,
    created_at, updated_at
"""
_AUDIT = "creator_id, id, at, actor_id, action, subject_type, subject_id, details"
_ALERTS = """
    id, kind, subject, severity, message, details, raised_at, cleared_at, acknowledged_at,
    acknowledged_by
"""

_AUTHORS = """
    UPDATE messages m
    SET author = u.author, author_user_id = u.user_id, generation_id = u.generation_id
    FROM unnest(%(creators)s::uuid[], %(ids)s::uuid[], %(authors)s::text[], %(users)s::uuid[],
                %(generations)s::uuid[]) AS u (creator_id, id, author, user_id, generation_id)
    WHERE m.creator_id = u.creator_id AND m.id = u.id
"""
_USES = """
    UPDATE ai_message_templates SET usage_count = %(count)s, performance_stats = %(stats)s::jsonb
    WHERE creator_id = %(creator_id)s AND name = %(name)s
"""
_USED_TODAY = """
    INSERT INTO limit_counters (kind, subject, window_start, used)
    VALUES (%(kind)s, %(subject)s, %(day)s, %(used)s)
    ON CONFLICT (kind, subject, window_start)
    DO UPDATE SET used = limit_counters.used + EXCLUDED.used
"""
_SEEN = """
    INSERT INTO people_seen (user_id, last_seen_at) VALUES (%(user_id)s, %(at)s)
    ON CONFLICT (user_id) DO NOTHING
"""
_ANY_DRAFT = "SELECT 1 FROM ai_message_generations LIMIT 1"


async def has_history(connection: Connection) -> bool:
    """Whether any draft was ever made here."""
    return await (await send(connection, _ANY_DRAFT, (), bool)).answer()


async def keep_history(
    connection: Connection, history: DemoHistory, creators: Mapping[str, UUID], now: datetime
) -> None:
    """Write the history of a world whose conversations are there, in the caller's transaction."""
    random = Random("ids")  # noqa: S311 - no secret
    people = await _add_people(connection, creators, now, random)
    rows = _Rows(await places_of(connection), people, history.voices, random)
    await _keep_voices(connection, history.voices, creators, rows)
    for draft in history.drafts:
        rows.add_draft(draft)
    for answer in history.answers:
        rows.add_answer(answer)
    for reading in history.readings:
        creator_id = creators[reading.creator_handle]
        rows.add_usage(creator_id, None, "analysis", reading.model, reading.usage, reading.at)
    rows.add_alerts(creators, now)
    await rows.write(connection)
    for uses in history.uses:
        stats = {
            "usesByDay": uses.by_day,
            "sent": uses.sent,
            "replied": uses.replied,
            "bought": uses.bought,
            "revenueMinor": {"USD": uses.revenue_minor} if uses.revenue_minor else {},
        }
        params = {
            "creator_id": creators[uses.creator_handle],
            "name": uses.name,
            "count": uses.earlier + sum(uses.by_day.values()),
            "stats": json.dumps(stats),
        }
        await run(connection, _USES, params)
    await _count_today(connection, history, now)


async def _add_people(
    connection: Connection, creators: Mapping[str, UUID], now: datetime, random: Random
) -> dict[str, UUID]:
    """The team by e-mail, who have been here for two months."""
    since = now - TEAM_SINCE
    people: dict[str, UUID] = {}
    for person in load_lore().people:
        user_id = await access.add_user(
            connection,
            email=person.email,
            name=person.name,
            role=person.role,
            all_creators=not person.creators,
            now=since,
        ) or await access.user_by_email(connection, person.email)
        assert user_id is not None  # noqa: S101 -- it was found or made just now
        for handle in person.creators:
            await access.assign(connection, user_id, creators[handle], since)
        seen_at = now - timedelta(minutes=random.randint(2, 180))
        await run(connection, _SEEN, {"user_id": user_id, "at": seen_at})
        people[person.email] = user_id
    return people


async def _keep_voices(
    connection: Connection,
    voices: Iterable[PastVoice],
    creators: Mapping[str, UUID],
    rows: "_Rows",
) -> None:
    for voice in voices:
        creator_id = creators[voice.creator_handle]
        personality = Personality(
            creator_id,
            voice.version,
            voice.personality_type,
            voice.tone_descriptors,
            voice.forbidden_words,
            voice.preferred_phrases,
            voice.emoji_style,
            voice.system_prompt,
        )
        if await personalities.add_version(connection, personality, rows.leader, voice.saved_at):
            fields = ["emoji_style", "forbidden_words", "preferred_phrases", "tone_descriptors"]
            rows.add_audit(
                creator_id,
                voice.saved_at,
                rows.leader,
                AuditAction.PERSONALITY_CHANGED,
                ("personality", f"version {voice.version}"),
                {"fields": fields},
            )


async def _count_today(connection: Connection, history: DemoHistory, now: datetime) -> None:
    """What today's drafts used counts against the day's limit, as it would have."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    used = sum(made.usage.total for made in (*history.drafts, *history.readings) if made.at >= day)
    params = {"kind": TOKENS_PER_DAY, "subject": EVERYBODY, "day": day, "used": used}
    await run(connection, _USED_TODAY, params)


@dataclass(frozen=True, slots=True)
class _Message:
    """Who wrote a message of the creator's."""

    creator_id: UUID
    id: UUID
    author: Author
    user_id: UUID | None
    generation_id: UUID | None


class _Rows:
    """The rows of the history, gathered table by table and written at once."""

    def __init__(
        self,
        places: Mapping[tuple[str, str], Place],
        people: Mapping[str, UUID],
        voices: Sequence[PastVoice],
        random: Random,
    ) -> None:
        self.places = places
        self.people = people
        self.voices = voices
        self.random = random
        self.leader = list(people.values())[_LEADER]
        self.tables: dict[tuple[str, str], list[Row]] = {}
        self.messages: list[_Message] = []

    def add_draft(self, draft: PastDraft) -> None:
        """A generation with its usage, audit, and what became of it."""
        place = self.places[draft.creator_handle, draft.fan_handle]
        decision = draft.decision
        by = self.people[decision.by] if decision and decision.by else None
        person_decided = decision is not None and decision.by is not None
        generation_id = past_id(draft.at, self.random)
        cost = cost_micro_usd(find_model(draft.model), draft.usage)
        self._add(
            "ai_message_generations",
            _GENERATIONS,
            (
                place.creator_id,
                generation_id,
                place.conversation_id,
                place.fan_id,
                by,
                draft.generation_type.value,
                draft.status.value,
                draft.message,
                _minor(draft.price),
                "USD",
                draft.confidence,
                draft.reasoning,
                "",
                [reason.value for reason in draft.reasons],
                Jsonb(json.loads(generations.safety_as_json(draft.safety))),
                draft.priority,
                draft.model,
                PROMPT_VERSION,
                self._version_at(draft),
                place.message(draft.answers),
                draft.usage.input + draft.usage.cache_write,
                draft.usage.output,
                draft.usage.cache_read,
                cost,
                draft.at,
                draft.stale_at,
                decision.at if decision and person_decided else None,
                by,
                decision.final_message if decision and person_decided else None,
                _minor(decision.final_price) if decision and person_decided else None,
            ),
        )
        self.add_usage(place.creator_id, generation_id, "draft", draft.model, draft.usage, draft.at)
        self.add_audit(
            place.creator_id,
            draft.at,
            by,
            AuditAction.GENERATED,
            ("generation", str(generation_id)),
            {
                "status": "queued" if person_decided or draft.stale_at else draft.status.value,
                "reasons": [reason.value for reason in draft.reasons],
                "findings": [finding.rule for finding in draft.safety.findings],
            },
        )
        if decision is not None:
            self._add_decision(place, generation_id, draft, decision, by)

    def _add_decision(
        self,
        place: Place,
        generation_id: UUID,
        draft: PastDraft,
        decision: PastDecision,
        by: UUID | None,
    ) -> None:
        final = decision.final_message
        self._add(
            "ai_message_feedback",
            _FEEDBACK,
            (
                place.creator_id,
                past_id(decision.at, self.random),
                generation_id,
                decision.kind.value,
                draft.message,
                final,
                decision.reason,
                decision.notes,
                None if final is None else edit_distance(draft.message, final),
                Jsonb(_performance(decision)),
                by,
                decision.at,
                decision.at,
            ),
        )
        if by is not None:
            self.add_audit(
                place.creator_id,
                decision.at,
                by,
                AuditAction.DECIDED,
                ("generation", str(generation_id)),
                {"action": _ACTIONS[decision.kind].value, "although_stale": False},
            )
        if draft.became is not None and draft.sent_at is not None and final is not None:
            author = Author.AI_APPROVED if by is not None else Author.AI_AUTOMATIC
            message = _Message(
                place.creator_id, place.messages[draft.became], author, by, generation_id
            )
            self._add_sent(
                place,
                message,
                final,
                decision.final_price,
                draft.answers,
                decision.at,
                draft.sent_at,
            )

    def add_answer(self, answer: PastAnswer) -> None:
        """A message that a person wrote."""
        place = self.places[answer.creator_handle, answer.fan_handle]
        by = self.people[answer.by]
        message = _Message(
            place.creator_id, place.messages[answer.message], Author.CHATTER, by, None
        )
        put_at = answer.sent_at - timedelta(seconds=3)
        self._add_sent(
            place, message, answer.text, answer.price, answer.answers, put_at, answer.sent_at
        )

    def _add_sent(
        self,
        place: Place,
        message: _Message,
        text: str,
        price: Money | None,
        answers: str | None,
        put_at: datetime,
        sent_at: datetime,
    ) -> None:
        """The outbox row of a message that has left, and whose it is in the conversation."""
        outbox_id = past_id(put_at, self.random)
        recipe = Recipe(
            place.conversation_id,
            place.channel,
            place.external_ref,
            place.external_ref,
            text,
            price,
        )
        self._add(
            "outbox",
            _OUTBOX,
            (
                place.creator_id,
                outbox_id,
                place.conversation_id,
                message.generation_id,
                message.author.value,
                message.user_id,
                text,
                _minor(price),
                None if price is None else price.currency,
                bound_hash(recipe),
                place.message(answers),
                DeliveryStatus.SENT.value,
                1,
                put_at,
                str(outbox_id),
                put_at,
                sent_at,
            ),
        )
        self.messages.append(message)
        generation = message.generation_id
        self.add_audit(
            place.creator_id,
            sent_at,
            message.user_id,
            AuditAction.SENT,
            ("outbox", str(outbox_id)),
            {
                "generation": None if generation is None else str(generation),
                "status": DeliveryStatus.SENT.value,
                "attempts": 1,
                "error": None,
            },
        )

    def add_usage(
        self,
        creator_id: UUID,
        generation_id: UUID | None,
        purpose: str,
        model: str,
        usage: TokenUsage,
        at: datetime,
    ) -> None:
        cost = cost_micro_usd(find_model(model), usage)
        self._add(
            "usage",
            _USAGE,
            (
                creator_id,
                past_id(at, self.random),
                generation_id,
                purpose,
                model,
                usage.input + usage.cache_write,
                usage.output,
                usage.cache_read,
                cost,
                at,
            ),
        )

    def add_audit(
        self,
        creator_id: UUID,
        at: datetime,
        actor_id: UUID | None,
        action: AuditAction,
        subject: tuple[str, str],
        details: dict[str, Any],
    ) -> None:
        entry_id = past_id(at, self.random)
        self._add(
            "audit_log",
            _AUDIT,
            (creator_id, entry_id, at, actor_id, action.value, *subject, Jsonb(details)),
        )

    def add_alerts(self, creators: Mapping[str, UUID], now: datetime) -> None:
        """What was wrong and is over, with who took note of it."""
        for alert in load_lore().alerts:
            raised_at = now - timedelta(days=alert.days_ago, minutes=alert.minutes)
            seen_at = raised_at + timedelta(minutes=alert.minutes // 4)
            cleared_at = raised_at + timedelta(minutes=alert.minutes)
            alert_id = past_id(raised_at, self.random)
            subject = alert.subject
            if alert.creator is not None:
                subject = channel_subject(creators[alert.creator], alert.channel)
            row = (alert_id, alert.kind.value, subject, alert.severity.value, alert.message)
            times = (raised_at, cleared_at, seen_at, self.leader)
            self._add("alerts", _ALERTS, (*row, Jsonb({}), *times))
            self.add_audit(
                NIL if alert.creator is None else creators[alert.creator],
                seen_at,
                self.leader,
                AuditAction.ALERT_ACKNOWLEDGED,
                ("alert", str(alert_id)),
                {"kind": alert.kind.value},
            )

    async def write(self, connection: Connection) -> None:
        """All rows, the tables in the order of their first row, which is parents first."""
        for (table, columns), rows in self.tables.items():
            async with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
            ):
                for row in rows:
                    await copy.write_row(row)
        params = {
            "creators": [message.creator_id for message in self.messages],
            "ids": [message.id for message in self.messages],
            "authors": [message.author.value for message in self.messages],
            "users": [message.user_id for message in self.messages],
            "generations": [message.generation_id for message in self.messages],
        }
        await run(connection, _AUTHORS, params)

    def _version_at(self, draft: PastDraft) -> int:
        """The voice that was in force."""
        return max(
            voice.version
            for voice in self.voices
            if voice.creator_handle == draft.creator_handle and voice.saved_at <= draft.at
        )

    def _add(self, table: str, columns: str, row: Row) -> None:
        self.tables.setdefault((table, columns), []).append(row)


_ACTIONS = {
    FeedbackType.APPROVED: DecisionAction.APPROVE,
    FeedbackType.MODIFIED: DecisionAction.MODIFY,
    FeedbackType.REJECTED: DecisionAction.REJECT,
}


def _minor(price: Money | None) -> int | None:
    return None if price is None else price.minor


def _performance(decision: PastDecision) -> dict[str, Any]:
    """What is known of the message's effect, as outcomes are stored."""
    known: dict[str, Any] = {
        "replied": decision.replied,
        "timeToReply": decision.seconds_to_reply,
        "purchased": decision.purchased,
    }
    if decision.purchased and decision.final_price is not None:
        known |= {
            "revenue": decision.final_price.minor,
            "currency": decision.final_price.currency,
        }
    return {name: value for name, value in known.items() if value is not None}
