"""The dashboard's numbers and charts, made from the course of a period.

A number is today's, with the last two weeks beside it. A chart answers one question over the period
that was chosen: in a sentence, in a picture, and in a table of the same figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Literal, TypeVar

from vaultcrm.domain.metrics import Course, DecisionTally, DraftTally, MessageTally, UsageTally
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.web import times, words

TREND_DAYS = 14
USD = "USD"
MICRO_USD = 1_000_000
UNKNOWN = "not known yet"
MOST_MODELS = 5
"""Models and purposes that have a colour of their own; the cheapest are put together."""

Value = float | None
Unit = Literal["usd", "count", "seconds"]
T = TypeVar("T")
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
    def told(self) -> list[str]:
        return ["–" if value is None else self.tell(value) for value in self.trend]

    @property
    def bars(self) -> tuple[tuple[int, float], ...]:
        """Place and height (0-1) of each day that has a value, against the greatest."""
        most = max((value for value in self.trend if value is not None), default=0.0)
        return tuple(
            (place, value / most if most else 0.0)
            for place, value in enumerate(self.trend)
            if value is not None
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One series: `ink` names its colour in `dashboard.css`, `total` what it comes to in words."""

    name: str
    ink: str
    values: tuple[Value, ...]
    total: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """One question with its answer. `labels` are short, `moments` what stands in the table."""

    key: str
    question: str
    answer: str
    shape: Literal["stacked", "beside", "line"]
    unit: Unit
    labels: tuple[str, ...]
    moments: tuple[str, ...]
    lines: tuple[Line, ...]
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(value for line in self.lines for value in line.values)

    @property
    def data(self) -> dict[str, Any]:
        """What the script draws."""
        return {
            "shape": self.shape,
            "unit": self.unit,
            "labels": self.labels,
            "moments": self.moments,
            "values": [line.values for line in self.lines],
        }

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table, the newest first."""
        columns = [[told(value, self.unit) for value in line.values] for line in self.lines]
        rows = [(moment, list(row)) for moment, *row in zip(self.moments, *columns, strict=True)]
        return rows[::-1]


@dataclass(frozen=True, slots=True)
class Span:
    """The chosen period: `days` up to and with that of `now`, by hour where it is today alone."""

    days: int
    now: datetime

    @property
    def today(self) -> datetime:
        return self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def by_hour(self) -> bool:
        return self.days == 1

    @property
    def start(self) -> datetime:
        """From here on is read what numbers and charts need."""
        return self.today - timedelta(days=max(self.days, TREND_DAYS) - 1)

    @property
    def end(self) -> datetime:
        return self.today + timedelta(days=1)

    @property
    def hourly_from(self) -> datetime:
        return self.today if self.by_hour else self.end

    @property
    def buckets(self) -> tuple[datetime, ...]:
        """The days of the charts, or the hours of today so far."""
        if self.by_hour:
            hours = range(self.now.astimezone(UTC).hour + 1)
            return tuple(self.today + timedelta(hours=hour) for hour in hours)
        return tuple(self.today - timedelta(days=back) for back in reversed(range(self.days)))

    @property
    def trend(self) -> tuple[datetime, ...]:
        return tuple(self.today - timedelta(days=back) for back in reversed(range(TREND_DAYS)))

    @property
    def labels(self) -> tuple[str, ...]:
        if self.by_hour:
            return tuple(f"{bucket:%H:%M}" for bucket in self.buckets)
        return tuple(f"{bucket.day} {bucket:%b}" for bucket in self.buckets)

    @property
    def moments(self) -> tuple[str, ...]:
        if self.by_hour:
            return tuple(f"{bucket:%H:%M} to {bucket:%H}:59" for bucket in self.buckets)
        return tuple(f"{bucket:%a} {times.date(bucket, self.today)}" for bucket in self.buckets)

    @property
    def told(self) -> str:
        """The period as a part of a sentence."""
        return "today" if self.by_hour else f"in the last {self.days} days"


def told(value: Value, unit: Unit) -> str:
    """A value as it stands in a table; a dash where there is none."""
    if value is None:
        return "–"
    if unit == "usd":
        return usd(value)
    return duration(value) if unit == "seconds" else f"{value:,.0f}"


def usd(value: float) -> str:
    """`$412.00`; less than a dollar to a tenth of a cent, as `$0.004`."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${max(value, 0.001):.3f}"


