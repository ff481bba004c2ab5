"""Which of a creator's own messages a prompt shows: short, answered soon, recent, no two alike."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from vaultcrm.domain.learning import EXAMPLES
from vaultcrm.pipeline.learning.phrases import FANS
from vaultcrm.pipeline.learning.traits import names_of, words_of

LEAST_WORDS: Final = 4
MOST_ALIKE: Final = 0.35
"""Two examples share at most so much of their words (Jaccard)."""
HALF_LIFE_DAYS: Final = 21.0
SOON_SECONDS: Final = 3_600.0
_CASED = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Answered:
    """A message that went as it was drafted and was answered."""

    key: UUID
    text: str
    fan_id: UUID
    fan_name: str
    time_to_reply: int | None
    sent_at: datetime


def choose(
    candidates: Sequence[Answered], now: datetime, is_clean: Callable[[str], bool]
) -> list[Answered]:
    """At most `EXAMPLES`, the best first, each to another fan; `is_clean` is asked last.

    A text that names its fan, has a digit, or a word that could be a name, shows somebody's life
    and is left out. The rest is ranked by 2^(-days / 21) / (1 + hours to the answer): what was
    answered soon, and not long ago.
    """
    ranked = sorted(candidates, key=lambda one: (-_worth(one, now), one.key))
    rare = _could_be_names(candidates)
    chosen: list[Answered] = []
    words_chosen: list[set[str]] = []
    fans: set[UUID] = set()
    for one in ranked:
        words = set(words_of(one.text))
        if (
            len(words) < LEAST_WORDS
            or one.fan_id in fans
            or words & names_of(one.fan_name)
            or any(letter.isdigit() for letter in one.text)
            or words & rare
            or any(_alike(words, other) > MOST_ALIKE for other in words_chosen)
            or not is_clean(one.text)
        ):
            continue
        chosen.append(one)
        words_chosen.append(words)
        fans.add(one.fan_id)
        if len(chosen) == EXAMPLES:
            break
    return chosen


def _could_be_names(candidates: Sequence[Answered]) -> set[str]:
    """Words, in lower case, that are never written so and that few fans were written: names, also
    of places and pets, and with them some words that only ever began a sentence.
    """
    fans: dict[str, set[UUID]] = {}
    small: set[str] = set()
    for one in candidates:
        for word in _CASED.findall(one.text):
            if word[0].isupper():
                fans.setdefault(word.lower(), set()).add(one.fan_id)
            else:
                small.add(word.lower())
    return {word for word, read_by in fans.items() if len(read_by) < FANS} - small - {"i", "i'm"}


def _worth(one: Answered, now: datetime) -> float:
    days = max((now - one.sent_at).total_seconds(), 0.0) / 86_400
    hours = (SOON_SECONDS if one.time_to_reply is None else one.time_to_reply) / SOON_SECONDS
    return float(2 ** (-days / HALF_LIFE_DAYS)) / (1 + max(hours, 0.0))


def _alike(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)
