"""What was found, in a sentence."""

from collections.abc import Mapping
from typing import Final

from vaultcrm.domain.learning import PHRASE, Finding, Outcome
from vaultcrm.domain.money import Money
from vaultcrm.pipeline.learning.traits import HOUR_BANDS, PRICE_BANDS

_MESSAGES: Final[Mapping[str, str]] = {
    "question": "Messages that ask a question",
    "exclamation": "Messages with an exclamation mark",
    "name": "Messages that call the fan by name",
    "short": "Messages of up to 80 characters",
    "long": "Messages of more than 200 characters",
    "no_emoji": "Messages without emoji",
    "some_emoji": "Messages with one or two emoji",
    "many_emoji": "Messages with three or more emoji",
    "playful": "Messages that tease or laugh",
    "affection": "Messages with a term of endearment",
    "thanks": "Messages that say thank you",
    "about_fan": "Messages more about the fan than about the creator",
}
_KINDS: Final[Mapping[str, str]] = {
    "reply": "Replies",
    "ppv_offer": "Drafts made as an offer",
    "welcome": "Welcomes",
    "re_engagement": "Messages to win a quiet fan back",
    "thank_you": "Thank-you messages",
}


def subject(one: Finding) -> str:
    """Which messages a finding is about."""
    kind, _, which = one.arm.partition(":")
    if one.arm.startswith(PHRASE):
        return f"Messages that say “{which}”"
    if kind == "price":
        return f"Offers priced {PRICE_BANDS[int(which)]} {one.currency}"
    if kind == "hours":
        return f"Messages sent at {HOUR_BANDS[int(which)]} UTC"
    if kind == "tier":
        return f"Messages to fans of the {which} tier"
    if kind == "kind":
        return _KINDS[which]
    return _MESSAGES[one.arm]


def sentence(one: Finding) -> str:
    """A finding with its rates, interval and count.

    `Messages that ask a question were answered 41 % against 33 % (+5 to +11 points, 4,200
    messages).`
    """
    if one.outcome is Outcome.REMOVED:
        phrase = one.arm.removeprefix(PHRASE)
        return (
            f"People took “{phrase}” out of {_percent(one.rate)} of the drafts that had it, "
            f"against {_percent(one.otherwise)} by chance ({one.messages:,} drafts)."
        )
    if one.outcome is Outcome.ADDED:
        phrase = one.arm.removeprefix(PHRASE)
        return (
            f"People put “{phrase}” into {_percent(one.rate)} of the drafts that they changed, "
            f"against {_percent(one.otherwise)} by chance ({one.messages:,} drafts)."
        )
    counted = f"{one.messages:,} {'offers' if one.outcome is not Outcome.REPLIED else 'messages'}"
    where = ", all creators together" if one.everywhere else ""
    if one.outcome is Outcome.REVENUE:
        low, high = _money(one.low, one.currency), _money(one.high, one.currency)
        rate = _money(one.rate, one.currency, sign=False)
        otherwise = _money(one.otherwise, one.currency, sign=False)
        return (
            f"{subject(one)} brought {rate} each against {otherwise} "
            f"({low} to {high}, {counted}{where})."
        )
    verb = "were answered" if one.outcome is Outcome.REPLIED else "were bought"
    return (
        f"{subject(one)} {verb} {_percent(one.rate)} against {_percent(one.otherwise)} "
        f"({_points(one.low)} to {_points(one.high)} points, {counted}{where})."
    )


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.0f} %"


def _points(difference: float) -> str:
    points = round(100 * difference, 1)
    text = f"{abs(points):g}"
    return f"{'+' if points > 0 else '−' if points < 0 else ''}{text}"


def _money(minor: float, currency: str, *, sign: bool = True) -> str:
    amount = str(Money(round(abs(minor)), currency))
    before = ("−" if minor < 0 else "+") if sign and round(minor) else ""
    return before + amount
