"""Phrases: which are common enough to ask about, and where they stand.

A phrase is two to four words of one sentence. It is asked about only if it was written to at least
`FANS` different fans: what is said to a few may say who they are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ahocorasick_rs import AhoCorasick

FANS: Final = 5
LEAST_SHARE: Final = 0.01
"""Of the messages: rarer phrases could not be told from chance."""
MOST_SHARE: Final = 0.7
MOST_NEW: Final = 30
"""So many phrases are taken up in one week,"""
MOST_TRACKED: Final = 120
"""and so many are asked about in all. Each is one more question, and makes all of them harder."""
MOST_COUNTED: Final = 60_000
"""Of different runs of words that are counted at once; the rarest are forgotten above it."""

_SMALL = frozenset(
    {"a", "an", "the", "and", "or", "but", "so", "to", "of", "in", "on", "at", "for", "with"}
    | {"is", "are", "was", "were", "be", "been", "am", "do", "did", "does", "have", "has", "had"}
    | {"i", "me", "my", "you", "your", "it", "its", "that", "this", "we", "us", "he", "she", "they"}
    | {"i'm", "you're", "it's", "that's", "not", "no", "if", "as", "will", "would", "can", "just"}
)


def runs(pieces: Sequence[str], shortest: int = 2, longest: int = 4) -> Iterator[str]:
    """Every run of so many words that no `|` interrupts, in order, repeats included."""
    for start in range(len(pieces)):
        if pieces[start] == "|":
            continue
        for end in range(start + 1, min(start + longest, len(pieces)) + 1):
            if pieces[end - 1] == "|":
                break
            if end - start >= shortest:
                yield " ".join(pieces[start:end])


def may_be_kept(phrase: str) -> bool:
    """Whether a phrase says something and nothing of anybody: no digits, not only small words."""
    words = phrase.split()
    return not any(letter.isdigit() for letter in phrase) and any(w not in _SMALL for w in words)


class Common:
    """Finds common runs in a stream: bounded, however long it is.

    When too many different ones are counted, those seen least are forgotten, as in lossy counting
    (Manku and Motwani, 2002): one in every hundred messages is never lost.
    """

    def __init__(self) -> None:
        self.messages = 0
        self._count: Counter[str] = Counter()
        self._fans: dict[str, set[int]] = {}

    def add(self, found: Iterable[str], fan: int) -> None:
        """The runs of one message to a fan."""
        self.messages += 1
        for run in set(found):
            self._count[run] += 1
            fans = self._fans.setdefault(run, set())
            if len(fans) < FANS:
                fans.add(fan)
        if len(self._count) > MOST_COUNTED:
            self._forget()

    def _forget(self) -> None:
        least = sorted(self._count.values())[len(self._count) // 2]
        for run in [run for run, count in self._count.items() if count <= least]:
            del self._count[run], self._fans[run]

    def chosen(
        self, most: int, *, known: frozenset[str] = frozenset(), least_share: float = LEAST_SHARE
    ) -> list[str]:
        """The commonest that may be kept and are not known, none part of another as common."""
        least, greatest = least_share * self.messages, MOST_SHARE * self.messages
        ranked = sorted(
            (
                (run, count)
                for run, count in self._count.items()
                if least <= count <= greatest
                and len(self._fans[run]) >= FANS
                and run not in known
                and may_be_kept(run)
            ),
            key=lambda one: (-one[1], -len(one[0]), one[0]),
        )
        kept: list[tuple[str, int]] = []
        for run, count in ranked:
            within = f" {run} "
            # A longer run that is nearly as common says the same, and says it better.
            if any(within in f" {other} " and many >= 0.8 * count for other, many in kept):
                continue
            kept = [
                (other, many)
                for other, many in kept
                if not (f" {other} " in within and count >= 0.8 * many)
            ]
            kept.append((run, count))
            if len(kept) >= 2 * most:
                break
        return [run for run, _ in kept[:most]]


class Finder:
    """Which of some phrases stand in a text."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self.phrases = tuple(phrases)
        self._automaton = AhoCorasick([f" {phrase} " for phrase in phrases]) if phrases else None

    def in_(self, pieces: Sequence[str]) -> set[int]:
        """Their places among `phrases`."""
        if self._automaton is None:
            return set()
        text = f" {' '.join(pieces)} "
        matches = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return {index for index, _, _ in matches}
