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

from vaultcrm.domain.estimates import Estimate, mean_of, share_of
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier

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


@dataclass(frozen=True, slots=True)
class TierOutcomes:
    """What came of a template's messages to fans of one tier, in one currency.

    `currency` is None for messages that brought nothing. `squares` is the sum of the squares of
    their revenues.
    """

    tier: Tier
    currency: str | None
    sent: int
    replied: int
    offers: int
    bought: int
    revenue_minor: int = 0
    squares: int = 0


@dataclass(frozen=True, slots=True)
class TemplateOutcomes:
    """What came of the messages of the last 30 days that a template was used for.

    Counted are those whose time to be answered is over: while `sent` is 0 there is nothing to tell.
    Shares are of `LEAST_FOR_SHARE` messages or more, means of `LEAST_FOR_MEAN`, else None.
    """

    parts: tuple[TierOutcomes, ...] = ()

    @property
    def sent(self) -> int:
        return sum(part.sent for part in self.parts)

    @property
    def replied(self) -> int:
        return sum(part.replied for part in self.parts)

    @property
    def offers(self) -> int:
        """How many of them had a price, or were bought."""
        return sum(part.offers for part in self.parts)

    @property
    def bought(self) -> int:
        return sum(part.bought for part in self.parts)

    @property
    def revenue(self) -> tuple[Money, ...]:
        """What they brought, less what was taken back, in each currency."""
        sums: dict[str, int] = {}
        for part in self.parts:
            if part.currency is not None and part.revenue_minor:
                sums[part.currency] = sums.get(part.currency, 0) + part.revenue_minor
        return tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))

    @property
    def reply_rate(self) -> Estimate | None:
        """Share of those sent that the fan answered."""
        return share_of(self.replied, self.sent)

    @property
    def conversion(self) -> Estimate | None:
        """Share of those with a price that were bought."""
        return share_of(self.bought, self.offers)

    @property
    def revenue_per_message(self) -> Mapping[str, Estimate]:
        """Mean revenue of those sent, in minor units of each currency in which there is any."""
        found = {}
        for money in self.revenue:
            squares = sum(part.squares for part in self.parts if part.currency == money.currency)
            mean = mean_of(self.sent, money.minor, squares, least=0)
            if mean is not None:
                found[money.currency] = mean
        return found

    @property
    def by_tier(self) -> Mapping[Tier, "TemplateOutcomes"]:
        """The same of the fans of each tier that there are, the highest tier first."""
        return {
            tier: TemplateOutcomes(found)
            for tier in Tier
            if (found := tuple(part for part in self.parts if part.tier is tier))
        }

    def __add__(self, other: "TemplateOutcomes") -> "TemplateOutcomes":
        return TemplateOutcomes((*self.parts, *other.parts))

    def as_json(self) -> dict[str, Any]:
        """`{"sent": 40, "replied": 22, "bought": 3, "revenueMinor": {"USD": 7500}, …}`."""
        return self._told() | {
            "byTier": {tier.value: found._told() for tier, found in self.by_tier.items()}
        }

    def _told(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "replied": self.replied,
            "offers": self.offers,
            "bought": self.bought,
            "revenueMinor": {money.currency: money.minor for money in self.revenue},
            "replyRate": _interval(self.reply_rate),
            "conversion": _interval(self.conversion),
            "revenuePerMessageMinor": {
                currency: _interval(mean) for currency, mean in self.revenue_per_message.items()
            },
        }


def _interval(estimate: Estimate | None) -> dict[str, float] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


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
