"""Message templates: texts with variables that are filled in for one fan.

    Hey {fan_name|you}! It has been {days_since_last_message} days.

A variable is a name of `VARIABLES` between braces, single or doubled. What follows a `|` stands
in its place when nothing is known of this fan; with nothing after the `|`, its place closes up.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money

LONGEST_NAME = 200
LONGEST_TEXT = 10_000
DAYS_OF_USES = 30
"""So many days of uses are kept, which is what the chart shows."""

VARIABLES: Mapping[str, str] = {
    "fan_name": "the fan's name",
    "creator_name": "the creator's name",
    "last_purchase": "what the fan paid last, such as $25.00",
    "days_since_last_purchase": "whole days since then",
    "days_since_last_message": "whole days since the fan last wrote",
}
"""Every variable, and what is filled in for it."""


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What is known of one fan. Anything but the names may be None: then it is missing."""

    fan_name: str
    creator_name: str
    last_purchase: Money | None = None
    last_purchase_at: datetime | None = None
    last_message_at: datetime | None = None
    """When the fan last wrote."""

    def values(self, now: datetime) -> dict[str, str]:
        """The value of each variable; one that is missing has none."""
        known = {
            "fan_name": _one_line(self.fan_name),
            "creator_name": _one_line(self.creator_name),
            "last_purchase": "" if self.last_purchase is None else str(self.last_purchase),
            "days_since_last_purchase": _days(self.last_purchase_at, now),
            "days_since_last_message": _days(self.last_message_at, now),
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """What is wrong at `start:end` of a template's text, in code points."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a template's text, in the order of the text.

    `variable` is None for plain text, and for what is wrong and so stays as it stands. `fallback`
    is None where the variable has none.
    """

    text: str
    variable: str | None = None
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class FilledStretch:
    """A part of a filled text. `variable` names what it was filled in for."""

    text: str
    variable: str | None = None
    is_fallback: bool = False
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class FilledText:
    """A template filled in for one fan.

    `missing` names, once each, the variables that have neither value nor fallback. They are left
    in the text as they stand, where the content filter stops them: nobody sends a sentence with a
    hole unseen.
    """

    stretches: tuple[FilledStretch, ...]
    missing: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(stretch.text for stretch in self.stretches)


def read_template(text: str) -> tuple[tuple[Stretch, ...], tuple[TemplateProblem, ...]]:
    """The parts of a template's text, which joined are the text again, and what is wrong in it."""
    stretches: list[Stretch] = []
    problems: list[TemplateProblem] = []
    plain_from = at = 0
    while (at := text.find("{", at)) >= 0:
        end, inner = _variable_at(text, at)
        if inner is None:
            shown = text[at : end + 12].split("\n", maxsplit=1)[0]
            problems.append(
                TemplateProblem(at, end, f"“{shown}” is not closed: a variable ends with a }}")
            )
            at = end
            continue
        name, bar, fallback = (part.strip() for part in inner.partition("|"))
        if name not in VARIABLES:
            problems.append(TemplateProblem(at, end, _unknown(name)))
            at = end
            continue
        if at > plain_from:
            stretches.append(Stretch(text[plain_from:at]))
        stretches.append(Stretch(text[at:end], name, fallback if bar else None))
        plain_from = at = end
    if plain_from < len(text):
        stretches.append(Stretch(text[plain_from:]))
    return tuple(stretches), tuple(problems)


def render_template_text(text: str, facts: TemplateFacts, now: datetime) -> FilledText:
    """A template's text filled in for one fan. What is wrong in it stays as it stands."""
    return fill_variables(text, facts.values(now))


def fill_variables(text: str, values: Mapping[str, str]) -> FilledText:
    """A template's text with these values in the places of its variables.

    The place of an empty value closes up. Values are never read for variables again, whatever a
    fan is called.
    """
    filled: list[FilledStretch] = []
    missing: list[str] = []
    for stretch in read_template(text)[0]:
        name = stretch.variable
        if name is None:
            filled.append(FilledStretch(stretch.text))
            continue
        value = values.get(name, stretch.fallback)
        if value is None:
            filled.append(FilledStretch(stretch.text, name, is_missing=True))
            missing.append(name)
        elif value:
            filled.append(FilledStretch(value, name, is_fallback=name not in values))
        elif filled and filled[-1].variable is None:
            filled[-1] = FilledStretch(filled[-1].text.rstrip(" \t"))
    return FilledText(
        tuple(stretch for stretch in filled if stretch.text), tuple(dict.fromkeys(missing))
    )


def place_of(text: str, offset: int) -> str:
    """Where an offset is, for people: `line 2, character 5`; the line is left out in the first."""
    line = text.count("\n", 0, offset) + 1
    character = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"character {character}" if line == 1 else f"line {line}, character {character}"


def _variable_at(text: str, start: int) -> tuple[int, str | None]:
    """Where the variable that opens at `start` ends, and what is in it; None if it never closes.

    It closes before the next brace or end of line, as many times as it opened where it can.
    """
    doubled = text.startswith("{{", start)
    inside = start + (2 if doubled else 1)
    ends = [place for sign in "{}\n" if (place := text.find(sign, inside)) >= 0]
    close = min(ends, default=len(text))
    if not text.startswith("}", close):
        return inside, None
    end = close + (2 if doubled and text.startswith("}}", close) else 1)
    return end, text[inside:close]


def _unknown(name: str) -> str:
    if not name:
        return "there is no name between the braces"
    alike = get_close_matches(name.lower(), VARIABLES, n=1)
    told = f"there is no variable {{{name}}}"
    if alike:
        return f"{told}: did you mean {{{alike[0]}}}?"
    return f"{told}: there are {', '.join(f'{{{known}}}' for known in VARIABLES)}"


def _one_line(text: str) -> str:
    """The words of a name, without line breaks and control characters."""
    spaced = "".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text)
    return " ".join(spaced.split())


