"""What was written for the demo: voices, exchanges, offers and fans, from `data/*.toml`.

An exchange is a few lines of text, ">" for the fan and "<" for the creator. "..." lets some days
pass before it goes on. "[a|b]" stands for one of a and b, `{fan}` for what the creator calls the
fan, `{title}` for what was just bought.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from vaultcrm.adapters.channels.simulator.fans import CreatorKind
from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Tier
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.entrypoints.cli.demo_world.world import DemoPersonality, DemoTemplate

CREATORS = ("mia", "theo", "wren")
ENGLISH = "en"
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SENDERS = {">": Sender.FAN, "<": Sender.CREATOR}


class Activity(StrEnum):
    """How much a fan writes."""

    ACTIVE = "active"
    STEADY = "steady"
    QUIET = "quiet"
    NEW = "new"


class Ending(StrEnum):
    """How the conversation stands: the fan waits, was answered, just bought, or fell silent."""

    WAITING = "waiting"
    ANSWERED = "answered"
    PURCHASE = "purchase"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Turn:
    sender: Sender
    text: str


Exchange = tuple[Turn, ...]
Story = tuple[Exchange, ...]
"""Exchanges that only make sense in their order, days apart. Most stories have one."""


@dataclass(frozen=True, slots=True)
class Offer:
    title: str
    price_minor: int
    text: str


@dataclass(frozen=True, slots=True)
class LanguageScripts:
    welcomes: tuple[Exchange, ...]
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True)
class FanPlan:
    """A fan as written; `call` is what the creator calls them, `draft` what is asked for them."""

    handle: str
    name: str
    call: str
    tier: Tier
    activity: Activity
    ending: Ending
    language: str
    disclosed: bool
    notes: str
    draft: GenerationType | None


@dataclass(frozen=True, slots=True)
class CreatorScripts:
    personality: DemoPersonality
    templates: tuple[DemoTemplate, ...]
    offers: tuple[Offer, ...]
    languages: dict[str, LanguageScripts]
    bought: tuple[Exchange, ...]
    declined: tuple[Exchange, ...]
    fans: tuple[FanPlan, ...]


@cache
def load_scripts() -> tuple[CreatorScripts, ...]:
    """All that was written, in the order of `CREATORS`."""
    folder = resources.files("vaultcrm.entrypoints.cli.demo_world") / "data"
    texts = ((folder / f"{name}.toml").read_text(encoding="utf-8") for name in CREATORS)
    return tuple(_read_creator(tomllib.loads(text)) for text in texts)


def spoken(text: str, random: Random, **slots: str) -> str:
    """A written text as it is said: choices made, slots filled."""
    said = _CHOICE.sub(lambda found: random.choice(found.group(1).split("|")), text)
    for name, value in slots.items():
        said = said.replace(f"{{{name}}}", value)
    return said


def _read_creator(data: dict[str, Any]) -> CreatorScripts:
    handle, scripts = data["handle"], data["scripts"]
    languages = {ENGLISH: _read_language(scripts)}
    for key, found in data.items():
        if key.startswith("scripts_"):
            languages[key.removeprefix("scripts_")] = _read_language(found)
    return CreatorScripts(
        personality=_read_personality(data),
        templates=tuple(
            DemoTemplate(
                creator_handle=handle,
                category=GenerationType(found["category"]),
                name=found["name"],
                text=found["text"],
                price_minor=found.get("price_minor"),
            )
            for found in data["templates"]
        ),
        offers=tuple(Offer(**found) for found in data["offers"]),
        languages=languages,
        bought=_read_exchanges(scripts["bought"]),
        declined=_read_exchanges(scripts["declined"]),
        fans=tuple(_read_fan(found) for found in data["fans"]),
    )


def _read_personality(data: dict[str, Any]) -> DemoPersonality:
    voice = data["personality"]
    return DemoPersonality(
        creator_handle=data["handle"],
        display_name=data["display_name"],
        kind=CreatorKind(data["kind"]),
        language=data["language"],
        region=data["region"],
        personality_type=voice["personality_type"],
        tone_descriptors=tuple(voice["tone_descriptors"]),
        forbidden_words=tuple(voice["forbidden_words"]),
        preferred_phrases=tuple(voice["preferred_phrases"]),
        emoji_style=EmojiStyle(voice["emoji_style"]),
        system_prompt=voice["system_prompt"].strip(),
    )


def _read_language(scripts: dict[str, str]) -> LanguageScripts:
    return LanguageScripts(
        _read_exchanges(scripts["welcomes"]), _read_stories(scripts["exchanges"])
    )


def _read_fan(found: dict[str, Any]) -> FanPlan:
    draft = found.get("draft")
    return FanPlan(
        handle=found["handle"],
        name=found["name"],
        call=found["call"],
        tier=Tier(found["tier"]),
        activity=Activity(found["activity"]),
        ending=Ending(found["ending"]),
        language=found.get("language", ENGLISH),
        disclosed=found.get("disclosed", True),
        notes=found["notes"],
        draft=None if draft is None else GenerationType(draft),
    )


def _read_stories(script: str) -> tuple[Story, ...]:
    blocks = script.strip().split("\n\n")
    return tuple(tuple(_read_exchange(part) for part in block.split("\n...\n")) for block in blocks)


def _read_exchanges(script: str) -> tuple[Exchange, ...]:
    return tuple(_read_exchange(block) for block in script.strip().split("\n\n"))


def _read_exchange(lines: str) -> Exchange:
    return tuple(_read_turn(line) for line in lines.splitlines())


def _read_turn(line: str) -> Turn:
    mark, _, text = line.partition(" ")
    return Turn(_SENDERS[mark], text)
