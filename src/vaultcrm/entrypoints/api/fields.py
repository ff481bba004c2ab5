"""Field types that every schema shares: what may never reach the database is refused here."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

LONGEST_TEXT = 10_000
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Times outside of these two are mistakes, and some could be stored but never be read again."""


def _storable(value: str) -> str:
    """PostgreSQL stores no NUL, and UTF-8 has no half of a surrogate pair."""
    if "\x00" in value:
        raise ValueError("must not hold a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must not hold half of a surrogate pair") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError("must be one line without control characters")
    return value


def _likely(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise ValueError(f"must be between the years {EARLIEST.year} and {LATEST.year}")
    return value


Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_storable),
    AfterValidator(_one_line),
    AfterValidator(_not_blank),
]
"""One line of text: a name, a handle, a label."""

Time = Annotated[AwareDatetime, AfterValidator(_likely)]
"""A moment with its offset from UTC."""

Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST_TEXT),
    AfterValidator(_storable),
    AfterValidator(_not_blank),
]
"""A message."""

FreeText = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(_storable)]
"""A text that may be empty."""

Pasted = Annotated[str, StringConstraints(max_length=100_000), AfterValidator(_storable)]
"""What somebody put into a form, however long: its limit is told beside its field."""

Minor = Annotated[int, Field(ge=0, le=10**12)]
"""An amount of money in minor units."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
"""ISO 639-1."""


class Schema(BaseModel):
    """camelCase outside, snake_case inside; an unknown field is an error, not a silence."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True
    )
