"""The step itself: a text goes in, a `SafetyReport` comes out, and nothing is ever raised."""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from importlib.resources.abc import Traversable

from vaultcrm.domain.content_rules import NO_RULES, OwnRules
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Scope, report_of
from vaultcrm.pipeline.safety.matching import Exceptions, Hit, PatternIndex, TermIndex
from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.view import Disguise, View, ViewName
from vaultcrm.pipeline.safety.normalise.views import views_of
from vaultcrm.pipeline.safety.normalise.vocabulary import Vocabulary
from vaultcrm.pipeline.safety.normalise.words import WordReader
from vaultcrm.pipeline.safety.own_rules import PreparedRules, prepared
from vaultcrm.pipeline.safety.packs import Pack, PackError, Rule, read_packs
from vaultcrm.pipeline.safety.patterns import PatternSet
from vaultcrm.pipeline.safety.personal_data import sightings

FORBIDDEN_CACHE = 512
"""So many creators' lists of forbidden words are kept ready for use."""

MOST_CHARACTERS = 200_000
"""More of one text is not checked, so that none holds up the others; a person must see it."""

_FORBIDDEN_SCORE = 0.9
_GUESSED_SCORE = 0.6
_DIGIT = re.compile(r"\d")
_LONG_ENOUGH = 5
"""A forbidden word of so many letters is found wherever it is spelled out, and hardly by chance."""
_FORBIDDEN_REASON = "Contains a word that this creator never uses."
_PERSONAL_DATA_SCOPES = frozenset({Scope.DRAFT, Scope.CHATTER})


class ContentFilter:
    """Checks texts against rule packs. Built once, then used from any thread."""

    def __init__(self, packs: Iterable[Pack], broken: Iterable[PackError] = ()) -> None:
        """`broken`: packs that could not be read. Every text then goes to a person, who is told."""
        self._not_checked = [
            _error("packs", f"A part of the filter's rules could not be read: {error}.")
            for error in broken
        ]
        rules = [rule for pack in packs for rule in pack.rules]
        searches: dict[tuple[str, ...], _Search] = {}
        self._rules = {}
        for scope in Scope:
            in_scope = [rule for rule in rules if scope in rule.tiers]
            names = tuple(rule.name for rule in in_scope)
            # A draft and a chatter's text are read by the same rules, which are prepared once.
            if names not in searches:
                searches[names] = _Search(in_scope)
            self._rules[scope] = _RuleSet(searches[names], scope)
        words = {word for rule in rules for word in rule.words}
        self._vocabulary = Vocabulary(words)

    @classmethod
    def load(cls) -> "ContentFilter":
        """The filter over the packs that come with the product.

        Always the same one: reading the packs and preparing them takes a third of a second.
        """
        return _shipped()

    @classmethod
    def of_folder(cls, folder: Traversable | None) -> "ContentFilter":
        """The filter over the packs of a folder; None is the one that comes with the product."""
        return cls(*read_packs(folder))

    def check(
        self,
        text: str,
        scope: Scope,
        forbidden_words: tuple[str, ...] = (),
        region: str = "US",
        own_rules: OwnRules = NO_RULES,
    ) -> SafetyReport:
        """What is wrong with a text, and where. Never raises, and says the same every time.

        Spans are code points of `text`, and `matched` is `text[start:end]`. Findings are sorted by
        start; those of one category do not overlap. `region` is the country (ISO 3166) by which
        national telephone numbers are read. `own_rules` are the creator's: what they add is found,
        and what they except is left out of what the packs find. An error in a step becomes a
        finding `filter_error`, tier review, and the other steps go on; so do a pack that could
        not be read, and what comes after `MOST_CHARACTERS`. Time grows linearly with the text.
        """
        findings = [*self._not_checked]
        try:
            if len(text) > MOST_CHARACTERS:
                findings.append(_too_long(len(text)))
                text = text[:MOST_CHARACTERS]
            views = views_of(text, self._vocabulary)
            rules = self._rules[scope]
        except Exception:
            return report_of((_error("normalise"),))
        try:
            findings += rules.findings(views)
        except Exception:
            findings.append(_error("rules"))
        if scope in _PERSONAL_DATA_SCOPES:
            try:
                findings += _personal_data(views[0], region)
            except Exception:
                findings.append(_error("personal_data"))
        if own_rules is not NO_RULES:
            findings = _with_own(findings, views, own_rules, scope, rules, self._vocabulary)
        if forbidden_words:
            try:
                findings += _forbidden(views, forbidden_words, rules, self._vocabulary)
            except Exception:
                findings.append(_error("forbidden_words"))
        return report_of(_merged(findings, text))


@cache
def _shipped() -> ContentFilter:
    return ContentFilter.of_folder(None)


