"""A seeded model of fans that answer, buy or stay silent. Pure: same arguments, same answer.

The model is made up for demonstrations and tests; none of its figures was measured on people.
"""

import hashlib
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from random import Random
from typing import Any

from vaultcrm.domain.money import Money

LEAST_DELAY_SECONDS = 5
GREATEST_DELAY_SECONDS = 2 * 24 * 3600
ASKS_WHO = 0.03
"""How often a fan who opens a conversation wants to know whether AI writes."""

_ASSISTANT = re.compile(r"\bAI\b|\bassistants?\b")
_WORD = re.compile(r"\w+(?:-\w+)?")


class CreatorKind(StrEnum):
    """What a creator does, as far as it changes what fans talk about."""

    FITNESS = "fitness"
    MUSIC = "music"
    COSTUMES = "costumes"
    GENERAL = "general"


class Mood(StrEnum):
    CHEERFUL = "cheerful"
    DRY = "dry"
    SHY = "shy"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class FanTraits:
    """What a fan is like. `chattiness` and `price_sensitivity` lie in 0..1.

    `topics` are what the fan brings up unasked, dearest first.
    """

    creator_handle: str
    fan_handle: str
    kind: CreatorKind
    chattiness: float
    price_sensitivity: float
    mood: Mood
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FanResponse:
    """What a fan does about one message, and how long after it.

    `reply_text` is None for a fan who writes nothing; such a fan may still have bought.
    `delay_seconds` is 0 for a fan who does nothing at all.
    """

    reply_text: str | None
    delay_seconds: int
    buys: bool


@dataclass(frozen=True, slots=True)
class _Topic:
    name: str
    words: frozenset[str]
    answers: tuple[str, ...]
    asks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Texts:
    reactions: dict[Mood, tuple[str, ...]]
    closings: dict[Mood, tuple[str, ...]]
    answers: tuple[str, ...]
    thanks: tuple[str, ...]
    hellos: tuple[str, ...]
    assistant: tuple[str, ...]
    asks_who: tuple[str, ...]
    bought: tuple[str, ...]
    declined: tuple[str, ...]
    topics: dict[CreatorKind, tuple[_Topic, ...]]
    about: dict[CreatorKind, tuple[str, ...]]


def kind_of(description: str) -> CreatorKind:
    """The kind whose words a description of a creator (say, the personality type) holds most of."""
    words = _words(description)
    about = _texts().about
    counts = {kind: sum(_stands_in(word, words) for word in about[kind]) for kind in CreatorKind}
    best = max(counts, key=lambda kind: counts[kind])
    return best if counts[best] else CreatorKind.GENERAL


def traits_of(
    creator_handle: str, fan_handle: str, kind: CreatorKind = CreatorKind.GENERAL
) -> FanTraits:
    """What this fan is like with this creator: the same for the same pair, on every machine."""
    random = _random("traits", creator_handle, fan_handle)
    chattiness = random.betavariate(2.2, 1.8)
    price_sensitivity = random.betavariate(2.0, 2.0)
    mood = random.choice(tuple(Mood))
    names = [topic.name for topic in _texts().topics[kind]]
    return FanTraits(
        creator_handle=creator_handle,
        fan_handle=fan_handle,
        kind=kind,
        chattiness=round(chattiness, 3),
        price_sensitivity=round(price_sensitivity, 3),
        mood=mood,
        topics=tuple(random.sample(names, k=min(3, len(names)))),
    )


def respond(fan: FanTraits, outbound_text: str, price: Money | None, seed: int) -> FanResponse:
    """What `fan` does about a message. `price` is None for one that costs nothing.

    Whoever buys at a price would, with the same seed and text, have bought for less.
    """
    random = _random("respond", fan.creator_handle, fan.fan_handle, seed, outbound_text)
    willing, talks, pace = random.random(), random.random(), random.gauss(0.0, 1.0)
    buys = price is not None and willing < purchase_probability(fan, price)
    reply: str | None = None
    if talks < _reply_probability(fan, outbound_text, price, buys):
        reply = _reply(fan, outbound_text, price, buys, random)
    delay = _delay(fan, pace) if buys or reply is not None else 0
    return FanResponse(reply_text=reply, delay_seconds=delay, buys=buys)


def open_conversation(fan: FanTraits, seed: int) -> str | None:
    """A message that the fan writes unasked, or None when the fan has nothing to say."""
    random = _random("open", fan.creator_handle, fan.fan_handle, seed)
    if random.random() >= 0.15 + 0.7 * fan.chattiness:
        return None
    texts = _texts()
    hello, ask = random.choice(texts.hellos), random.choice(_topic_of(fan, "", random).asks)
    wonders = _random("wonders", fan.creator_handle, fan.fan_handle, seed)
    if wonders.random() < ASKS_WHO:
        ask = wonders.choice(texts.asks_who)
    return _joined(hello, ask, random.choice(texts.closings[fan.mood]))


