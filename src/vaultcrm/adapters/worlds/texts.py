"""What messages are made of: composing them, and reading what one is made of.

Whoever judges a message (a fan, a chatter, the truth in a report) reads its text and nothing else,
so that it makes no difference who wrote it, or how it came through the pipeline.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from random import Random
from typing import Any


class Flaw(StrEnum):
    """What is wrong with a message. `OFF_TOPIC` is not in the text: it answers something else."""

    BLAND = "bland"
    PUSHY = "pushy"
    RAMBLING = "rambling"
    UNSAFE = "unsafe"
    OFF_TOPIC = "off_topic"
    OFF_VOICE = "off_voice"


WRITTEN_FLAWS = (Flaw.BLAND, Flaw.PUSHY, Flaw.RAMBLING, Flaw.UNSAFE)


@dataclass(frozen=True, slots=True)
class Texts:
    """The vocabulary of all worlds; topics in one order throughout."""

    tones: tuple[str, ...]
    openers: dict[str, tuple[str, ...]]
    phrases: tuple[str, ...]
    questions: tuple[str, ...]
    flaws: dict[Flaw, tuple[str, ...]]
    welcome: tuple[str, ...]
    thanks: tuple[str, ...]
    extras: tuple[str, ...]
    topics: tuple[str, ...]
    fan_says: dict[str, tuple[str, ...]]
    answers: dict[str, tuple[str, ...]]
    offers: dict[str, tuple[str, ...]]
    hellos: tuple[str, ...]
    bought: tuple[str, ...]
    declined: tuple[str, ...]
    fan_names: tuple[str, ...]
    creator_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a creator's message is made of. None and empty stand for what it does not have."""

    tone: str | None = None
    topic: str | None = None
    phrases: frozenset[str] = frozenset()
    asks: bool = False
    flaws: frozenset[Flaw] = frozenset()
    offers: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a creator's message is to be made of; `compose` writes it."""

    tone: str
    topic: str | None
    phrase: str | None = None
    asks: bool = False
    flaws: tuple[Flaw, ...] = ()
    kind: str = "answer"
    """`answer`, `offer`, `welcome` or `thanks`."""


@cache
def texts() -> Texts:
    source = resources.files("vaultcrm.adapters.worlds").joinpath("texts.toml")
    data: dict[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
    topics = data["topics"]
    return Texts(
        tones=tuple(data["tones"]),
        openers={tone: tuple(data["openers"][tone]) for tone in data["tones"]},
        phrases=tuple(data["phrases"]["all"]),
        questions=tuple(data["questions"]["all"]),
        flaws={flaw: tuple(data["flaws"][flaw.value]) for flaw in WRITTEN_FLAWS},
        welcome=tuple(data["welcome"]["all"]),
        thanks=tuple(data["thanks"]["all"]),
        extras=tuple(data["extras"]["all"]),
        topics=tuple(topics),
        fan_says={name: tuple(topic["fan"]) for name, topic in topics.items()},
        answers={name: tuple(topic["creator"]) for name, topic in topics.items()},
        offers={name: tuple(topic["offer"]) for name, topic in topics.items()},
        hellos=tuple(data["fan"]["hellos"]),
        bought=tuple(data["fan"]["bought"]),
        declined=tuple(data["fan"]["declined"]),
        fan_names=tuple(data["names"]["first"]),
        creator_names=tuple(data["names"]["creators"]),
    )


def compose(recipe: Recipe, random: Random) -> str:
    """A creator's message; `read_text` finds everything of the recipe in it again."""
    known = texts()
    parts = [random.choice(known.openers[recipe.tone])]
    if recipe.phrase is not None:
        parts.append(f"{recipe.phrase}!")
    if Flaw.BLAND in recipe.flaws:
        parts.append(random.choice(known.flaws[Flaw.BLAND]))
    elif recipe.kind == "welcome":
        parts.append(random.choice(known.welcome))
    elif recipe.kind == "thanks":
        parts.append(random.choice(known.thanks))
    elif recipe.topic is not None:
        said = known.offers if recipe.kind == "offer" else known.answers
        parts.append(random.choice(said[recipe.topic]))
    parts += [
        random.choice(known.flaws[flaw])
        for flaw in WRITTEN_FLAWS
        if flaw in recipe.flaws and flaw is not Flaw.BLAND
    ]
    if recipe.asks:
        parts.append(random.choice(known.questions))
    return " ".join(parts)


@lru_cache(maxsize=8192)
def read_text(text: str) -> Reading:
    """What a message is made of, by the sentences of `texts.toml` that stand in it."""
    found = _sentences().findall(text)
    known = _meanings()
    tone = topic = None
    phrases, flaws = set(), set()
    asks = offers = False
    for sentence in found:
        what, which = known[sentence]
        if what == "tone":
            tone = tone or which
        elif what in {"topic", "offer"}:
            topic = topic or which
            offers = offers or what == "offer"
        elif what == "phrase":
            phrases.add(which)
        elif what == "flaw":
            flaws.add(Flaw(which))
        elif what == "question":
            asks = True
    return Reading(tone, topic, frozenset(phrases), asks, frozenset(flaws), offers)


@lru_cache(maxsize=8192)
def topic_of_fan(text: str) -> str | None:
    """What a fan's message is about; None for one about nothing in particular."""
    for topic, sentences in texts().fan_says.items():
        if any(sentence in text for sentence in sentences):
            return topic
    return None


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    known = texts()
    found: dict[str, tuple[str, str]] = {}
    for tone, openers in known.openers.items():
        found |= dict.fromkeys(openers, ("tone", tone))
    for topic in known.topics:
        found |= dict.fromkeys(known.answers[topic], ("topic", topic))
        found |= dict.fromkeys(known.offers[topic], ("offer", topic))
    for flaw, sentences in known.flaws.items():
        found |= dict.fromkeys(sentences, ("flaw", flaw.value))
    found |= {phrase: ("phrase", phrase) for phrase in known.phrases}
    found |= dict.fromkeys(known.questions, ("question", ""))
    return found


@cache
def _sentences() -> re.Pattern[str]:
    # Longest first: an alternation takes the first that fits.
    ordered = sorted(_meanings(), key=len, reverse=True)
    return re.compile("|".join(re.escape(sentence) for sentence in ordered))
