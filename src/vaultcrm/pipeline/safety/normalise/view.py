"""One reading of a text, with the map of its offsets back to what was typed."""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from vaultcrm.pipeline.safety.normalise.folding import is_lookalike, positions_in


class ViewName(StrEnum):
    PLAIN = "plain"
    LEET = "leet"
    JOINED = "joined"
    JOINED_LEET = "joined_leet"
    SIGNS = "signs"
    REREAD = "reread"


class Disguise(StrEnum):
    """How a matched span hides what it says."""

    LOOKALIKE = "lookalike"
    LEET = "leet"
    SEPARATED = "separated"
    STRETCHED = "stretched"
    MASKED = "masked"
    MISSPELLED = "misspelled"


@dataclass(frozen=True)
class View:
    """One reading of `original`. Offsets are code points.

    `parent` is the view that this one was made from, None for `plain`, and `positions[i]` is the
    offset in the parent of character `i`; None when every character stands where it stood. `ends`,
    where given, says where the character ends in the parent: after one character if not.
    `runs` are the spans of letters that had been spelled out; a word may begin or end anywhere
    within them. `rewritten` are the spans of words that were read as others, and why.
    """

    name: ViewName
    text: str
    original: str
    parent: "View | None" = None
    positions: Sequence[int] | None = None
    runs: tuple[tuple[int, int], ...] = ()
    ends: Sequence[int] | None = None
    rewritten: tuple[tuple[int, int, Disguise], ...] = ()

    @property
    def is_leet(self) -> bool:
        return self.name is ViewName.LEET or self.name is ViewName.JOINED_LEET

    @cached_property
    def tokens(self) -> list[str]:
        """What stands between white space."""
        return self.text.split()

    @cached_property
    def _plain_positions(self) -> Sequence[int] | None:
        return positions_in(self.original, self.text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that `start:end` of this view was read from; end > start."""
        if self.parent:
            return self.parent.span(*self._parent_span(start, end))
        positions = self._plain_positions
        return (start, end) if positions is None else (positions[start], positions[end - 1] + 1)

    def _parent_span(self, start: int, end: int) -> tuple[int, int]:
        if self.positions is None:
            return start, end
        last = self.ends[end - 1] if self.ends else self.positions[end - 1] + 1
        return self.positions[start], last

    def _rewritten_in(self, start: int, end: int) -> Iterator[Disguise]:
        # By place: to skip up to it would cost a long text its length for every match.
        at = max(bisect_right(self.rewritten, (start, sys.maxsize)) - 1, 0)
        for place in range(at, len(self.rewritten)):
            first, last, disguise = self.rewritten[place]
            if first >= end:
                return
            if last > start:
                yield disguise

    def disguises(self, start: int, end: int) -> frozenset[Disguise]:
        """What had to be undone to read `start:end`. Empty if it stands there for all to see."""
        found: set[Disguise] = set()
        if self.parent is None:
            if not self.original.isascii():
                first, last = self.span(start, end)
                if any(is_lookalike(char) for char in self.original[first:last]):
                    found.add(Disguise.LOOKALIKE)
            return frozenset(found)
        first, last = self._parent_span(start, end)
        if self.name is ViewName.REREAD:
            found.update(self._rewritten_in(start, end))
        elif self.name is ViewName.SIGNS:
            if self.parent.text[first:last] != self.text[start:end]:
                found.add(Disguise.LOOKALIKE)
        elif self.is_leet:
            if _reads_signs(self.parent.text[first:last], self.text[start:end]):
                found.add(Disguise.LEET)
        elif self.touches_run(start, end) or not _only_spacing(
            self.parent.text[first:last], self.text[start:end]
        ):
            found.add(Disguise.SEPARATED)
        return frozenset(found) | self.parent.disguises(first, last)

    def differs(self, start: int, end: int) -> bool:
        """False when the parent reads the same in this span, so that its own match will do."""
        if self.parent is None:
            return True
        if self.name is ViewName.REREAD:
            return any(self._rewritten_in(start, end))
        first, last = self._parent_span(start, end)
        if self.is_leet:
            return _reads_signs(self.parent.text[first:last], self.text[start:end])
        return self.parent.text[first:last] != self.text[start:end]

    def touches_run(self, start: int, end: int) -> bool:
        """Whether any of `start:end` was spelled out letter by letter."""
        at = bisect_right(self.runs, (end - 1, len(self.text))) - 1
        return at >= 0 and self.runs[at][1] > start

    def beside_in_run(self, start: int, end: int) -> tuple[str, str]:
        """The letters that were spelled out in one run with `start:end`, before and after it."""
        at = bisect_right(self.runs, (end - 1, len(self.text))) - 1
        if at < 0 or self.runs[at][1] <= start:
            return "", ""
        first, last = self.runs[at]
        return self.text[first:start], self.text[end:last]

    def in_run(self, offset: int) -> bool:
        """Whether both neighbours of `offset` belong to one spelled-out run."""
        at = bisect_right(self.runs, (offset, 0)) - 1
        return at >= 0 and self.runs[at][0] < offset < self.runs[at][1]


def _reads_signs(before: str, after: str) -> bool:
    """Whether one reading has a letter where the other has none."""
    return before != after and any(
        not old.isalpha() and new.isalpha() for old, new in zip(before, after, strict=True)
    )


def _only_spacing(before: str, after: str) -> bool:
    """Whether two readings differ in nothing but white space and hyphens, as `cash-app` does."""
    return _SPACING.sub("", before) == _SPACING.sub("", after)


_SPACING = re.compile(r"[\s\-]+")