def purchase_probability(fan: FanTraits, price: Money) -> float:
    """(0.6 - 0.45 s) * exp(-p / b), with s the price sensitivity, p the price in whole units and
    b = 15 + 135 (1 - s) the spending that comes easily to the fan. Falls with p and with s."""
    easy = 15.0 + 135.0 * (1.0 - fan.price_sensitivity)
    return (0.6 - 0.45 * fan.price_sensitivity) * math.exp(-price.major / easy)


def _reply_probability(fan: FanTraits, text: str, price: Money | None, buys: bool) -> float:
    if price is not None and not buys:
        return 0.1 + 0.45 * fan.chattiness
    eagerness = 0.3 if "?" in text or buys else 0.1
    return min(0.98, eagerness + 0.75 * fan.chattiness)


def _reply(fan: FanTraits, text: str, price: Money | None, buys: bool, random: Random) -> str:
    texts = _texts()
    reaction = random.choice(texts.reactions[fan.mood])
    closing = random.choice(texts.closings[fan.mood])
    if price is not None:
        said = random.choice(texts.bought if buys else texts.declined)
        return _joined("", said.replace("{price}", str(price)), closing)
    if _ASSISTANT.search(text):
        return _joined("", random.choice(texts.assistant), closing)
    topic = _topic_of(fan, text, random)
    if "?" in text:
        answer = random.choice(topic.answers if _names(topic, text) else texts.answers)
        ask = random.choice(topic.asks) if random.random() < fan.chattiness / 2 else ""
        return _joined("", _joined(answer, ask), closing)
    if random.random() < 0.35:
        return _joined(reaction, random.choice(texts.thanks), closing)
    return _joined(reaction, random.choice(topic.asks), closing)


def _topic_of(fan: FanTraits, text: str, random: Random) -> _Topic:
    """What the message talks about; where it names no topic, one of the fan's own."""
    topics = _texts().topics[fan.kind]
    named = [topic for topic in topics if _names(topic, text)]
    own = [topic for topic in topics if topic.name in fan.topics]
    return random.choice(named or own or topics)


def _names(topic: _Topic, text: str) -> bool:
    words = _words(text)
    return any(_stands_in(word, words) for word in topic.words)


def _stands_in(stem: str, words: frozenset[str]) -> bool:
    """Whether a word begins with the stem; short stems must be the whole word, or its plural."""
    if len(stem) < 5:
        return stem in words or f"{stem}s" in words
    return any(word.startswith(stem) for word in words)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _delay(fan: FanTraits, pace: float) -> int:
    """Log-normal seconds; the median is 2 minutes for the chattiest fan, 2 hours for the least."""
    median = 120.0 * math.pow(60.0, 1.0 - fan.chattiness)
    busy = 3.0 if fan.mood is Mood.BUSY else 1.0
    seconds = median * busy * math.exp(0.8 * pace)
    return round(min(max(seconds, LEAST_DELAY_SECONDS), GREATEST_DELAY_SECONDS))


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _random(*parts: object) -> Random:
    """A generator that depends on all parts, on no process and on no version of `hash`."""
    key = "\x1f".join(str(part) for part in parts).encode("utf-8", "backslashreplace")
    return Random(int.from_bytes(hashlib.sha256(key).digest()[:8], "big"))  # noqa: S311 - a model, no secret


@cache
def _texts() -> _Texts:
    data: dict[str, Any] = tomllib.loads(
        resources.files("vaultcrm.adapters.channels.simulator")
        .joinpath("texts.toml")
        .read_text(encoding="utf-8")
    )
    moods, kinds = data["moods"], data["kinds"]
    return _Texts(
        reactions={mood: tuple(moods[mood]["reactions"]) for mood in Mood},
        closings={mood: tuple(moods[mood]["closings"]) for mood in Mood},
        answers=tuple(data["talk"]["answers"]),
        thanks=tuple(data["talk"]["thanks"]),
        hellos=tuple(data["talk"]["hellos"]),
        assistant=tuple(data["assistant"]["replies"]),
        asks_who=tuple(data["assistant"]["asks"]),
        bought=tuple(data["offers"]["bought"]),
        declined=tuple(data["offers"]["declined"]),
        topics={kind: _read_topics(kinds[kind]["topics"]) for kind in CreatorKind},
        about={kind: tuple(kinds[kind]["about"]) for kind in CreatorKind},
    )


def _read_topics(table: dict[str, dict[str, Sequence[str]]]) -> tuple[_Topic, ...]:
    return tuple(
        _Topic(name, frozenset(found["words"]), tuple(found["answers"]), tuple(found["asks"]))
        for name, found in table.items()
    )
