"""What people type into forms, read."""

import re

from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.money import Money, minor_per_major

MOST_MEDIA = 20
_PRICE = re.compile(r"\d{1,7}(?:[.,]\d{1,3})?", re.ASCII)
_MEDIA_ID = re.compile(r"[\w.:/=+-]{1,200}")


def lines(text: str) -> str:
    """A text with the line ends that we store; forms send others."""
    return text.replace("\r\n", "\n")


def price_of(text: str, currency: str, field: str) -> Money | None:
    """A price in whole units, `25`, `25.50` or `25,50`; None for an empty field or nought.

    Raises InvalidInput for what is no price.
    """
    text = text.strip()
    if not text:
        return None
    if not _PRICE.fullmatch(text):
        raise InvalidInput(FieldProblem(field, "Write it like 25 or 25.50."))
    minor = round(float(text.replace(",", ".")) * minor_per_major(currency))
    return Money(minor, currency) if minor else None


def media_ids(text: str, field: str) -> tuple[str, ...]:
    """The platform's ids of media, parted by spaces or commas; raises InvalidInput."""
    found = tuple(text.replace(",", " ").split())
    if len(found) > MOST_MEDIA:
        raise InvalidInput(FieldProblem(field, f"At most {MOST_MEDIA} of them."))
    for one in found:
        if not _MEDIA_ID.fullmatch(one):
            raise InvalidInput(FieldProblem(field, f"“{one[:40]}” is not an id of the platform’s."))
    return found
