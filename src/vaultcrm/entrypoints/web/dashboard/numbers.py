"""The dashboard's numbers: today's, each with the last two weeks beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from vaultcrm.domain.metrics import Course, DecisionTally, DraftTally, MessageTally, UsageTally
from vaultcrm.entrypoints.web.dashboard.figures import (
    MICRO_USD,
    USD,
    Span,
    Value,
    duration,
    money_by_currency,
    percent,
    share,
    sum_of,
    usd,
)
from vaultcrm.entrypoints.web.text import times, words

UNKNOWN = "not known yet"
NONE = "–"
Tally = DraftTally | DecisionTally | UsageTally | MessageTally


@dataclass(frozen=True, slots=True)
class Number:
    """One number of today's. `trend` has a value a day, the last one today's; None where there is
    none. `tell` writes one of them out. Those that lead are shown large.
    """

    label: str
    value: str
    note: str
    trend: tuple[Value, ...] = ()
    tell: Callable[[float], str] = "{:,.0f}".format
    leads: bool = False
    warns: bool = False

    @property
    def is_words(self) -> bool:
        """Whether there is no figure to show: words, or a dash."""
        return not any(sign.isdigit() for sign in self.value)

    @property
    def told(self) -> list[str]:
        return [NONE if value is None else self.tell(value) for value in self.trend]

    @property
    def bars(self) -> tuple[tuple[int, float], ...]:
        """Place and height (0-1) of each day that has a value, against the greatest."""
        most = max((value for value in self.trend if value is not None), default=0.0)
        return tuple(
            (place, value / most if most else 0.0)
            for place, value in enumerate(self.trend)
            if value is not None
        )


def by_day(tallies: Iterable[Tally], days: Sequence[datetime]) -> list[list[Any]]:
    """The tallies of each day, those of its hours among them."""
    found: dict[datetime, list[Any]] = {day: [] for day in days}
    for tally in tallies:
        day = tally.at.replace(hour=0)
        if day in found:
            found[day].append(tally)
    return list(found.values())


_BY_PEOPLE = ("approved", "modified", "rejected")
_DECISIONS = (*_BY_PEOPLE, "automatic")


def ai_numbers(
    course: Course,
    span: Span,
    *,
    waiting: int,
    tokens: tuple[int, int] | None,
) -> list[Number]:
    """Today's numbers of AI. `tokens` are those used of the day's limit, of everybody together, or
    None where the numbers are of one creator alone.
    """
    drafts = by_day(course.drafts, span.trend)
    decisions = by_day(course.decisions, span.trend)
    usage = by_day(course.usage, span.trend)
    made = tuple(sum_of(day, "made") for day in drafts)
    cost = tuple(sum_of(day, "cost_micro_usd") / MICRO_USD for day in usage)
    oldest = course.oldest_waiting
    return [
        Number("Drafts made", f"{made[-1]:,}", f"yesterday {made[-2]:,}", made, leads=True),
        Number(
            "Waiting now",
            words.phrases.counted(waiting),
            _oldest(oldest, span.now) if oldest and waiting else "none",
            leads=True,
            warns=bool(oldest and waiting and times.is_late(oldest, span.now)),
        ),
        _rate(
            "Sent unchanged",
            decisions,
            ("approved",),
            _BY_PEOPLE,
            of="decided by people",
            leads=True,
        ),
        _revenue(decisions),
        Number("Cost", usd(cost[-1]), f"yesterday {usd(cost[-2])}", cost, usd, leads=True),
        _rate("Edited first", decisions, ("modified",), _BY_PEOPLE, of="decided by people"),
        _rate("Rejected", decisions, ("rejected",), _BY_PEOPLE, of="decided by people"),
        _rate("Sent automatically", decisions, ("automatic",), _DECISIONS),
        _decision_time(course.decision_seconds, span),
        _tokens(usage, tokens),
        _rate("With a finding", drafts, ("with_findings",), ("made",), of="drafts"),
        _confidence(drafts),
        _rate("Fans who replied", decisions, ("replied",), ("reply_known",), of="known"),
        _rate("Offers bought", decisions, ("bought",), ("offers",), of="offers"),
    ]


def _oldest(since: datetime, now: datetime) -> str:
    if now - since < timedelta(minutes=1):
        return "the oldest came just now"
    return f"the oldest for {times.age(since, now)}"


def message_number(course: Course, span: Span, *, leads: bool = False) -> Number:
    """Messages an hour, by people and by AI: of today so far, and of whole days before it."""
    sent = [sum_of(day, "sent") for day in by_day(course.messages, span.trend)]
    hours = max((span.now.astimezone(UTC) - span.today) / timedelta(hours=1), 1.0)
    trend = (*(count / 24 for count in sent[:-1]), sent[-1] / hours)
    note = f"{sent[-1]:,} sent today"
    return Number("Messages an hour", _tenths(trend[-1]), note, trend, _tenths, leads=leads)


def fans_number(waiting: int) -> Number:
    """Fans who wait for an answer, whoever gives it."""
    return Number("Fans who wait", words.phrases.counted(waiting), "for an answer", leads=True)


def _tenths(value: float) -> str:
    return f"{value:,.1f}"


def _rate(
    label: str,
    days: list[list[Any]],
    parts: tuple[str, ...],
    wholes: tuple[str, ...],
    *,
    of: str = "decided",
    leads: bool = False,
) -> Number:
    trend = tuple(share(sum_of(day, *parts), sum_of(day, *wholes)) for day in days)
    part, whole = sum_of(days[-1], *parts), sum_of(days[-1], *wholes)
    value = percent(trend[-1])
    note = f"{part:,} of {whole:,} {of}" if whole else "none today"
    if of == "known" and not any(sum_of(day, *wholes) for day in days):
        value, note = UNKNOWN, ""
    return Number(label, value, note, trend, percent, leads=leads)


def _revenue(days: list[list[DecisionTally]]) -> Number:
    """Revenue in dollars has a trend; that in other currencies is told beside it."""
    dollars = [[tally for tally in day if tally.currency == USD] for day in days]
    trend = tuple(
        sum_of(day, "revenue_minor") / 100 if sum_of(day, "revenue_known") else None
        for day in dollars
    )
    others = money_by_currency([tally for tally in days[-1] if tally.currency != USD])
    known = any(sum_of(day, "revenue_known") for day in days)
    value = f"${trend[-1] or 0:,.2f}" if known else UNKNOWN
    bought = sum_of(days[-1], "bought")
    note = " and ".join(others) or (f"{bought:,} bought" if known else "")
    return Number("Revenue of AI messages", value, note, trend, usd, leads=True)


def _decision_time(seconds: Mapping[datetime, float], span: Span) -> Number:
    trend = tuple(seconds.get(day) for day in span.trend)
    value = NONE if trend[-1] is None else duration(trend[-1])
    return Number("Time to decision", value, "or less, for half of them", trend, duration)


def _tokens(usage: list[list[UsageTally]], tokens: tuple[int, int] | None) -> Number:
    trend = tuple(sum_of(day, "tokens") for day in usage)
    if tokens is None:
        return Number("Tokens", f"{trend[-1]:,}", f"yesterday {trend[-2]:,}", trend)
    used, limit = tokens
    part = share(used, limit)
    return Number(
        "Tokens",
        f"{used:,}",
        f"{percent(part)} of {limit:,}" if limit else "the limit is 0",
        trend,
        warns=part is None or part >= 0.9,
    )


def _confidence(drafts: list[list[DraftTally]]) -> Number:
    trend = tuple(share(sum_of(day, "confidence_sum"), sum_of(day, "drafted")) for day in drafts)
    value = NONE if trend[-1] is None else f"{trend[-1]:.0f}"
    return Number("Mean confidence", value, "of 100", trend)
