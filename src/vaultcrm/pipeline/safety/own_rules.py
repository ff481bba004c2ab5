"""Rules of a creator's own: made ready for the filter, and what is wrong with one that is typed.

Phrases are found as the words of the packs are, in every view and with their disguises. Patterns
are RE2 and run over the same views, so their letters are folded and small and capital ones are the
same. Exceptions hold where the phrase stands undisguised; they let through what the packs found
wholly inside it and never reach past its edges.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2
from ahocorasick_rs import AhoCorasick

from vaultcrm.domain.content_rules import (
    MOST_INSTRUCTIONS,
    MOST_INSTRUCTIONS_TOGETHER,
    ContentRule,
    OwnRules,
    RuleDraft,
    RuleKind,
    problems_of,
    written,
)
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.safety import Category, Finding, Scope
from vaultcrm.pipeline.safety.matching import PatternIndex, TermIndex, parts_words
from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.view import View
from vaultcrm.pipeline.safety.normalise.words import WordReader
from vaultcrm.pipeline.safety.patterns import quiet_options

KEPT_READY = 256
"""So many creators' rules, by scope, are kept ready for use."""

MOST_MATCHES = 100
"""So many matches of one pattern are told of one view; more would change no verdict."""

_MEMORY = 1 << 18
"""Bytes that RE2 may use for one pattern; beyond them it goes on more slowly, still in time linear
in the text."""
_SCORE = 0.9
_LEAST_LETTERS = 2
_ANY_TEXT = " a 1."
"""Holds each kind of place between characters where a pattern may match nothing."""


# ---- before a rule is kept


def checked(draft: RuleDraft) -> RuleDraft:
    """The draft as it is stored; raises InvalidInput naming each field at fault."""
    draft = written(draft)
    problems = list(problems_of(draft))
    if all(problem.field != "text" for problem in problems) and (why := text_problem(draft)):
        problems.append(FieldProblem("text", why))
    if problems:
        raise InvalidInput(*problems)
    return draft


def text_problem(draft: RuleDraft) -> str | None:
    """Why a rule's text finds nothing or too much, as a sentence's end; None if it is good."""
    return (
        _pattern_problem(draft.text) if draft.kind is RuleKind.PATTERN else _phrase_problem(draft)
    )


def _phrase_problem(draft: RuleDraft) -> str | None:
    folded = "".join(fold(draft.text).split())
    if not folded:
        return "holds nothing that can be seen"
    if folded.isascii() and sum(map(str.isalnum, folded)) < _LEAST_LETTERS:
        return f"needs at least {_LEAST_LETTERS} letters or digits"
    return None


def _pattern_problem(pattern: str) -> str | None:
    try:
        compiled = _compiled(pattern)
    except re2.error as error:
        return _explained(error)
    if any(match.end() == match.start() for match in compiled.finditer(_ANY_TEXT)):
        return "matches the empty text, and so every message: let it need at least one character"
    size = _instructions(compiled)
    if size > MOST_INSTRUCTIONS:
        return _too_large(f"{size:,} instructions where {MOST_INSTRUCTIONS:,} are allowed")
    return None


def instructions_of(pattern: str) -> int:
    """How large RE2's program for a pattern without `text_problem` is."""
    return _instructions(_compiled(pattern))


def together_problem(patterns: Sequence[str]) -> str | None:
    """Why these patterns are too much for one creator; None if they are not."""
    size = sum(map(instructions_of, patterns))
    if size <= MOST_INSTRUCTIONS_TOGETHER:
        return None
    return _too_large(
        f"all patterns of this creator would have {size:,} instructions where "
        f"{MOST_INSTRUCTIONS_TOGETHER:,} are allowed"
    )


def _too_large(how: str) -> str:
    return f"is too large ({how}): repeat less, or name fewer letters"


_LOOKS_AROUND = ("(?=", "(?!", "(?<")
_REFERS_BACK = re.compile(r"\\[1-9k]|\(\?P$")


def _explained(error: Exception) -> str:
    """RE2's own reason, and what to do where it is something that RE2 cannot do at all."""
    reason = error.args[0] if error.args else ""
    if isinstance(reason, bytes):
        reason = reason.decode("utf-8", "replace")
    what = reason.partition(": ")[2]
    if "too large" in reason or reason.startswith("invalid repetition size"):
        return _too_large(reason)
    told = f"is not a pattern that RE2 takes: {reason}"
    if what.startswith(_LOOKS_AROUND):
        return f"{told}. RE2 cannot look ahead or behind: match the words around it too"
    if _REFERS_BACK.search(what):
        return f"{told}. RE2 cannot refer back to a group: write out what may stand there"
    return told


# ---- rules ready for use


def _options() -> "re2.Options":
    options = quiet_options()
    options.case_sensitive = False
    options.max_mem = _MEMORY
    return options


def _compiled(pattern: str) -> "re2._Regexp[str]":
    return re2.compile(_as_folded(pattern), _options())


def _instructions(compiled: "re2._Regexp[str]") -> int:
    return int(compiled.programsize)


def _as_folded(pattern: str) -> str:
    """The pattern with its letters as the views have them: `café` has no accent there.

    What is ASCII already may be syntax and stays.
    """
    return "".join(char if char.isascii() else re2.escape(fold(char)) for char in pattern)


