"""What a person may write of a content rule."""

from typing import Any

import pytest

from vaultcrm.domain.content_rules import (
    ADDED_TO,
    EXCEPTED_FROM,
    RuleDraft,
    RuleKind,
    problems_of,
    written,
)
from vaultcrm.domain.safety import Category, Scope


def draft(**more: Any) -> RuleDraft:
    values = {
        "kind": RuleKind.PHRASE,
        "text": "otterfans",
        "category": Category.SPAM,
        "reason": "A rival.",
    }
    return RuleDraft(**(values | more))


def test_a_rule_is_stored_trimmed_and_with_its_scopes_once() -> None:
    rule = written(
        draft(
            text="  otter   fans ", reason=" A\n rival. ", scopes=(Scope.CHATTER, Scope.DRAFT) * 2
        )
    )
    assert (rule.text, rule.reason) == ("otter fans", "A rival.")
    assert rule.scopes == (Scope.DRAFT, Scope.CHATTER)
    assert list(problems_of(rule)) == []


def test_spaces_in_a_pattern_are_part_of_it() -> None:
    assert written(draft(kind=RuleKind.PATTERN, text=" a  b ")).text == "a  b"


@pytest.mark.parametrize("category", Category)
def test_an_exception_is_for_what_may_be_excepted_and_for_nothing_else(
    category: Category,
) -> None:
    found = [p.field for p in problems_of(draft(kind=RuleKind.EXCEPTION, category=category))]
    assert found == ([] if category in EXCEPTED_FROM else ["category"])


def test_what_keeps_people_safe_is_never_excepted() -> None:
    assert {
        Category.MINORS,
        Category.DISTRESS,
        Category.VIOLENCE,
        Category.DECEPTION,
        Category.FILTER_ERROR,
    }.isdisjoint(EXCEPTED_FROM)


@pytest.mark.parametrize("category", Category)
def test_a_phrase_belongs_to_a_category_that_takes_phrases(category: Category) -> None:
    found = [p.field for p in problems_of(draft(category=category))]
    assert found == ([] if category in ADDED_TO else ["category"])


@pytest.mark.parametrize("category", ADDED_TO)
def test_a_fans_text_is_read_by_own_rules_for_age_and_distress_alone(category: Category) -> None:
    found = [p.field for p in problems_of(draft(category=category, scopes=(Scope.FAN,)))]
    assert found == ([] if category in {Category.MINORS, Category.DISTRESS} else ["scopes"])


def test_every_field_that_is_wrong_is_named() -> None:
    wrong = draft(text="", reason="x" * 301, category=Category.FILTER_ERROR, scopes=())
    assert {p.field for p in problems_of(wrong)} == {"text", "reason", "category", "scopes"}
    assert [p.field for p in problems_of(draft(text="a\x07b"))] == ["text"]
    assert [p.field for p in problems_of(draft(text="a\ud800b"))] == ["text"]