def duration(seconds: float) -> str:
    """`8 s`, `4 min`, `3.5 h`, `2.1 d`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def share(part: float, whole: float) -> Value:
    return part / whole if whole else None


def percent(value: Value) -> str:
    return "–" if value is None else f"{value:.0%}"


# ---- numbers


def by_day(tallies: Iterable[Tally], days: Sequence[datetime]) -> list[list[Any]]:
    """The tallies of each day, those of its hours among them."""
    found: dict[datetime, list[Any]] = {day: [] for day in days}
    for tally in tallies:
        day = tally.at.replace(hour=0)
        if day in found:
            found[day].append(tally)
    return list(found.values())


def _sum(tallies: Iterable[Any], *names: str) -> int:
    return sum(getattr(tally, name) for tally in tallies for name in names)


def _summed(name: str) -> Callable[[list[Any]], Value]:
    return lambda tallies: _sum(tallies, name)


_DECISIONS = ("approved", "modified", "rejected", "automatic")


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
    made = tuple(_sum(day, "made") for day in drafts)
    cost = tuple(_sum(day, "cost_micro_usd") / MICRO_USD for day in usage)
    oldest = course.oldest_waiting
    return [
        Number("Drafts made", f"{made[-1]:,}", f"yesterday {made[-2]:,}", made, leads=True),
        Number(
            "Waiting now",
            words.counted(waiting),
            f"the oldest for {times.age(oldest, span.now)}" if oldest and waiting else "none",
            leads=True,
            warns=bool(oldest and waiting and times.is_late(oldest, span.now)),
        ),
        _rate("Sent unchanged", decisions, ("approved",), _DECISIONS, leads=True),
        _revenue(decisions),
        Number("Cost", usd(cost[-1]), f"yesterday {usd(cost[-2])}", cost, usd, leads=True),
        _rate("Edited first", decisions, ("modified",), _DECISIONS),
        _rate("Rejected", decisions, ("rejected",), _DECISIONS),
        _rate("Sent automatically", decisions, ("automatic",), _DECISIONS),
        _decision_time(course.decision_seconds, span),
        _tokens(usage, tokens),
        _rate("With a finding", drafts, ("with_findings",), ("made",), of="drafts"),
        _confidence(drafts),
        _rate("Fans who replied", decisions, ("replied",), ("reply_known",), of="known"),
        _rate("Offers bought", decisions, ("bought",), ("offers",), of="offers"),
    ]


def message_number(course: Course, span: Span, *, leads: bool = False) -> Number:
    """Messages an hour, by people and by AI: of today so far, and of whole days before it."""
    sent = [_sum(day, "sent") for day in by_day(course.messages, span.trend)]
    hours = max((span.now.astimezone(UTC) - span.today) / timedelta(hours=1), 1.0)
    trend = (*(count / 24 for count in sent[:-1]), sent[-1] / hours)
    note = f"{sent[-1]:,} sent today"
    return Number("Messages an hour", _tenths(trend[-1]), note, trend, _tenths, leads=leads)


def fans_number(waiting: int) -> Number:
    """Fans who wait for an answer, whoever gives it."""
    return Number("Fans who wait", words.counted(waiting), "for an answer", leads=True)


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
    trend = tuple(share(_sum(day, *parts), _sum(day, *wholes)) for day in days)
    part, whole = _sum(days[-1], *parts), _sum(days[-1], *wholes)
    value = percent(trend[-1])
    note = f"{part:,} of {whole:,} {of}" if whole else "none today"
    if of == "known" and not any(_sum(day, *wholes) for day in days):
        value, note = UNKNOWN, ""
    return Number(label, value, note, trend, percent, leads=leads)


def _revenue(days: list[list[DecisionTally]]) -> Number:
    """Revenue in dollars has a trend; that in other currencies is told beside it."""
    dollars = [[tally for tally in day if tally.currency == USD] for day in days]
    trend = tuple(
        _sum(day, "revenue_minor") / 100 if _sum(day, "revenue_known") else None for day in dollars
    )
    others = money_by_currency([tally for tally in days[-1] if tally.currency != USD])
    known = any(_sum(day, "revenue_known") for day in days)
    value = f"${trend[-1] or 0:,.2f}" if known else UNKNOWN
    bought = _sum(days[-1], "bought")
    note = " and ".join(others) or (f"{bought:,} bought" if known else "")
    return Number("Revenue of AI messages", value, note, trend, usd, leads=True)


def money_by_currency(tallies: Iterable[DecisionTally]) -> list[str]:
    """The revenue of each currency in which there is any."""
    sums: dict[str, int] = {}
    for tally in tallies:
        if tally.revenue_known:
            sums[tally.currency] = sums.get(tally.currency, 0) + tally.revenue_minor
    return [str(Money(minor, currency)) for currency, minor in sorted(sums.items())]


def _decision_time(seconds: Mapping[datetime, float], span: Span) -> Number:
    trend = tuple(seconds.get(day) for day in span.trend)
    value = "–" if trend[-1] is None else duration(trend[-1])
    return Number("Time to decision", value, "or less, for half of them", trend, duration)


def _tokens(usage: list[list[UsageTally]], tokens: tuple[int, int] | None) -> Number:
    trend = tuple(_sum(day, "tokens") for day in usage)
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
    trend = tuple(share(_sum(day, "confidence_sum"), _sum(day, "drafted")) for day in drafts)
    value = "–" if trend[-1] is None else f"{trend[-1]:.0f}"
    return Number("Mean confidence", value, "of 100", trend)


# ---- charts


def ai_charts(course: Course, span: Span) -> list[Chart]:
    """What AI's part of the period comes to, a question each."""
    return [_worth(course, span), _cost(course, span), _outcomes(course, span)]


