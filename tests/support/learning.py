"""Weeks of outcomes, put into the database at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from tests.support.app import RunningApp
from vaultcrm.domain.ids import new_id

_FAN = """
    INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor, currency,
                      notes, created_at)
    VALUES (%s, %s, %s, %s, %s, 0, 'USD', '', %s)
"""
_CONVERSATION = """
    INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode, unread_count,
                               created_at)
    VALUES (%s, %s, %s, 'simulator', %s, 'auto', 0, %s)
"""
_GENERATION = """
    INSERT INTO ai_message_generations (
        creator_id, id, conversation_id, fan_id, generation_type, status, generated_message,
        final_message, currency, confidence_score, reasoning, note, approval_reasons, safety,
        priority, model, prompt_version, personality_version, input_tokens, output_tokens,
        cached_tokens, cost_micro_usd, created_at, approved_at)
    VALUES (%s, %s, %s, %s, 'reply', 'approved', %s, %s, 'USD', 80, '', '', '{}', '{}', 0, 'm',
            '1', 0, 0, 0, 0, 0, %s, %s)
"""
_FEEDBACK = """
    INSERT INTO ai_message_feedback (creator_id, id, generation_id, feedback_type,
                                     original_message, final_message, performance_data, created_at,
                                     updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, '{}', %s, %s)
"""
_MESSAGE = """
    INSERT INTO messages (creator_id, id, conversation_id, sender, author, generation_id,
                          external_id, text, sent_at)
    VALUES (%s, %s, %s, 'creator', 'ai_approved', %s, %s, %s, %s)
"""
_OUTCOME = """
    INSERT INTO message_outcomes (
        creator_id, id, conversation_id, fan_id, generation_id, author, tier, sent_at, settled_at,
        currency, replied, time_to_reply, purchased, revenue_minor, refunded_minor,
        currencies_differ, updated_at)
    VALUES (%s, %s, %s, %s, %s, 'ai_approved', %s, %s, %s, 'USD', %s, %s, false, 0, 0, false, %s)
"""
_TIERS = ("whale", "high", "medium", "low")


@dataclass(frozen=True)
class Written:
    """One message: as it was drafted, as it went, and whether it was answered."""

    draft: str
    final: str
    replied: bool


async def weeks_of_messages(
    app: RunningApp,
    creator_id: str,
    until: datetime,
    count: int,
    write: Callable[[Random, str], Written],
    *,
    days: int = 7,
    fans: int = 20,
    seed: int = 1,
) -> None:
    """`count` messages of AI in the days before a moment, with what became of each.

    `write` is given chance and the fan's name.
    """
    random = Random(seed)  # noqa: S311 -- a world of a test
    creator = UUID(creator_id)
    people = []
    fan_rows, conversation_rows = [], []
    start = until - timedelta(days=days)
    for number in range(fans):
        fan_id, conversation_id = new_id(), new_id()
        name = f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number % 26].lower()}lbert{seed}x{number}"
        people.append((fan_id, conversation_id, name, _TIERS[number % 4]))
        fan_rows.append((creator, fan_id, name, name.title(), _TIERS[number % 4], start))
        conversation_rows.append((creator, conversation_id, fan_id, name, start))
    generations, feedback, messages, outcomes = [], [], [], []
    for _ in range(count):
        fan_id, conversation_id, name, tier = random.choice(people)
        one = write(random, name.title())
        at = start + timedelta(seconds=random.uniform(0, days * 86_400 - 1))
        generation_id, message_id = new_id(), new_id()
        generations.append(
            (creator, generation_id, conversation_id, fan_id, one.draft, one.final, at, at)
        )
        kind = "approved" if one.draft == one.final else "modified"
        feedback.append((creator, new_id(), generation_id, kind, one.draft, one.final, at, at))
        messages.append(
            (creator, message_id, conversation_id, generation_id, str(message_id), one.final, at)
        )
        settled = at + timedelta(hours=24)
        wait = 600 if one.replied else None
        outcomes.append(
            (
                *(creator, message_id, conversation_id, fan_id, generation_id, tier, at, settled),
                *(one.replied, wait, settled),
            )
        )
    async with app.parts.transaction() as connection:
        for statement, rows in (
            (_FAN, fan_rows),
            (_CONVERSATION, conversation_rows),
            (_GENERATION, generations),
            (_FEEDBACK, feedback),
            (_MESSAGE, messages),
            (_OUTCOME, outcomes),
        ):
            await connection.cursor().executemany(statement, rows)


def flat(fields: object) -> str:
    """What a proposal changes, as one text to look into."""
    return json.dumps(fields, ensure_ascii=False)
