"""Precision and recall of what is found, by message and by kind, and how right the spans are."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaultcrm.pipeline.safety.normalise.views import plain_view
from vaultcrm.pipeline.safety.personal_data.scan import sightings, united

FOLDER = Path(__file__).parent

# Rules that differ in how sure they are, but name the same kind of data.
KIND_OF_RULE: Mapping[str, str] = {
    "spelled_email": "email",
    "spelled_phone": "phone",
    "local_phone": "phone",
    "crypto_lookalike": "crypto_address",
    "account": "handle",
}


@dataclass(frozen=True, slots=True)
class Span:
    kind: str
    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    region: str
    text: str
    spans: tuple[Span, ...]


@dataclass(slots=True)
class KindFigures:
    """Counts for one kind.

    `found`: spans with a sighting of that kind over them, `exact`: those whose both ends are right
    too. `sighted`: sightings of that kind, `right`: those that lie over a span of that kind.
    """

    spans: int = 0
    found: int = 0
    exact: int = 0
    sighted: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.spans if self.spans else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.sighted if self.sighted else 1.0

    @property
    def exactness(self) -> float:
        """Share of the found spans with both ends right."""
        return self.exact / self.found if self.found else 1.0


@dataclass(slots=True)
class Figures:
    """Figures over a set. Messages count once: `caught` of those `with_data`, and `alarmed`."""

    with_data: int = 0
    without_data: int = 0
    caught: int = 0
    alarmed: int = 0
    kinds: dict[str, KindFigures] = field(default_factory=dict)
    misses: list[tuple[str, str]] = field(default_factory=list)

    @property
    def message_recall(self) -> float:
        return self.caught / self.with_data if self.with_data else 1.0

    @property
    def message_precision(self) -> float:
        """Share of messages with a sighting that do hold personal data at its place."""
        sighted = self.caught + self.alarmed
        return self.caught / sighted if sighted else 1.0

    @property
    def total(self) -> KindFigures:
        """All kinds together."""
        total = Counter[str]()
        for figures in self.kinds.values():
            for name in ("spans", "found", "exact", "sighted", "right"):
                total[name] += getattr(figures, name)
        return KindFigures(**total)


def read_messages(*names: str) -> list[Message]:
    """The messages of these files of the folder, in order."""
    return [
        _message(json.loads(line))
        for name in names
        for line in (FOLDER / name).read_text("utf-8").splitlines()
    ]


def _message(row: Mapping[str, Any]) -> Message:
    spans = tuple(Span(span["kind"], span["start"], span["end"]) for span in row["spans"])
    for span, stored in zip(spans, row["spans"], strict=True):
        if row["text"][span.start : span.end] != stored["matched"]:
            raise ValueError(f"{row['id']}: the span of {stored['matched']!r} is wrong")
    return Message(row["id"], row["region"], row["text"], spans)


def found_in(message: Message) -> list[Span]:
    """What the product finds, in offsets of the text as it was typed."""
    plain = plain_view(message.text)
    return [
        Span(KIND_OF_RULE.get(one.kind.id, one.kind.id), *plain.span(one.start, one.end))
        for one in united(sightings(plain, message.region))
    ]


def measure(messages: Iterable[Message]) -> Figures:
    """The figures over these messages; `misses` names what went wrong, with the message."""
    figures = Figures()
    for message in messages:
        found = found_in(message)
        _count_message(figures, message, found)
        for span in message.spans:
            kind = figures.kinds.setdefault(span.kind, KindFigures())
            over = [one for one in found if one.kind == span.kind and one.overlaps(span)]
            kind.spans += 1
            kind.found += bool(over)
            kind.exact += span in over
            if not over:
                figures.misses.append((f"missed {span.kind}", _shown(message, found)))
            elif span not in over:
                figures.misses.append((f"wrong ends {span.kind}", _shown(message, found)))
        for one in found:
            kind = figures.kinds.setdefault(one.kind, KindFigures())
            right = any(span.kind == one.kind and span.overlaps(one) for span in message.spans)
            kind.sighted += 1
            kind.right += right
            if not right:
                figures.misses.append((f"false {one.kind}", _shown(message, found)))
    return figures


def _count_message(figures: Figures, message: Message, found: list[Span]) -> None:
    hit = any(span.overlaps(one) for span in message.spans for one in found)
    if message.spans:
        figures.with_data += 1
        figures.caught += hit
    else:
        figures.without_data += 1
    figures.alarmed += bool(found) and not hit


def _shown(message: Message, found: list[Span]) -> str:
    places = ", ".join(f"{one.kind} {message.text[one.start : one.end]!r}" for one in found)
    return f"{message.id} [{message.region}] {message.text!r} found: {places or 'nothing'}"
