"""What a chatter is told where a fan needs care: what to do, and whom the fan can call.

It is for the team. Nothing of it goes to a fan by itself.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from vaultcrm.domain.conversation import Care

LONGEST_GUIDANCE = 4_000

DEFAULT_GUIDANCE: Mapping[Care, str] = {
    Care.DISTRESS: (
        "Put selling aside. Read what the fan wrote, slowly, and answer as a person: that you "
        "have read it, and that you are glad they said it.\n"
        "Ask whether they are safe right now. Do not argue, diagnose, or promise to keep it "
        "secret.\n"
        "If they may hurt themselves or are in danger, give them the number of a helpline or of "
        "the emergency services where they live, and tell your manager at once.\n"
        "Stay in the conversation until somebody has taken over."
    ),
    Care.POSSIBLE_MINOR: (
        "Send nothing sexual, nothing for sale, and no pictures.\n"
        "Do not ask for a document or a photo as a proof of age. Tell your manager at once; the "
        "account is reported to the platform as its rules ask.\n"
        "Until a manager has decided, write at most one plain sentence: that you cannot go on "
        "talking here. If the fan may be in danger, give them a line for young people.\n"
        "Delete nothing."
    ),
}
"""What stands there until a manager sets a text of their own."""


@dataclass(frozen=True, slots=True)
class Line:
    """A helpline: who answers, and the number as it is dialled in its country."""

    name: str
    number: str


@dataclass(frozen=True, slots=True)
class Country:
    """Where a fan may be. `code` is ISO 3166-1; `children` are lines for young people."""

    code: str
    name: str
    emergency: str
    adults: tuple[Line, ...]
    children: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Guide:
    """What a chatter sees. `own` is the country of the creator's region, None where no line is
    known for it; `others` are all the rest, by name.
    """

    care: Care
    text: str
    own: Country | None
    others: tuple[Country, ...]


def guide_for(care: Care, text: str | None, region: str) -> Guide:
    """The guide for a creator with this region; `text` is the manager's, None the default one."""
    countries = helplines()
    return Guide(
        care,
        text or DEFAULT_GUIDANCE[care],
        countries.get(region.upper()),
        tuple(one for code, one in countries.items() if code != region.upper()),
    )


@cache
def helplines() -> Mapping[str, Country]:
    """Every country with its lines, by its code, in the order of names."""
    found = (
        _country(code, entry) for code, entry in _file().items() if not isinstance(entry, date)
    )
    return {one.code: one for one in sorted(found, key=lambda one: one.name)}


def lines_as_of() -> date:
    """When the lines were written down, or checked last."""
    as_of = _file()["as_of"]
    assert isinstance(as_of, date)  # noqa: S101 -- our own file, which the tests read
    return as_of


@cache
def _file() -> Mapping[str, Any]:
    source = resources.files("vaultcrm.pipeline.guidance") / "helplines.toml"
    return tomllib.loads(source.read_text("utf-8"))


def _country(code: str, entry: Mapping[str, Any]) -> Country:
    return Country(
        code,
        entry["name"],
        entry["emergency"],
        tuple(Line(*line) for line in entry["adults"]),
        tuple(Line(*line) for line in entry.get("children", ())),
    )
