"""What the demo is made of. `ConversationLine` is one line of `vaultcrm import`."""

import json
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from vaultcrm.adapters.channels.simulator.fans import CreatorKind
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.personality import EmojiStyle


class CreatorRef(TypedDict):
    handle: str
    displayName: str


class FanRef(TypedDict):
    handle: str
    displayName: str
    lifetimeValueMinor: int
    currency: str


MessageLine = TypedDict(
    "MessageLine",
    {
        "id": str,
        "from": str,
        "text": str,
        "sentAt": str,
        "priceMinor": NotRequired[int],
        "purchasedAt": NotRequired[str],
    },
)
"""One message: `from` is "fan" or "creator", times are RFC 3339 in UTC with whole seconds."""


class ConversationLine(TypedDict):
    creator: CreatorRef
    fan: FanRef
    channel: str
    messages: list[MessageLine]


@dataclass(frozen=True, slots=True)
class DemoPersonality:
    """A creator and their voice: the fields of `Personality` without id and version."""

    creator_handle: str
    display_name: str
    kind: CreatorKind
    language: str
    region: str
    personality_type: str
    tone_descriptors: tuple[str, ...]
    forbidden_words: tuple[str, ...]
    preferred_phrases: tuple[str, ...]
    emoji_style: EmojiStyle
    system_prompt: str


@dataclass(frozen=True, slots=True)
class DemoTemplate:
    """A message template; `{fan_name}` stands for the fan. `price_minor` (USD) is an offer's."""

    creator_handle: str
    category: GenerationType
    name: str
    text: str
    price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class DemoFanExtras:
    """What the import format does not carry. `earlier_value_minor` (USD) was spent before the first
    message that is known here: with the purchases it makes the lifetime value."""

    handle: str
    creator_handle: str
    notes: str
    disclosed: bool
    earlier_value_minor: int


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Everything that `vaultcrm demo` puts into an empty installation.

    `waiting` names conversations, as (creator handle, fan handle), for which the pipeline is asked
    for a draft of the given type, so that the queue is not empty.
    """

    personalities: tuple[DemoPersonality, ...]
    templates: tuple[DemoTemplate, ...]
    conversations: tuple[ConversationLine, ...]
    extras: tuple[DemoFanExtras, ...]
    waiting: tuple[tuple[str, str, GenerationType], ...]

    def import_lines(self) -> str:
        """The conversations as JSONL, as `vaultcrm import` takes them."""
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in self.conversations)
