"""Everything that the demo and the simulated fans say: none of it is blocked or a cause for care.

The filter of a fresh installation is first seen at work on these texts.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import resources
from itertools import product
from typing import Any

import pytest

from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.safety import Category, Scope, Verdict
from vaultcrm.entrypoints.cli.demo_world.build import build_world
from vaultcrm.entrypoints.cli.demo_world.scripts import (
    CreatorScripts,
    Exchange,
    LanguageScripts,
    load_scripts,
)
from vaultcrm.entrypoints.cli.demo_world.world import DemoPersonality, DemoWorld
from vaultcrm.pipeline.safety.filter import ContentFilter

FILTER = ContentFilter.load()
NOW = datetime(2026, 11, 20, 14, 5, 30, tzinfo=UTC)
CARE = (Category.DISTRESS, Category.MINORS, Category.FILTER_ERROR)
CHOICE = re.compile(r"\[([^\[\]]*)\]")


def _check_creator(text: str, personality: DemoPersonality) -> None:
    for scope in (Scope.DRAFT, Scope.CHATTER):
        report = FILTER.check(text, scope, personality.forbidden_words, personality.region)
        assert report.verdict is not Verdict.BLOCK, (text, report.findings)


def _check_fan(text: str) -> None:
    report = FILTER.check(text, Scope.FAN)
    assert not report.has(*CARE), (text, report.findings)
    assert report.verdict is not Verdict.BLOCK, (text, report.findings)


@pytest.mark.parametrize("seed", [7, 1, 2, 3])
def test_the_demo_world_holds_no_message_to_block_and_no_fan_to_care_for(seed: int) -> None:
    world: DemoWorld = build_world(seed, now=NOW)
    voices = {personality.creator_handle: personality for personality in world.personalities}
    for conversation in world.conversations:
        for message in conversation["messages"]:
            if message["from"] == "fan":
                _check_fan(message["text"])
            else:
                _check_creator(message["text"], voices[conversation["creator"]["handle"]])
    for template in world.templates:
        _check_creator(template.text.replace("{fan_name}", "Sam"), voices[template.creator_handle])


def _exchanges(scripts: LanguageScripts) -> Iterator[Exchange]:
    yield from scripts.welcomes
    for story in scripts.stories:
        yield from story


def _said(text: str) -> Iterator[str]:
    """The text with every choice in it made each way, and its slots filled."""
    parts = CHOICE.split(text)
    ways = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    for chosen in product(*ways):
        yield "".join(chosen).replace("{fan}", "Sam").replace("{title}", "the morning stretch")


@pytest.mark.parametrize("creator", load_scripts(), ids=lambda c: c.personality.creator_handle)
def test_nothing_that_was_written_for_the_demo_is_blocked_whichever_way_it_is_said(
    creator: CreatorScripts,
) -> None:
    exchanges = [*creator.bought, *creator.declined]
    for scripts in creator.languages.values():
        exchanges += _exchanges(scripts)
    for exchange in exchanges:
        for turn in exchange:
            for text in _said(turn.text):
                if turn.sender is Sender.FAN:
                    _check_fan(text)
                else:
                    _check_creator(text, creator.personality)
    for offer in creator.offers:
        for text in _said(offer.text):
            _check_creator(text, creator.personality)


def _simulated() -> dict[str, Any]:
    folder = resources.files("vaultcrm.adapters.channels.simulator")
    return tomllib.loads((folder / "texts.toml").read_text("utf-8"))


def _texts(table: Any) -> Iterator[str]:
    if isinstance(table, str):
        yield table
    else:
        for part in table.values() if isinstance(table, dict) else table:
            yield from _texts(part)


def test_nothing_that_a_simulated_fan_says_calls_for_care() -> None:
    data = _simulated()
    reactions = [text for mood in data["moods"].values() for text in mood["reactions"]]
    closings = [text for mood in data["moods"].values() for text in mood["closings"]]
    said = [text.replace("{price}", "$25") for text in _texts(data)]
    for place, text in enumerate(said):
        _check_fan(text)
        reaction, closing = (texts[place % len(texts)] for texts in (reactions, closings))
        _check_fan(f"{reaction} {text} {closing}")
