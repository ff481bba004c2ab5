"""Finding terms and patterns in a view: work that grows with the text, not with the rules.

Terms of all rules are one Aho-Corasick automaton (A. Aho, M. Corasick, 1975). Patterns of all
rules share RE2's prefilter, which looks for the literals that a pattern cannot do without; only
patterns whose literals are there are run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import re2
from ahocorasick_rs import AhoCorasick

from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.joining import SHORTEST_RUN
from vaultcrm.pipeline.safety.normalise.leet import strokes
from vaultcrm.pipeline.safety.normalise.view import View
from vaultcrm.pipeline.safety.packs import CONTEXT, Rule
from vaultcrm.pipeline.safety.patterns import PatternSet, as_searched, quiet_options

COMPACT_FROM = 6
"""A phrase of so many letters is also found with its words run together."""

# Scripts that put no space between words: there a term may begin and end anywhere.
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xA4CF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """`start:end` of `view` matched what has the number `owner`."""

    owner: int
    view: View
    start: int
    end: int


def _is_unspaced(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in _UNSPACED)


def parts_words(before: str, after: str) -> bool:
    """Whether a word may end between two neighbouring characters."""
    if not (before.isalnum() and after.isalnum()):
        return True
    return not before.isascii() and (_is_unspaced(before) or _is_unspaced(after))


def _compact(term: str) -> str:
    return "".join(char for char in term if char.isalnum())


class TermIndex:
    """Whole-word search for many terms, given as (term, owner). Terms are folded here."""

    def __init__(self, terms: Sequence[tuple[str, int]]) -> None:
        forms: dict[str, set[int]] = {}
        leet_forms: dict[str, set[int]] = {}
        for term, owner in terms:
            folded = " ".join(fold(term).split())
            compact = _compact(folded)
            written = {folded, folded.replace("'", "")}
            if len(compact) >= COMPACT_FROM:
                written.add(compact)
            for form in written:
                if form:
                    forms.setdefault(form, set()).add(owner)
                    if not any(char.isdigit() for char in form):
                        leet_forms.setdefault(strokes(form), set()).add(owner)
        self._plain = _Automaton(forms)
        self._leet = _Automaton(leet_forms)

    def hits(self, view: View) -> Iterator[Hit]:
        """Every term in the view that its parent view does not show just as well."""
        if view.is_leet:
            return self._leet.hits(view, strokes(view.text))
        return self._plain.hits(view, view.text)


class _Automaton:
    def __init__(self, forms: dict[str, set[int]]) -> None:
        self._lengths = [len(_compact(form)) for form in forms]
        self._owners = [sorted(owners) for owners in forms.values()]
        self._search = AhoCorasick(list(forms)).find_matches_as_indexes if forms else None

    def hits(self, view: View, text: str) -> Iterator[Hit]:
        if self._search is None:
            return
        for number, start, end in self._search(text, overlapping=True):
            splits_runs = self._lengths[number] >= SHORTEST_RUN
            if (
                _is_edge(view, text, start, splits_runs)
                and _is_edge(view, text, end, splits_runs)
                and view.differs(start, end)
            ):
                for owner in self._owners[number]:
                    yield Hit(owner, view, start, end)


def _is_edge(view: View, text: str, offset: int, splits_runs: bool) -> bool:
    if offset in (0, len(text)) or parts_words(text[offset - 1], text[offset]):
        return True
    return splits_runs and view.in_run(offset)


class PatternIndex:
    """Search for many RE2 patterns, given as (pattern, owner)."""

    def __init__(
        self,
        patterns: Sequence[tuple[str, int]],
        options: "re2.Options | None" = None,
        most: int | None = None,
    ) -> None:
        """`most`: so many matches of one pattern are told of one view; None for all."""
        self._owners = [owner for _, owner in patterns]
        self._most = most
        self._filter = re2.Filter()
        options = options or quiet_options()
        for pattern, _ in patterns:
            self._filter.Add(pattern, options)
        if patterns:
            self._filter.Compile()
        self._compiled = [re2.compile(pattern, options) for pattern, _ in patterns]

    def hits(self, view: View) -> Iterator[Hit]:
        """Every match, by pattern; within one pattern matches do not overlap."""
        if not self._owners:
            return
        searched = as_searched(view.text)
        for number in self._filter.Match(searched) or ():
            for match in islice(self._compiled[number].finditer(searched), self._most):
                start, end = match.span()
                if end > start and view.differs(start, end):
                    yield Hit(self._owners[number], view, start, end)


class Exceptions:
    """What one rule leaves out: the `unless_...` fields of its pack."""

    def __init__(self, rule: Rule) -> None:
        self._before = PatternSet(rule.unless_before)
        self._after = PatternSet(rule.unless_after)
        self._match = PatternSet(rule.unless_match)
        self._within = rule.unless_within

    def drop(self, text: str, start: int, end: int) -> bool:
        """Whether the match or the words around it say that it means something else."""
        if any(
            text.find(word, max(0, end - len(word)), start + len(word)) >= 0
            for word in self._within
        ):
            return True
        return (
            self._match.any_in(text[start:end])
            or self._before.any_in(text[max(0, start - CONTEXT) : start])
            or self._after.any_in(text[end : end + CONTEXT])
        )
