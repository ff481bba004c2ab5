"""A fan's message analysed by word lists, for installations without a model.

It is rough: it knows the words of `rough_words.toml` in five languages and nothing of context,
irony or spelling mistakes. Where it is unsure it leans to the graver answer, since what it says
only stops automation and calls a person. Its usage is zero.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from vaultcrm.domain.drafting import Distress, MessageAnalysis
from vaultcrm.domain.generation import TokenUsage

UNKNOWN_LANGUAGE = "und"
"""ISO 639's own code for a language that cannot be told."""

Sentiment = Literal["positive", "neutral", "negative"]
Intent = Literal["chat", "question", "purchase", "complaint", "farewell", "other"]

_MINOR_AGES = "|".join(str(age) for age in range(17, 7, -1))
_MINOR_LISTS = ("minor", "age", "bare_age")
_END_OF_CLAUSE = r"(?=\s*(?:$|[.,!?;)\n]|and\b|but\b|so\b|btw\b|lol\b|und\b|aber\b))"
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class _Words:
    """One pattern a list, over all languages; `common` by language."""

    common: dict[str, re.Pattern[str]]
    lists: dict[str, re.Pattern[str]]


def analyze_roughly(text: str, model: str) -> MessageAnalysis:
    """Sentiment by counting words, the rest by the first list that has a word of the message."""
    folded = _fold(text)
    words = _words()
    return MessageAnalysis(
        sentiment=_sentiment(folded, words),
        intent=_intent(folded, words),
        distress=_distress(folded, words),
        possible_minor=any(words.lists[name].search(folded) for name in _MINOR_LISTS),
        language=_language(folded, words),
        usage=TokenUsage(),
        model=model,
    )


def _sentiment(text: str, words: _Words) -> Sentiment:
    balance = len(words.lists["positive"].findall(text)) - len(
        words.lists["negative"].findall(text)
    )
    if balance == 0:
        return "neutral"
    return "positive" if balance > 0 else "negative"


def _intent(text: str, words: _Words) -> Intent:
    if words.lists["complaint"].search(text):
        return "complaint"
    if words.lists["purchase"].search(text):
        return "purchase"
    if words.lists["farewell"].search(text):
        return "farewell"
    if "?" in text or words.lists["question"].match(text.lstrip(" ¿¡")):
        return "question"
    return "chat" if _LETTER.search(text) else "other"


def _distress(text: str, words: _Words) -> Distress:
    if words.lists["distress_clear"].search(text):
        return Distress.CLEAR
    if words.lists["distress_possible"].search(text):
        return Distress.POSSIBLE
    return Distress.NONE


def _language(text: str, words: _Words) -> str:
    hits = {name: len(pattern.findall(text)) for name, pattern in words.common.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else UNKNOWN_LANGUAGE


def _fold(text: str) -> str:
    """Small letters, straight apostrophes, no accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@cache
def _words() -> _Words:
    source = resources.files("vaultcrm.adapters.llm").joinpath("rough_words.toml")
    languages: dict[str, dict[str, list[str]]] = tomllib.loads(source.read_text("utf-8"))
    names = {name for lists in languages.values() for name in lists} - {"common"}
    return _Words(
        common={code: _pattern(lists["common"]) for code, lists in languages.items()},
        lists={
            name: _pattern(
                [word for lists in languages.values() for word in lists[name]],
                _END_OF_CLAUSE if name == "bare_age" else "",
            )
            for name in names
        },
    )


def _pattern(words: list[str], then: str = "") -> re.Pattern[str]:
    # Longest first: an alternation takes the first that fits.
    ordered = sorted({_fold(word) for word in words}, key=len, reverse=True)
    any_of = "|".join(_expression(word) for word in ordered)
    return re.compile(rf"(?<!\w)(?:{any_of})(?!\w){then}")


def _expression(word: str) -> str:
    # `n` stands alone only as the age in the lists: no list has a word of that one letter.
    parts = [
        f"(?:{_MINOR_AGES})" if part == "n" else re.escape(part).replace(r"\*", r"\w*")
        for part in word.split(" ")
    ]
    return r"\s+".join(parts)
