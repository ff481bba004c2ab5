"""What a creator's team adds to the filter is found, and what it excepts is let through exactly."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.content_rules import (
    NO_RULES,
    UNKNOWN_RULES,
    ContentRule,
    OwnRules,
    RuleDraft,
    RuleKind,
)
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.safety import Category, FindingTier, SafetyReport, Scope, Verdict
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.own_rules import text_problem, together_problem

FILTER = ContentFilter.load()
PAYMENT = Category.OFF_PLATFORM_PAYMENT


def rule(kind: str, text: str, category: Category = Category.SPAM, **more: Any) -> ContentRule:
    draft = RuleDraft(RuleKind(kind), text, category, "Our own rule.", **more)
    return ContentRule(new_id(), draft, None, datetime.now(UTC))


def own(*rules: ContentRule) -> OwnRules:
    return OwnRules(new_id(), rules)


def seen(report: SafetyReport, *, but: Sequence[Category] = ()) -> list[tuple[str, str]]:
    """Category and matched text of each finding."""
    return [(f.category.value, f.matched) for f in report.findings if f.category not in but]


@pytest.mark.parametrize(
    "text",
    [
        "blue lagoon",
        "BLUE LAGOON",
        "blue\u00a0lagoon",
        "bluelagoon",
        "b.l.u.e l.a.g.o.o.n",
        "b l u e l a g o o n",
        "blu3 l4g00n",
        "blue lagooooon",
        "bl*e lagoon",
        "\u0184lue lagoon",
        "\U0001d41b\U0001d425\U0001d42e\U0001d41e lagoon",
        "bl\u200bue lagoon",
    ],
)
def test_a_phrase_is_found_however_it_is_disguised(text: str) -> None:
    around = f"come to the {text} tonight"
    report = FILTER.check(around, Scope.DRAFT, own_rules=own(rule("phrase", "Blue Lagoon")))
    assert (Category.SPAM.value, text) in seen(report)
    assert FILTER.check("the blue car by the lagoon", Scope.DRAFT).verdict is Verdict.ALLOW


def test_a_phrase_that_had_to_be_guessed_is_for_a_person_to_judge() -> None:
    rules = own(rule("phrase", "otterfans"))
    (found,) = [
        f
        for f in FILTER.check("find me on ottrefans", Scope.DRAFT, own_rules=rules).findings
        if f.category is Category.SPAM
    ]
    assert found.tier is FindingTier.REVIEW


def test_a_phrase_of_emoji_is_found() -> None:
    rules = own(rule("phrase", "🍆", Category.EXPLICIT))
    report = FILTER.check("yum 🍆🍆", Scope.DRAFT, own_rules=rules)
    assert seen(report)[0][0] == "explicit"


@pytest.mark.parametrize(
    ("pattern", "text", "matched"),
    [
        (r"promo ?code [0-9]{2,}", "use PromoCode 33 now", "PromoCode 33"),
        (r"Café [0-9]+", "meet: CAFE 12", "CAFE 12"),
        (r"Café [0-9]+", "see café 12", "café 12"),
        (r"straße \w+", "in Strasse acht", "Strasse acht"),
        (r"\bvip[ -]?list\b", "the v.i.p list", "v.i.p list"),
        (r"[0-9]{6}", "number 123456 it is", "123456"),
    ],
)
def test_a_pattern_is_found_in_folded_text_at_its_place_in_what_was_typed(
    pattern: str, text: str, matched: str
) -> None:
    report = FILTER.check(text, Scope.CHATTER, own_rules=own(rule("pattern", pattern)))
    assert ("spam", matched) in seen(report)
    for found in report.findings:
        assert text[found.start : found.end] == found.matched


def test_a_rule_holds_in_its_scopes_alone() -> None:
    rules = own(
        rule("phrase", "blue lagoon", scopes=(Scope.DRAFT,)),
        rule("phrase", "red lagoon", Category.DISTRESS, scopes=(Scope.FAN,)),
    )
    text = "the blue lagoon and the red lagoon"
    by_scope = {scope: seen(FILTER.check(text, scope, own_rules=rules)) for scope in Scope}
    assert by_scope == {
        Scope.DRAFT: [("spam", "blue lagoon")],
        Scope.CHATTER: [],
        Scope.FAN: [("distress", "red lagoon")],
    }


def test_an_exception_lets_through_what_lies_inside_it_and_nothing_past_its_edges() -> None:
    rules = own(
        rule("exception", "Cash App Blues", PAYMENT),
        rule("exception", "meet you at the gala", Category.MEETING),
    )

    def left(text: str) -> list[tuple[str, str]]:
        return seen(FILTER.check(text, Scope.DRAFT, own_rules=rules))

    assert left("my new song, Cash App Blues, is out") == []
    assert left("cash  app blues") != []
    assert ("off_platform_payment", "cash app") in left("cash app blue")
    assert ("off_platform_payment", "cash app") in left("xcash app blues, or by cash app")
    assert ("off_platform_payment", "venmo") in left("cash app blues, or venmo")
    assert left("meet you at the gala") == []
    assert left("I will meet you at the gala tonight") != []


def test_an_exception_is_for_its_category_alone() -> None:
    rules = own(rule("exception", "cash app", Category.SPAM))
    report = FILTER.check("by cash app", Scope.DRAFT, own_rules=rules)
    assert seen(report) == [("off_platform_payment", "cash app")]


@pytest.mark.parametrize("text", ["c.a.s.h app", "ca\u0455h app", "c4sh app", "cash\u200b app"])
def test_a_disguise_of_an_exception_is_not_let_through(text: str) -> None:
    rules = own(rule("exception", "cash app", PAYMENT))
    report = FILTER.check(f"pay me by {text}", Scope.DRAFT, own_rules=rules)
    assert report.has(PAYMENT)
    assert report.has(Category.OBFUSCATION)


def test_a_name_that_is_written_oddly_is_let_through_as_it_is_written() -> None:
    name = "Ko\u042fn"
    assert FILTER.check(f"I love {name}", Scope.DRAFT).has(Category.OBFUSCATION)
    rules = own(rule("exception", name, Category.OBFUSCATION))
    assert FILTER.check(f"I love {name}", Scope.DRAFT, own_rules=rules).findings == ()
    rules = own(rule("exception", "M.e.e.t me", Category.MEETING))
    assert (
        FILTER.check("the club is called M.e.e.t me", Scope.DRAFT, own_rules=rules).findings == ()
    )


def test_what_the_team_adds_is_not_undone_by_its_exceptions() -> None:
    rules = own(rule("phrase", "cash app", PAYMENT), rule("exception", "cash app", PAYMENT))
    report = FILTER.check("cash app", Scope.DRAFT, own_rules=rules)
    assert seen(report) == [("off_platform_payment", "cash app")]
    assert report.findings[0].reason == "Our own rule."


def test_rules_that_cannot_be_read_or_prepared_make_every_text_wait_for_a_person() -> None:
    broken = own(rule("pattern", "("), rule("phrase", "blue lagoon"))
    tried = [(UNKNOWN_RULES, scope) for scope in Scope]
    for rules, scope in [*tried, (broken, Scope.DRAFT), (broken, Scope.CHATTER)]:
        report = FILTER.check("hello", scope, own_rules=rules)
        assert report.verdict is Verdict.REVIEW
        assert [f.rule for f in report.findings] == ["filter_error.own_rules"]
    assert FILTER.check("blue lagoon", Scope.DRAFT, own_rules=broken).verdict is Verdict.BLOCK


def test_a_text_that_no_rule_touches_reads_the_same_with_rules_and_without() -> None:
    rules = own(rule("phrase", "blue lagoon"), rule("exception", "cash app blues", PAYMENT))
    for text in ("venmo me", "hi love", "v3nm0 and k i k", "", "a\ud800b", "meet me tonight"):
        assert FILTER.check(text, Scope.DRAFT, own_rules=rules) == FILTER.check(
            text, Scope.DRAFT, own_rules=NO_RULES
        )


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"a(?=b)", "look ahead or behind"),
        (r"(?<!a)b", "look ahead or behind"),
        (r"(a)\1", "refer back"),
        (r"(?P<x>a)(?P=x)", "refer back"),
        ("(abc", "missing )"),
        ("[a", "missing ]"),
        ("a**", "bad repetition"),
        ("a*", "empty text"),
        ("x|", "empty text"),
        (r"\b", "empty text"),
        ("a{2000}", "too large"),
        (r"(\pL{1,50} ?){1,20}", "too large"),
        (r"\pL{1,12}", "too large"),
    ],
)
def test_a_pattern_that_will_not_do_is_refused_with_the_reason(pattern: str, told: str) -> None:
    problem = text_problem(RuleDraft(RuleKind.PATTERN, pattern, Category.SPAM, "x"))
    assert problem is not None
    assert told in problem


@pytest.mark.parametrize("text", ["k", "!!", "\u200b\u2060", "\u0301", "."])
def test_a_phrase_that_nobody_could_see_or_everybody_writes_is_refused(text: str) -> None:
    assert text_problem(RuleDraft(RuleKind.PHRASE, text, Category.SPAM, "x")) is not None


@pytest.mark.parametrize("text", ["ok", "🍆", "c'est", "24"])
def test_a_short_phrase_that_can_be_seen_is_taken(text: str) -> None:
    assert text_problem(RuleDraft(RuleKind.PHRASE, text, Category.SPAM, "x")) is None


def test_all_patterns_of_a_creator_together_have_a_limit() -> None:
    large = "x{900}y{900}z{900}"
    assert text_problem(RuleDraft(RuleKind.PATTERN, large, Category.SPAM, "x")) is None
    assert together_problem([large] * 2) is None
    assert "too large" in (together_problem([large] * 10) or "")


ODD = own(
    rule("phrase", "\u0130stanbul kedi"),
    rule("phrase", "ß ſ"),
    rule("pattern", "."),
    rule("pattern", "[^a]+"),
    rule("exception", "a.b", Category.OBFUSCATION),
)


@given(
    st.text(st.sampled_from("ab .\u0130\u1e9e\u200b\u0301\U0001f346\u0455\u202e1@*-\n\0ﬁ㎏\ud800"))
)
def test_no_text_and_no_rule_break_the_filter_or_its_spans(text: str) -> None:
    report = FILTER.check(text, Scope.DRAFT, own_rules=ODD)
    assert not report.has(Category.FILTER_ERROR)
    for found in report.findings:
        assert found.matched
        assert text[found.start : found.end] == found.matched
