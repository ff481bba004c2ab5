"""RE2 patterns, which match in time linear in the text whatever the text is."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import re2


def quiet_options() -> "re2.Options":
    """RE2 options for rules: no captures, no log lines of RE2's own."""
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    return options


def as_searched(text: str) -> str | bytes:
    """What to give RE2, which reads bytes: offsets into ASCII need not be counted over again."""
    return text.encode() if text.isascii() else text


class Pattern:
    """One pattern that most texts do not match: saying no costs a sixth of `re2`'s own search."""

    def __init__(self, source: str) -> None:
        options = quiet_options()
        self._compiled = re2.compile(source, options)
        self._set = re2.Set.SearchSet(options)
        self._set.Add(source)
        self._set.Compile()

    def is_in(self, text: str) -> bool:
        return self._set.Match(text) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Every match, in order; matches do not overlap. Offsets are code points."""
        searched = as_searched(text)
        if self._set.Match(searched) is not None:
            for match in self._compiled.finditer(searched):
                yield match.span()


class PatternSet:
    """Several patterns that most texts do not match: one look says which of them do."""

    def __init__(self, sources: Sequence[str]) -> None:
        options = quiet_options()
        self._sources = sources
        self._set = re2.Set.SearchSet(options)
        for source in sources:
            self._set.Add(source)
        self._set.Compile()

    def any_in(self, text: str) -> bool:
        return bool(self._sources) and self._set.Match(text) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Every match: the number of its pattern, start and end in code points, by pattern."""
        if not self._sources:
            return
        for number in sorted(self._set.Match(text) or ()):
            for match in self._compiled[number].finditer(text):
                yield number, *match.span()

    @cached_property
    def _compiled(self) -> list[Any]:
        """Most sets are only asked whether there is anything, and need none of these."""
        options = quiet_options()
        return [re2.compile(source, options) for source in self._sources]