@dataclass(frozen=True, slots=True)
class PreparedRules:
    """The rules of one creator for one scope. `rules` are numbered as the owners of hits are.

    `failed` says that a rule could not be prepared, so that a person has to look.
    """

    rules: tuple[ContentRule, ...]
    terms: TermIndex
    patterns: PatternIndex
    reader: WordReader
    exceptions: "ExceptionIndex"
    failed: bool

    @property
    def adds(self) -> bool:
        return bool(self.rules)

    def is_phrase(self, owner: int) -> bool:
        return self.rules[owner].draft.kind is RuleKind.PHRASE

    def finding(self, owner: int, original: str, start: int, end: int) -> Finding:
        """The finding of a rule at `start:end` of a text."""
        rule = self.rules[owner]
        return Finding(
            category=rule.draft.category,
            start=start,
            end=end,
            rule=f"own_rule.{rule.id}",
            tier=rule.draft.tier,
            score=_SCORE,
            matched=original[start:end],
            reason=rule.draft.reason,
        )


@lru_cache(maxsize=KEPT_READY)
def prepared(own: OwnRules, scope: Scope) -> PreparedRules:
    """The rules that apply in a scope, ready for use."""
    here = [rule for rule in own.rules if scope in rule.draft.scopes]
    failed = not own.are_known
    added: list[ContentRule] = []
    excepted: list[ContentRule] = []
    for rule in here:
        # What was good when it was added may not be good for this version's RE2 or folding.
        if text_problem(rule.draft) is not None:
            failed = True
        elif rule.draft.kind is RuleKind.EXCEPTION:
            excepted.append(rule)
        else:
            added.append(rule)
    phrases = [
        (rule.draft.text, number)
        for number, rule in enumerate(added)
        if rule.draft.kind is RuleKind.PHRASE
    ]
    patterns = [
        (_as_folded(rule.draft.text), number)
        for number, rule in enumerate(added)
        if rule.draft.kind is RuleKind.PATTERN
    ]
    folded = [" ".join(fold(text).split()) for text, _ in phrases]
    # Some capitals look like another letter than their small form does, so each is folded.
    forms = {
        (form, number)
        for text, number in phrases
        for form in (text, text.lower(), text.upper(), text.title())
    }
    return PreparedRules(
        rules=tuple(added),
        terms=TermIndex(sorted(forms)),
        patterns=PatternIndex(patterns, _options(), MOST_MATCHES),
        reader=WordReader((word for phrase in folded for word in phrase.split()), folded),
        exceptions=ExceptionIndex(excepted),
        failed=failed,
    )


# ---- exceptions


class ExceptionIndex:
    """The phrases that a creator's team has looked at, each for one category."""

    def __init__(self, rules: Sequence[ContentRule]) -> None:
        categories: dict[str, set[Category]] = {}
        for rule in rules:
            for text in (rule.draft.text, rule.draft.text.lower()):
                phrase = " ".join(fold(text).split())
                categories.setdefault(phrase, set()).add(rule.draft.category)
        self._categories = list(categories.values())
        self._as_typed = {" ".join(rule.draft.text.casefold().split()) for rule in rules}
        self._search = AhoCorasick(list(categories)).find_matches_as_indexes if categories else None

    def left(self, findings: Sequence[Finding], plain: View) -> list[Finding]:
        """The findings less those that lie wholly in an occurrence of a phrase of their category.

        A finding that only tells how such a one was hidden goes with it.
        """
        occurrences = self._occurrences(plain) if findings else {}
        if not occurrences:
            return list(findings)
        reach = {category: _Reach(spans) for category, spans in occurrences.items()}
        kept: list[Finding] = []
        dropped: set[tuple[int, int]] = set()
        for finding in findings:
            if finding.category in reach and reach[finding.category].holds(finding):
                dropped.add((finding.start, finding.end))
            else:
                kept.append(finding)
        told = {(f.start, f.end) for f in kept if f.category is not Category.OBFUSCATION}
        hidden = dropped - told
        return [
            finding
            for finding in kept
            if finding.category is not Category.OBFUSCATION
            or (finding.start, finding.end) not in hidden
        ]

    def _occurrences(self, plain: View) -> dict[Category, list[tuple[int, int]]]:
        """Where the phrases stand in the text, by category."""
        found: dict[Category, list[tuple[int, int]]] = {}
        if self._search is None:
            return found
        text = plain.text
        for number, start, end in self._search(text, overlapping=True):
            if not (_is_edge(text, start) and _is_edge(text, end)):
                continue
            first, last = plain.span(start, end)
            # A phrase was looked at as it is written, not in letters that only look like it.
            typed = plain.original[first:last].casefold()
            if typed in self._as_typed or not plain.disguises(start, end):
                for category in self._categories[number]:
                    found.setdefault(category, []).append((first, last))
        return found


class _Reach:
    """Occurrences that lie in no other one: the later one begins, the later it ends."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            if not self._ends or end > self._ends[-1]:
                self._starts.append(start)
                self._ends.append(end)

    def holds(self, finding: Finding) -> bool:
        """Whether a finding lies wholly in one occurrence."""
        at = bisect_right(self._starts, finding.start) - 1
        return at >= 0 and finding.start < finding.end <= self._ends[at]


def _is_edge(text: str, offset: int) -> bool:
    return offset in (0, len(text)) or parts_words(text[offset - 1], text[offset])
