"""Situations that the tests of several steps begin with."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.domain.conversation import Conversation, Message, Sender
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Creator, Fan, Tier
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.domain.situation import Activity, Situation

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)

CREATOR = Creator(id=UUID(int=1), handle="mia", display_name="Mia")

FAN = Fan(
    id=UUID(int=2),
    creator_id=CREATOR.id,
    handle="tom88",
    display_name="Tom",
    tier=Tier.LOW,
    lifetime_value=Money(1200),
)

VOICE = Personality(
    creator_id=CREATOR.id,
    version=3,
    personality_type="playful",
    tone_descriptors=("warm", "teasing"),
    forbidden_words=("babe", "last chance"),
    preferred_phrases=("you made my day", "tell me more"),
    emoji_style=EmojiStyle.MODERATE,
    system_prompt="Mia paints in the evenings. She calls her fans by name.",
)


def fan_says(text: str, minutes_ago: int = 1, **more: Any) -> Message:
    return _message(Sender.FAN, text, minutes_ago, **more)


def creator_says(text: str, minutes_ago: int = 1, **more: Any) -> Message:
    return _message(Sender.CREATOR, text, minutes_ago, **more)


def _message(sender: Sender, text: str, minutes_ago: int, **more: Any) -> Message:
    sent_at = NOW - timedelta(minutes=minutes_ago)
    return Message(UUID(int=minutes_ago), sender, text, sent_at, **more)


def situation(*messages: Message, fan: Fan = FAN) -> Situation:
    """Where Mia and a fan have said `messages`, oldest first."""
    return Situation(
        creator=CREATOR,
        fan=fan,
        conversation=Conversation(UUID(int=3), CREATOR.id, fan.id, "simulator", "chat-17"),
        messages=messages,
        activity=Activity(0, 0, None),
        personality=VOICE,
        waiting_since=None,
    )
