"""Offences in every disguise: how many are found, by category and family."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from evals.safety.families import FAMILIES, Family
from vaultcrm.domain.safety import Category, Finding, FindingTier, Scope
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.packs import load_packs

OFFENCES = Path(__file__).parent / "offences"
PLAIN = "as_typed"
_NOT_DISGUISED = frozenset({Category.OBFUSCATION, Category.PERSONAL_DATA})
_STRICTNESS = {tier: place for place, tier in enumerate(reversed(FindingTier))}
_MARKUP = frozenset("<>[]{}#@")


@dataclass(frozen=True, slots=True)
class Offence:
    """A text in which `category` must be found; `source` is `held_out`, `second_set` or `examples`.

    `key` is the word to disguise and where it stands; None for the longest one of what is found.
    """

    category: Category
    scope: Scope
    text: str
    source: str
    language: str = "en"
    key: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    offence: Offence
    family: str
    typed: str
    found: bool


def held_out() -> list[Offence]:
    """The sentences of `offences/`, a file a category; none of them is in a pack."""
    offences = []
    for file in sorted(OFFENCES.glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            entry = json.loads(line)
            offences.append(
                Offence(
                    Category(file.stem),
                    Scope(entry.get("scope", "draft")),
                    entry["text"],
                    "held_out",
                    entry.get("language", "en"),
                )
            )
    return offences


def pack_examples() -> list[Offence]:
    """What the rules' own examples say must match, where it is words that are not disguised."""
    content_filter = ContentFilter.load()
    return [
        Offence(rule.category, rule.first_scope, example, "examples")
        for pack in load_packs()
        for rule in pack.rules
        for example in rule.matching_examples
        if rule.category not in _NOT_DISGUISED
        and _MARKUP.isdisjoint(example)
        and not content_filter.check(example, rule.first_scope).has(Category.OBFUSCATION)
    ]


def trials(
    content_filter: ContentFilter, offences: list[Offence], seed: int, each: int = 1
) -> Iterator[Trial]:
    """Each offence as typed, then `each` times in every family for which it is long enough.

    Found is what has the category at the tier that it has undisguised; for a guess, at any tier.
    """
    chance = Random(seed)  # noqa: S311 - the same sets on every run
    for offence in offences:
        known = _finding(content_filter, offence, offence.text)
        yield Trial(offence, PLAIN, offence.text, known is not None)
        if known is None:
            continue
        word, start = offence.key or _key_word(offence.text, known)
        for family in FAMILIES:
            if len(word) < family.shortest:
                continue
            for _ in range(each):
                typed = family.disguise(word.lower(), chance)
                if typed == word.lower():
                    continue
                text = offence.text[:start] + typed + offence.text[start + len(word) :]
                yield Trial(
                    offence,
                    family.name,
                    text,
                    _is_found(content_filter, offence, text, known, family),
                )


def _finding(content_filter: ContentFilter, offence: Offence, text: str) -> Finding | None:
    """The strictest and surest finding of the offence's category."""
    found = [
        finding
        for finding in content_filter.check(text, offence.scope).findings
        if finding.category is offence.category
    ]
    return max(found, key=lambda f: (_STRICTNESS[f.tier], f.score), default=None)


def _is_found(
    content_filter: ContentFilter, offence: Offence, text: str, known: Finding, family: Family
) -> bool:
    found = _finding(content_filter, offence, text)
    if found is None:
        return False
    return family.is_guess or _STRICTNESS[found.tier] >= _STRICTNESS[known.tier]


def _key_word(text: str, finding: Finding) -> tuple[str, int]:
    """The longest word of letters in what was found, and where it starts in the text."""
    words: list[tuple[str, int]] = []
    word = ""
    for at, char in enumerate(finding.matched + " "):
        if char.isalpha():
            word += char
        elif word:
            words.append((word, finding.start + at - len(word)))
            word = ""
    return max(words, key=lambda found: len(found[0]), default=("", finding.start))
