"""What calls for care: then selling and automation stop until a person says otherwise."""

from vaultcrm.domain.conversation import Care
from vaultcrm.domain.safety import Category, SafetyReport


def care_called_for(report: SafetyReport) -> Care | None:
    """What the filter's findings in a fan's text call for. A filter that failed calls for care."""
    if report.has(Category.MINORS):
        return Care.POSSIBLE_MINOR
    if report.has(Category.DISTRESS, Category.FILTER_ERROR):
        return Care.DISTRESS
    return None