def _series(
    span: Span, tallies: Iterable[T], at: Callable[[T], datetime], value: Callable[[list[T]], Value]
) -> tuple[Value, ...]:
    found: dict[datetime, list[T]] = {bucket: [] for bucket in span.buckets}
    for tally in tallies:
        if at(tally) in found:
            found[at(tally)].append(tally)
    return tuple(value(each) for each in found.values())


def _inside(span: Span, tallies: Iterable[T], at: Callable[[T], datetime]) -> list[T]:
    return [tally for tally in tallies if at(tally) >= span.buckets[0]]


_AT: Callable[[Any], datetime] = attrgetter("at")


def _worth(course: Course, span: Span) -> Chart:
    decisions = _inside(span, course.decisions, _AT)
    usage = _inside(span, course.usage, _AT)
    dollars = [tally for tally in decisions if tally.currency == USD]
    earned = _sum(dollars, "revenue_minor") / 100
    spent = _sum(usage, "cost_micro_usd") / MICRO_USD
    others = money_by_currency([tally for tally in decisions if tally.currency != USD])
    if not _sum(decisions, "revenue_known"):
        answer = f"No revenue of AI messages is known {span.told}; models cost {usd(spent)}."
        note = (
            "Revenue comes with purchases that a channel tells of, or through POST "
            "/api/ai/feedback."
        )
    else:
        sums = " and ".join([usd(earned), *others] if earned or not others else others)
        answer = f"AI messages earned {sums} {span.told}; models cost {usd(spent)}."
        if earned and spent:
            answer += f" That is {usd(earned / spent)} for each dollar."
        note = "Other currencies are not in the picture." if others else ""
    return Chart(
        key="worth",
        question="Is it worth it?",
        answer=answer,
        note=note,
        shape="beside",
        unit="usd",
        labels=span.labels,
        moments=span.moments,
        lines=(
            Line(
                "Revenue",
                "main",
                _series(span, dollars, _AT, lambda some: _sum(some, "revenue_minor") / 100),
                usd(earned),
            ),
            Line(
                "Cost of models",
                "quiet",
                _series(span, usage, _AT, lambda some: _sum(some, "cost_micro_usd") / MICRO_USD),
                usd(spent),
            ),
        ),
    )


_MODEL_INKS = ("main", "main-2", "main-3", "quiet", "quiet-2")


def _cost(course: Course, span: Span) -> Chart:
    usage = _inside(span, course.usage, _AT)
    sums: dict[tuple[str, str], int] = {}
    for tally in usage:
        key = (tally.model, tally.purpose)
        sums[key] = sums.get(key, 0) + tally.cost_micro_usd
    dearest = sorted(sums, key=lambda key: (-sums[key], key))
    own = dearest[:MOST_MODELS] if len(dearest) <= MOST_MODELS else dearest[: MOST_MODELS - 1]
    groups = [(f"{model}, {purpose}", {(model, purpose)}) for model, purpose in own]
    rest = set(dearest) - set(own)
    if rest:
        groups.append((f"{len(rest)} others", rest))
    total = sum(sums.values()) / MICRO_USD
    tokens = _sum(usage, "tokens")
    answer = f"Models cost {usd(total)} {span.told}, for {words.count(tokens, 'token')}."
    if usage and not total:
        answer = f"Nothing {span.told}: {words.count(tokens, 'token')} of models that cost nothing."
    elif not usage:
        answer = f"No model was called {span.told}, so nothing was spent."
    return Chart(
        key="cost",
        question="What does it cost?",
        answer=answer,
        shape="stacked",
        unit="usd",
        labels=span.labels,
        moments=span.moments,
        lines=tuple(
            _cost_line(span, usage, name, ink, keys)
            for (name, keys), ink in zip(groups, _MODEL_INKS, strict=False)
        ),
    )


