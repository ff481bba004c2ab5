"""What was written for the demo's history: people, edits, rejections, from `data/history.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from vaultcrm.domain.alerts import AlertKind, Severity
from vaultcrm.domain.approval import RejectReason
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Role
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.entrypoints.cli.demo_world.past import DemoPerson

Source = Literal["said", "elsewhere", "offer", "texts"]


@dataclass(frozen=True, slots=True)
class Edit:
    """A draft said `before` and `after` around what was sent in the end."""

    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class PriceEdit:
    """A draft asked for `factor` times what was asked for in the end."""

    factor: float
    note: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why drafts are rejected, how often, and where such a draft's text comes from."""

    reason: RejectReason
    source: Source
    weight: int
    notes: tuple[str, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OlderVoice:
    """What a version lacked, against the one in force, until it was replaced `days_ago`."""

    days_ago: int
    lacks_phrases: tuple[str, ...]
    lacks_tones: tuple[str, ...]
    lacks_words: tuple[str, ...]
    emoji_style: EmojiStyle | None


@dataclass(frozen=True, slots=True)
class PastAlert:
    """Something was wrong `days_ago`, for so many minutes. `creator` and `channel` say where; else
    `subject` is that of the alert.
    """

    kind: AlertKind
    severity: Severity
    message: str
    days_ago: int
    minutes: int
    subject: str
    creator: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Lore:
    """All of it; `older_voices` by the creator's handle, the newest first."""

    people: tuple[DemoPerson, ...]
    edits: tuple[Edit, ...]
    prices: tuple[PriceEdit, ...]
    rejections: tuple[Rejection, ...]
    blocked: tuple[str, ...]
    reasoning: dict[GenerationType, tuple[str, ...]]
    older_voices: dict[str, tuple[OlderVoice, ...]]
    alerts: tuple[PastAlert, ...]


@cache
def load_lore() -> Lore:
    folder = resources.files("vaultcrm.entrypoints.cli.demo_world") / "data"
    data = tomllib.loads((folder / "history.toml").read_text(encoding="utf-8"))
    return Lore(
        people=tuple(_read_person(found) for found in data["people"]),
        edits=tuple(
            Edit(found.get("before", ""), found.get("after", ""), found["note"])
            for found in data["edits"]
        ),
        prices=tuple(PriceEdit(**found) for found in data["prices"]),
        rejections=tuple(_read_rejection(found) for found in data["rejections"]),
        blocked=tuple(data["blocked"]["texts"]),
        reasoning={GenerationType(key): tuple(texts) for key, texts in data["reasoning"].items()},
        older_voices={
            handle: tuple(_read_voice(found) for found in versions)
            for handle, versions in data["versions"].items()
        },
        alerts=tuple(_read_alert(found) for found in data["alerts"]),
    )


def _read_person(found: dict[str, Any]) -> DemoPerson:
    return DemoPerson(found["name"], found["email"], Role(found["role"]), tuple(found["creators"]))


def _read_rejection(found: dict[str, Any]) -> Rejection:
    return Rejection(
        reason=RejectReason(found["reason"]),
        source=found["source"],
        weight=found["weight"],
        notes=tuple(found["notes"]),
        texts=tuple(found.get("texts", ())),
    )


def _read_voice(found: dict[str, Any]) -> OlderVoice:
    emoji = found.get("emoji_style")
    return OlderVoice(
        days_ago=found["days_ago"],
        lacks_phrases=tuple(found.get("lacks_phrases", ())),
        lacks_tones=tuple(found.get("lacks_tones", ())),
        lacks_words=tuple(found.get("lacks_words", ())),
        emoji_style=None if emoji is None else EmojiStyle(emoji),
    )


def _read_alert(found: dict[str, Any]) -> PastAlert:
    return PastAlert(
        kind=AlertKind(found["kind"]),
        severity=Severity(found["severity"]),
        message=found["message"],
        days_ago=found["days_ago"],
        minutes=found["minutes"],
        subject=found.get("subject", ""),
        creator=found.get("creator"),
        channel=found.get("channel", ""),
    )
