"""What the dashboard says of VaultCRM itself, and of calls to models."""

from dataclasses import dataclass

from vaultcrm.domain.metrics import Course
from vaultcrm.domain.system import Endpoint
from vaultcrm.entrypoints.web.dashboard.figures import (
    USD,
    Span,
    share,
    sum_of,
    usd,
)
from vaultcrm.entrypoints.web.dashboard.numbers import UNKNOWN, Number, by_day
from vaultcrm.workflows.read_system import SystemState

GROWTH_DAYS = (1, 7, 30)
_LEFT = ("approved", "modified", "automatic")


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One route. `is_bad`: more than one in twenty of its requests fail."""

    name: str
    requests: str
    failed: str
    mean: str
    p95: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class SystemView:
    """`growth` is what the database has grown by, by days."""

    size: str
    growth: tuple[tuple[str, str], ...]
    endpoints: tuple[EndpointRow, ...]


BAD_SHARE = 0.05


def system_view(found: SystemState) -> SystemView:
    growth = tuple(
        ("a day" if days == 1 else f"{days} days", told)
        for days in GROWTH_DAYS
        if (told := _grown(found.database.grown(found.today, days)))
    )
    return SystemView(
        size_told(found.database.bytes), growth, tuple(_row(each) for each in found.endpoints)
    )


def _row(each: Endpoint) -> EndpointRow:
    return EndpointRow(
        name=f"{each.method} {each.route}",
        requests=f"{each.requests:,}",
        failed=f"{each.failed_share:.1%}" if each.failed else "none",
        mean=_milliseconds(each.mean),
        p95=_milliseconds(each.p95) if each.p95 is not None else "over 30 s",
        is_bad=each.failed_share > BAD_SHARE,
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def size_told(size: int) -> str:
    """`12.4 MB`, `3.1 GB`: powers of 1000."""
    value = size / 1_000_000
    return f"{value:,.1f} MB" if value < 1000 else f"{value / 1000:,.2f} GB"


def _grown(size: int | None) -> str:
    if size is None:
        return ""
    return f"{'+' if size >= 0 else '−'}{size_told(abs(size))}"


def more_numbers(course: Course, span: Span) -> list[Number]:
    """Calls to models, and what a message of AI has earned, in dollars."""
    usage = by_day(course.usage, span.trend)
    decisions = [
        [tally for tally in day if tally.currency == USD]
        for day in by_day(course.decisions, span.trend)
    ]
    calls = tuple(sum_of(day, "calls") for day in usage)
    each = tuple(
        share(sum_of(day, "revenue_minor") / 100, sum_of(day, *_LEFT)) for day in decisions
    )
    sent = sum_of(decisions[-1], *_LEFT)
    known = any(sum_of(day, "revenue_known") for day in decisions)
    return [
        Number("Calls to models", f"{calls[-1]:,}", f"yesterday {calls[-2]:,}", calls),
        Number(
            "Revenue a message of AI",
            usd(each[-1] or 0) if known else UNKNOWN,
            f"of {sent:,} that left" if known else "",
            each,
            usd,
        ),
    ]