def _days(since: datetime | None, now: datetime) -> str:
    return "" if since is None else str(max((now - since).days, 0))


# ---- what is stored


ANSWERED_WITHIN = timedelta(hours=24)
"""A fan's message so soon after a message of ours counts as an answer to it."""


@dataclass(frozen=True, slots=True)
class TemplateOutcomes:
    """What came of the messages of the last 30 days that a template was used for.

    `sent` is how many of them were delivered and either have an outcome or had a day to be
    answered: while it is 0 there is nothing to tell.
    """

    sent: int = 0
    replied: int = 0
    bought: int = 0
    revenue: tuple[Money, ...] = ()

    @property
    def reply_rate(self) -> float | None:
        """Share of those sent that the fan answered; None while none was sent."""
        return self.replied / self.sent if self.sent else None

    @property
    def conversion(self) -> float | None:
        """Share of those sent that were bought; None while none was sent."""
        return self.bought / self.sent if self.sent else None

    def __add__(self, other: "TemplateOutcomes") -> "TemplateOutcomes":
        return TemplateOutcomes(
            self.sent + other.sent,
            self.replied + other.replied,
            self.bought + other.bought,
            (*self.revenue, *other.revenue),
        )

    def as_json(self) -> dict[str, Any]:
        """`{"sent": 40, "replied": 22, "bought": 3, "revenueMinor": {"USD": 7500}}`."""
        revenue = {money.currency: money.minor for money in self.revenue}
        return {
            "sent": self.sent,
            "replied": self.replied,
            "bought": self.bought,
            "revenueMinor": revenue,
        }


NO_OUTCOMES = TemplateOutcomes()


@dataclass(frozen=True, slots=True)
class TemplateStats:
    """How often a template was filled in, by day (UTC) of the last 30."""

    uses: Mapping[date, int] = field(default_factory=dict)

    def by_day(self, today: date) -> tuple[int, ...]:
        """Uses of the last 30 days, the oldest first, today's last."""
        days = (today - timedelta(days=back) for back in reversed(range(DAYS_OF_USES)))
        return tuple(self.uses.get(day, 0) for day in days)


def read_stats(stored: Mapping[str, Any]) -> TemplateStats:
    """The statistics out of `performance_stats`: `{"usesByDay": {"2026-11-20": 3}}`, or `{}`."""
    return TemplateStats(
        uses={date.fromisoformat(day): n for day, n in stored.get("usesByDay", {}).items()}
    )


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a person writes of a template. `price_minor` counts in the currency of each fan."""

    name: str
    category: GenerationType
    language: str
    text: str
    price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """One template of one creator. `updated_at` changes with every edit, not with uses."""

    id: UUID
    creator_id: UUID
    draft: TemplateDraft
    stats: TemplateStats
    usage_count: int
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