def _cost_line(
    span: Span, usage: list[UsageTally], name: str, ink: str, keys: set[tuple[str, str]]
) -> Line:
    some = [tally for tally in usage if (tally.model, tally.purpose) in keys]
    values = _series(span, some, _AT, lambda each: _sum(each, "cost_micro_usd") / MICRO_USD)
    return Line(name, ink, values, usd(_sum(some, "cost_micro_usd") / MICRO_USD))


_OUTCOMES = (
    ("approved", "Sent unchanged", "main"),
    ("modified", "Edited, then sent", "main-2"),
    ("automatic", "Sent automatically", "main-3"),
    ("waiting", "Waiting", "quiet-2"),
    ("expired", "Expired", "quiet"),
    ("rejected", "Rejected", "warn"),
    ("blocked", "Stopped by the filter", "bad"),
)


def _outcomes(course: Course, span: Span) -> Chart:
    drafts = _inside(span, course.drafts, _AT)
    made = _sum(drafts, "made")
    left = _sum(drafts, "approved", "modified", "automatic")
    answer = f"No draft was made {span.told}."
    if made:
        edited = _sum(drafts, "modified")
        ends = (
            (left, f"went out ({edited:,} edited first)" if edited else "went out"),
            (_sum(drafts, "rejected"), "rejected"),
            (_sum(drafts, "blocked"), "stopped by the filter"),
            (_sum(drafts, "expired"), "expired"),
            (_sum(drafts, "waiting"), "waiting"),
        )
        told_of = ", ".join(f"{count:,} {end}" for count, end in ends if count)
        answer = f"Of {words.count(made, 'draft')} {span.told}: {told_of}."
    return Chart(
        key="outcomes",
        question="Where do drafts stop?",
        answer=answer,
        shape="stacked",
        unit="count",
        labels=span.labels,
        moments=span.moments,
        lines=tuple(
            Line(
                label,
                ink,
                _series(span, drafts, _AT, _summed(name)),
                f"{_sum(drafts, name):,}",
            )
            for name, label, ink in _OUTCOMES
        ),
    )


def waits_chart(course: Course, span: Span, *, with_ai: bool) -> Chart:
    """How long fans wait: with AI, and for messages that people write themselves."""
    messages = _inside(span, course.messages, _AT)
    kinds = [(True, "Written by people", "quiet")]
    if with_ai:
        kinds.insert(0, (False, "Drafted by AI", "main"))
    lines = tuple(
        Line(
            name,
            ink,
            _series(
                span,
                [tally for tally in messages if tally.by_hand is by_hand],
                _AT,
                lambda some: some[0].median_wait if some else None,
            ),
            f"{sum(tally.sent for tally in messages if tally.by_hand is by_hand):,} sent",
        )
        for by_hand, name, ink in kinds
    )
    return Chart(
        key="waits",
        question="How long do fans wait?",
        answer=_waits_answer(messages, span, with_ai=with_ai),
        note="From the fan's newest message to the answer; half of them waited less.",
        shape="line",
        unit="seconds",
        labels=span.labels,
        moments=span.moments,
        lines=lines,
    )


def _waits_answer(messages: list[MessageTally], span: Span, *, with_ai: bool) -> str:
    told_of = []
    for by_hand, what in ((False, "drafted by AI"), (True, "written by people")):
        if not by_hand and not with_ai:
            continue
        waits = sorted(
            tally.median_wait
            for tally in messages
            if tally.by_hand is by_hand and tally.median_wait is not None
        )
        if waits:
            told_of.append(f"{duration(waits[len(waits) // 2])} for messages {what}")
    if not told_of:
        return f"No fan's message was answered {span.told}."
    usual = "In a usual hour" if span.by_hour else "On a usual day"
    return f"{usual} {span.told}: {', '.join(told_of)}."
