"""The rows that the demo's history is kept in, gathered table by table and written at once.

They are those that drafting, deciding and delivering leave behind, with times and ids of then.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.db.pending import Connection, run
from vaultcrm.db.queries import generations
from vaultcrm.domain.alerts import channel_subject
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.audit import AuditAction
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.generation import DeliveryStatus, FeedbackType, TokenUsage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.cli.demo_world.build import CURRENCY
from vaultcrm.entrypoints.cli.demo_world.lore import load_lore
from vaultcrm.entrypoints.cli.demo_world.past import (
    PastAnswer,
    PastDecision,
    PastDraft,
    PastVoice,
)
from vaultcrm.entrypoints.cli.demo_world.places import Place, past_id
from vaultcrm.pipeline.approval.edits import edit_distance
from vaultcrm.pipeline.delivery import Recipe, bound_hash
from vaultcrm.pipeline.prompting import PROMPT_VERSION

Row = tuple[Any, ...]
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


@dataclass(frozen=True, slots=True)
class _Message:
    """Who wrote a message of the creator's."""

    creator_id: UUID
    id: UUID
    author: Author
    user_id: UUID | None
    generation_id: UUID | None


class Rows:
    """Takes in what happened; `write` writes all of it in the caller's transaction."""

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
                CURRENCY,
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
                (decision.at, draft.sent_at),
            )

    def add_answer(self, answer: PastAnswer) -> None:
        """A message that a person wrote."""
        place = self.places[answer.creator_handle, answer.fan_handle]
        by = self.people[answer.by]
        message = _Message(
            place.creator_id, place.messages[answer.message], Author.CHATTER, by, None
        )
        put_at = answer.sent_at - timedelta(seconds=3)
        times = (put_at, answer.sent_at)
        self._add_sent(place, message, answer.text, answer.price, answer.answers, times)

    def _add_sent(
        self,
        place: Place,
        message: _Message,
        text: str,
        price: Money | None,
        answers: str | None,
        times: tuple[datetime, datetime],
    ) -> None:
        """The outbox row of a message, put there and sent at these times, and whose it is."""
        put_at, sent_at = times
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
            # Row-level security takes no COPY.
            places = ", ".join(["%s"] * len(rows[0]))
            insert = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 -- names of ours
            async with connection.cursor() as cursor:
                await cursor.executemany(insert.encode(), rows)
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
