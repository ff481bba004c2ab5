"""Findings at their place in a text."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from vaultcrm.domain.safety import Finding


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text and the findings that all of it belongs to."""

    text: str
    findings: tuple[Finding, ...] = ()


def segments(text: str, findings: Iterable[Finding]) -> tuple[Segment, ...]:
    """The text cut wherever a finding begins or ends; joined again, the segments are the text.

    Findings may overlap. One without a stretch, or outside the text, marks nothing.
    """
    marked = [finding for finding in findings if 0 <= finding.start < finding.end <= len(text)]
    cuts = sorted(
        {0, len(text), *(place for found in marked for place in (found.start, found.end))}
    )
    return tuple(
        Segment(
            text[start:end],
            tuple(found for found in marked if found.start <= start and end <= found.end),
        )
        for start, end in pairwise(cuts)
    )
