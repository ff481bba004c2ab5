"""Traits of a message: what can be counted about how it is written, when it went and to whom."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import minor_per_major
from vaultcrm.domain.people import Tier

SHORT_CHARACTERS = 80
LONG_CHARACTERS = 200
SEVERAL_EMOJI = 3

PRICE_BANDS: Final = ("free", "under 10", "10 to 25", "25 to 50", "50 and more", "other currency")
"""In whole units of the creator's main currency; `other currency` is a price in another one."""
_BAND_FROM = (10, 25, 50)
HOUR_BANDS: Final = ("0-6 h", "6-12 h", "12-18 h", "18-24 h")
"""Of the day in UTC."""

TRAITS: Final = (
    "question",
    "exclamation",
    "name",
    "short",
    "long",
    "no_emoji",
    "some_emoji",
    "many_emoji",
    "playful",
    "affection",
    "thanks",
    "about_fan",
)
"""Traits of the text itself. The words behind tone markers are English."""

ARMS: Final = (
    *TRAITS,
    *(f"price:{band}" for band in range(1, 5)),
    *(f"hours:{band}" for band in range(4)),
    *(f"tier:{tier.value}" for tier in Tier),
    *(f"kind:{kind.value}" for kind in GenerationType),
)
"""Everything but phrases, in the order in which sums are kept."""
INDEX: Final[Mapping[str, int]] = {arm: index for index, arm in enumerate(ARMS)}
TIERS: Final = tuple(Tier)

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_PIECE = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.!?,;:\n…]")
_BREAK = frozenset(".!?,;:\n…")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50\u2b55]")
_PLAYFUL = frozenset(
    {"haha", "hahaha", "hehe", "lol", "lmao", "tease", "teasing", "cheeky", "guess", "bet", "dare"}
)
_AFFECTION = frozenset(
    {"babe", "baby", "darling", "dear", "honey", "hun", "love", "lovely", "sweet"}
    | {"sweetheart", "sweetie", "cutie", "gorgeous", "handsome"}
)
_THANKS = frozenset({"thank", "thanks", "thankful", "grateful", "appreciate"})
_FAN = frozenset({"you", "your", "yours", "you're", "you've", "you'll", "you'd"})
_SELF = frozenset({"i", "me", "my", "mine", "i'm", "i've", "i'll", "i'd"})


def _plain(text: str) -> str:
    return text.replace("’", "'").lower()


def words_of(text: str) -> list[str]:
    """The words in lower case, apostrophes made alike."""
    return _WORD.findall(_plain(text))


def pieces_of(text: str, names: frozenset[str]) -> list[str]:
    """The words, with `|` in the place of what ends a phrase: a pause, or a word of the fan's name.

    A phrase of these words can hold no fan's name and runs over no end of a sentence.
    """
    return [
        "|" if piece in _BREAK or piece in names else piece
        for piece in _PIECE.findall(_plain(text))
    ]


def names_of(display_name: str) -> frozenset[str]:
    """The words of a fan's name."""
    return frozenset(words_of(display_name))


def traits_of(text: str, words: list[str], names: frozenset[str]) -> list[int]:
    """The places in `ARMS` of the traits that a text has; `names` are the fan's."""
    found = []
    if "?" in text:
        found.append(0)
    if "!" in text:
        found.append(1)
    distinct = set(words)
    if not names.isdisjoint(distinct):
        found.append(2)
    if len(text) <= SHORT_CHARACTERS:
        found.append(3)
    elif len(text) > LONG_CHARACTERS:
        found.append(4)
    emoji = 0 if text.isascii() else len(_EMOJI.findall(text))
    found.append(5 if not emoji else 6 if emoji < SEVERAL_EMOJI else 7)
    if not distinct.isdisjoint(_PLAYFUL):
        found.append(8)
    if not distinct.isdisjoint(_AFFECTION):
        found.append(9)
    if not distinct.isdisjoint(_THANKS):
        found.append(10)
    if sum(word in _FAN for word in words) > sum(word in _SELF for word in words):
        found.append(11)
    return found


def band_of(price_minor: int | None, currency: str | None, main_currency: str) -> int:
    """The place of a price in `PRICE_BANDS`."""
    if not price_minor:
        return 0
    if currency != main_currency:
        return 5
    major = price_minor / minor_per_major(main_currency)
    return 1 + sum(major >= least for least in _BAND_FROM)


def circumstances_of(
    tier: str, band: int, sent_at: datetime, kind: GenerationType | None
) -> list[int]:
    """The places in `ARMS` of what is no trait of the text; `kind` is None for another's draft."""
    found = [INDEX[f"hours:{sent_at.astimezone(UTC).hour // 6}"], INDEX[f"tier:{tier}"]]
    if 1 <= band <= 4:
        found.append(INDEX[f"price:{band}"])
    if kind is not None:
        found.append(INDEX[f"kind:{kind.value}"])
    return found