class _Search:
    """Everything that some rules look for, prepared. Each rule has its place in `rules`."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = rules
        numbered = list(enumerate(rules))
        self.terms = TermIndex([(term, n) for n, rule in numbered for term in rule.terms])
        self.patterns = PatternIndex([(p, n) for n, rule in numbered for p in rule.patterns])
        self.exceptions = {n: Exceptions(rule) for n, rule in numbered if rule.has_exceptions}
        self.disguises = {rule.disguise: rule for rule in rules if rule.disguise}
        self.reader = WordReader(
            (word for rule in rules for word in rule.words_of_rules),
            (term for rule in rules for term in rule.terms),
        )
        self.raw_rules = [rule for rule in rules for _ in rule.raw_patterns]
        self.raw = PatternSet([pattern for rule in rules for pattern in rule.raw_patterns])


class _RuleSet:
    """The rules of one scope, ready to run."""

    def __init__(self, search: _Search, scope: Scope) -> None:
        self._search = search
        self._rules = search.rules
        self._scope = scope
        self._exceptions = search.exceptions
        self._disguises = search.disguises

    def findings(self, views: Sequence[View]) -> Iterator[Finding]:
        original = views[0].original
        search = self._search
        for hit, start, end in _hits(_reread(views, search.reader), search.terms, search.patterns):
            exceptions = self._exceptions.get(hit.owner)
            if exceptions and exceptions.drop(hit.view.text, hit.start, hit.end):
                continue
            yield from self._hit(self._rules[hit.owner], hit, start, end)
        if not original.isascii():
            yield from self._raw_findings(original)

    def _hit(self, rule: Rule, hit: Hit, start: int, end: int) -> Iterator[Finding]:
        finding = self._finding(rule, hit.view.original, start, end)
        if finding.tier is FindingTier.NOTE:
            # There is no harm in it, so none in how it is spelled.
            yield finding
            return
        yield _as_sure_as_read(finding, hit)
        yield from self.disguised(hit)

    def disguised(self, hit: Hit) -> Iterator[Finding]:
        """A finding for each disguise that had to be undone to read what was hit."""
        view = hit.view
        if view.parent is None and view.original.isascii():
            return
        for disguise in sorted(view.disguises(hit.start, hit.end)):
            if rule := self._disguises.get(disguise):
                yield self._finding(rule, view.original, *view.span(hit.start, hit.end))

    def _raw_findings(self, original: str) -> Iterator[Finding]:
        # RE2 reads UTF-8, which has no lone surrogates; one replacement each keeps the offsets.
        readable = original.encode("utf-8", "replace").decode("utf-8")
        for number, start, end in self._search.raw.spans(readable):
            yield self._finding(self._search.raw_rules[number], original, start, end)

    def _finding(self, rule: Rule, original: str, start: int, end: int) -> Finding:
        return Finding(
            category=rule.category,
            start=start,
            end=end,
            rule=rule.name,
            tier=rule.tiers[self._scope],
            score=rule.score,
            matched=original[start:end],
            reason=rule.reason,
        )


def _reread(views: Sequence[View], reader: WordReader) -> Iterator[View]:
    """The views, and those of them again in which a word was disguised."""
    seen = {view.text for view in views} if len(views) > 1 else ()
    for view in views:
        yield view
        if not view.is_leet:
            for again in reader.reread(view):
                # A leet view reads numbers as letters, and so misses what rules say in digits.
                if again.text not in seen or _DIGIT.search(again.text):
                    yield again


def _as_sure_as_read(finding: Finding, hit: Hit) -> Finding:
    """A word that had to be guessed is for a person to judge."""
    if not _is_guess(hit) or finding.tier is FindingTier.NOTE:
        return finding
    return replace(finding, tier=FindingTier.REVIEW, score=_GUESSED_SCORE)


def _is_guess(hit: Hit) -> bool:
    return hit.view.name is ViewName.REREAD and Disguise.MISSPELLED in hit.view.disguises(
        hit.start, hit.end
    )


def _hits(
    views: Iterable[View], *indexes: TermIndex | PatternIndex
) -> Iterator[tuple[Hit, int, int]]:
    """Every hit with its span in the text, less what an earlier view showed at the same place."""
    shown: dict[int, list[tuple[int, int]]] = {}
    for view in views:
        new: list[tuple[int, tuple[int, int]]] = []
        for index in indexes:
            for hit in index.hits(view):
                start, end = view.span(hit.start, hit.end)
                if not _is_shown(shown.get(hit.owner), start, end):
                    # What is only a guess must not keep a surer reading from being found.
                    if not _is_guess(hit):
                        new.append((hit.owner, (start, end)))
                    yield hit, start, end
        for owner, span in new:
            shown.setdefault(owner, []).append(span)
        for spans in shown.values():
            spans.sort()


def _is_shown(spans: list[tuple[int, int]] | None, start: int, end: int) -> bool:
    if not spans:
        return False
    at = bisect_right(spans, (start, sys.maxsize)) - 1
    return at >= 0 and spans[at][1] >= end


def _personal_data(plain: View, region: str) -> Iterator[Finding]:
    for sighting in sightings(plain, region):
        start, end = plain.span(sighting.start, sighting.end)
        kind = sighting.kind
        for category in kind.categories:
            yield Finding(
                category=category,
                start=start,
                end=end,
                rule=f"{category}.{kind.id}",
                tier=kind.tier,
                score=kind.score,
                matched=plain.original[start:end],
                reason=kind.reason,
            )


@lru_cache(maxsize=FORBIDDEN_CACHE)
def _forbidden_index(words: tuple[str, ...]) -> tuple[TermIndex, WordReader]:
    # Some capitals look like another letter than their small form does, so each is folded.
    forms = {
        form: number
        for number, word in enumerate(words)
        for form in (word, word.lower(), word.upper(), word.title())
    }
    phrases = [" ".join(fold(word).split()) for word in words]
    reader = WordReader((part for phrase in phrases for part in phrase.split()), phrases)
    return TermIndex(list(forms.items())), reader


def _forbidden(
    views: Sequence[View], words: tuple[str, ...], rules: _RuleSet, vocabulary: Vocabulary
) -> Iterator[Finding]:
    index, reader = _forbidden_index(words)
    for hit, start, end in _hits(_reread(views, reader), index):
        if _is_inside_another(hit, vocabulary):
            continue
        finding = Finding(
            category=Category.FORBIDDEN_WORD,
            start=start,
            end=end,
            rule="forbidden_word.creator",
            tier=FindingTier.BLOCK,
            score=_FORBIDDEN_SCORE,
            matched=hit.view.original[start:end],
            reason=_FORBIDDEN_REASON,
        )
        yield _as_sure_as_read(finding, hit)
        yield from rules.disguised(hit)


def _with_own(
    findings: list[Finding],
    views: Sequence[View],
    own_rules: OwnRules,
    scope: Scope,
    rules: _RuleSet,
    vocabulary: Vocabulary,
) -> list[Finding]:
    """The findings less what the creator's rules except, with what they add."""
    try:
        own = prepared(own_rules, scope)
        found = own.exceptions.left(findings, views[0])
        if own.adds:
            found += _added(views, own, rules, vocabulary)
        return [*found, _error("own_rules")] if own.failed else found
    except Exception:
        return [*findings, _error("own_rules")]


