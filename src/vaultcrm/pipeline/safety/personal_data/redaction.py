"""Texts without personal data, for logs and for prompts."""

import re
import sys

from vaultcrm.pipeline.safety.normalise.views import plain_view
from vaultcrm.pipeline.safety.personal_data.kinds import KINDS
from vaultcrm.pipeline.safety.personal_data.scan import sightings, united

WHOLE = "[redacted]"
"""Stands for a stretch in which, after `ROUNDS`, taking one thing out still brought up another."""

ROUNDS = 6

_PLACEHOLDERS = re.compile(
    "("
    + "|".join(sorted({re.escape(kind.placeholder) for kind in KINDS} | {re.escape(WHOLE)}))
    + ")"
)


def redact(text: str, region: str = "US") -> str:
    """The text with a placeholder such as `[phone]` for everything that is personal data.

    `region` is the country (ISO 3166) by which national telephone numbers are read. Redacting
    twice is redacting once. What stands between two placeholders is read by itself. Never raises;
    time grows linearly with the text.
    """
    return _redacted(text, region, ROUNDS)


def _redacted(text: str, region: str, rounds: int) -> str:
    parts = _PLACEHOLDERS.split(text)
    parts[::2] = [_without_data(part, region, rounds) for part in parts[::2]]
    return "".join(parts)


def _without_data(text: str, region: str, rounds: int) -> str:
    if not text:
        return text
    plain = plain_view(text)
    found = united(sightings(plain, region, most_numbers=sys.maxsize))
    if not found:
        return text
    if rounds == 0:
        return WHOLE
    kept: list[str] = []
    at = 0
    for sighting in found:
        start, end = plain.span(sighting.start, sighting.end)
        kept += [text[at:start], sighting.kind.placeholder]
        at = end
    return _redacted("".join([*kept, text[at:]]), region, rounds - 1)
