"""The dashboard's charts, each of which answers one question over the period that was chosen.

In a sentence, in a picture, and in a table of the same figures.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, TypeVar

from vaultcrm.domain.metrics import Course, MessageTally, UsageTally
from vaultcrm.entrypoints.web.dashboard.figures import (
    MICRO_USD,
    USD,
    Span,
    Unit,
    Value,
    duration,
    money_by_currency,
    sum_of,
    told,
    usd,
)
from vaultcrm.entrypoints.web.text import words

MOST_MODELS = 5
"""Models and purposes that have a colour of their own; the cheapest are put together."""

T = TypeVar("T")


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
    earned = sum_of(dollars, "revenue_minor") / 100
    spent = sum_of(usage, "cost_micro_usd") / MICRO_USD
    others = money_by_currency([tally for tally in decisions if tally.currency != USD])
    if not sum_of(decisions, "revenue_known"):
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
                _series(span, dollars, _AT, lambda some: sum_of(some, "revenue_minor") / 100),
                usd(earned),
            ),
            Line(
                "Cost of models",
                "quiet",
                _series(span, usage, _AT, lambda some: sum_of(some, "cost_micro_usd") / MICRO_USD),
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
    tokens = sum_of(usage, "tokens")
    many = words.phrases.count(tokens, "token")
    answer = f"Models cost {usd(total)} {span.told}, for {many}."
    if usage and not total:
        answer = f"Nothing {span.told}: {many} of models that cost nothing."
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
    values = _series(span, some, _AT, lambda each: sum_of(each, "cost_micro_usd") / MICRO_USD)
    return Line(name, ink, values, usd(sum_of(some, "cost_micro_usd") / MICRO_USD))


def _summed(name: str) -> Callable[[list[Any]], Value]:
    return lambda tallies: sum_of(tallies, name)


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
    made = sum_of(drafts, "made")
    left = sum_of(drafts, "approved", "modified", "automatic")
    answer = f"No draft was made {span.told}."
    if made:
        edited = sum_of(drafts, "modified")
        ends = (
            (left, f"went out ({edited:,} edited first)" if edited else "went out"),
            (sum_of(drafts, "rejected"), "rejected"),
            (sum_of(drafts, "blocked"), "stopped by the filter"),
            (sum_of(drafts, "expired"), "expired"),
            (sum_of(drafts, "waiting"), "waiting"),
        )
        told_of = ", ".join(f"{count:,} {end}" for count, end in ends if count)
        answer = f"Of {words.phrases.count(made, 'draft')} {span.told}: {told_of}."
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
                f"{sum_of(drafts, name):,}",
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