def _added(
    views: Sequence[View], own: PreparedRules, rules: _RuleSet, vocabulary: Vocabulary
) -> Iterator[Finding]:
    for hit, start, end in _hits(_reread(views, own.reader), own.terms, own.patterns):
        if own.is_phrase(hit.owner) and _is_inside_another(hit, vocabulary):
            continue
        finding = own.finding(hit.owner, hit.view.original, start, end)
        yield _as_sure_as_read(finding, hit)
        yield from rules.disguised(hit)


def _is_inside_another(hit: Hit, vocabulary: Vocabulary) -> bool:
    """Whether a short word stands in a longer one that was spelled out, as `ass` in `classic`."""
    beside = hit.view.beside_in_run(hit.start, hit.end)
    if hit.end - hit.start >= _LONG_ENOUGH or not any(beside):
        return False
    return not all(vocabulary.covers(letters) for letters in beside)


def _error(
    step: str,
    reason: str = "The filter could not check this text completely, so a person must.",
    start: int = 0,
) -> Finding:
    return Finding(
        category=Category.FILTER_ERROR,
        start=start,
        end=start,
        rule=f"filter_error.{step}",
        tier=FindingTier.REVIEW,
        score=1.0,
        matched="",
        reason=reason,
    )


def _too_long(length: int) -> Finding:
    return _error(
        "length",
        f"Only the first {MOST_CHARACTERS:,} of {length:,} characters were checked; a person must "
        "read the rest.",
        MOST_CHARACTERS,
    )


def _strictness(finding: Finding) -> tuple[bool, float, int, str]:
    return (
        finding.tier is FindingTier.BLOCK,
        finding.score,
        finding.end - finding.start,
        finding.rule,
    )


def _merged(findings: list[Finding], text: str) -> tuple[Finding, ...]:
    """Overlapping findings of one category become one over the whole span, as the strictest."""
    if len(findings) < 2:
        return tuple(findings)
    groups: list[list[Finding]] = []
    latest: dict[Category, tuple[list[Finding], int]] = {}
    for finding in sorted(findings, key=lambda f: (f.start, f.end, f.rule)):
        group, end = latest.get(finding.category, ([], 0))
        if finding.start >= end:
            group = []
            groups.append(group)
        group.append(finding)
        latest[finding.category] = group, max(end, finding.end)
    merged = [group[0] if len(group) == 1 else _union(group, text) for group in groups]
    return tuple(sorted(merged, key=lambda f: (f.start, f.end, f.category)))


def _union(group: list[Finding], text: str) -> Finding:
    """One finding over the spans of all; the first of the group begins first."""
    start, end = group[0].start, max(finding.end for finding in group)
    strictest = max(group, key=_strictness)
    if (strictest.start, strictest.end) == (start, end):
        return strictest
    return replace(strictest, start=start, end=end, matched=text[start:end])
