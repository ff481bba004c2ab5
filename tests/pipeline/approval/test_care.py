"""What in a fan's text stops selling and automation."""

import pytest

from vaultcrm.domain.conversation import Care
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, report_of
from vaultcrm.pipeline.approval.care import care_called_for

CALLS_FOR_CARE = {Category.MINORS, Category.DISTRESS, Category.FILTER_ERROR}


def report(*categories: Category) -> SafetyReport:
    return report_of(
        tuple(
            Finding(category, 0, 1, f"{category}.some_rule", FindingTier.REVIEW, 0.5, "x")
            for category in categories
        )
    )


def test_a_sign_that_the_fan_may_be_a_minor_calls_for_care() -> None:
    assert care_called_for(report(Category.MINORS)) is Care.POSSIBLE_MINOR


def test_a_sign_of_distress_calls_for_care() -> None:
    assert care_called_for(report(Category.SPAM, Category.DISTRESS)) is Care.DISTRESS


def test_a_filter_that_failed_calls_for_care() -> None:
    assert care_called_for(report(Category.FILTER_ERROR)) is Care.DISTRESS


def test_a_possible_minor_in_distress_is_first_of_all_a_possible_minor() -> None:
    both = report(Category.DISTRESS, Category.MINORS)
    assert care_called_for(both) is Care.POSSIBLE_MINOR


def test_a_clean_text_calls_for_no_care() -> None:
    assert care_called_for(report()) is None


@pytest.mark.parametrize("category", sorted(set(Category) - CALLS_FOR_CARE))
def test_other_findings_call_for_no_care(category: Category) -> None:
    assert care_called_for(report(category)) is None
