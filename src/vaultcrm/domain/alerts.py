"""Conditions that somebody must know of, each with a way back to normal.

Of one kind and subject at most one alert is open. The subject is the empty text for the whole
installation, `creator/ID` for what concerns one creator, `creator/ID/CHANNEL` for one of their
channels, `creator/ID/CONVERSATION` for one of their conversations, `model/NAME` for a language
model.
"""

from enum import StrEnum
from uuid import UUID

INSTALLATION = ""
_CREATOR = "creator/"
_MODEL = "model/"


class AlertKind(StrEnum):
    UNKNOWN_MODEL = "unknown_model"
    CHANNEL_PAUSED = "channel_paused"
    MESSAGE_DIFFERS = "message_differs"
    MESSAGE_UNCERTAIN = "message_uncertain"
    FAN_NEEDS_CARE = "fan_needs_care"
    AUDIT_LOG_DIFFERS = "audit_log_differs"
    MODEL_ERRORS = "model_errors"
    MODEL_LATENCY = "model_latency"
    REQUEST_ERRORS = "request_errors"
    REQUEST_LATENCY = "request_latency"
    DAILY_COST = "daily_cost"
    FILTER_RATE = "filter_rate"
    CONFIDENCE_DRIFTS = "confidence_drifts"
    GUARANTEE_BROKEN = "guarantee_broken"
    AB_TEST = "ab_test"
    DATABASE_ERRORS = "database_errors"


class Severity(StrEnum):
    """`CRITICAL`: something does not work. `WARNING`: it does, but not as somebody may think."""

    WARNING = "warning"
    CRITICAL = "critical"


def creator_subject(creator_id: UUID) -> str:
    """The subject of alerts that only those who may act for this creator see."""
    return f"{_CREATOR}{creator_id}"


def channel_subject(creator_id: UUID, channel: str) -> str:
    """The subject of alerts about one channel of a creator."""
    return f"{creator_subject(creator_id)}/{channel}"


def conversation_subject(creator_id: UUID, conversation_id: UUID) -> str:
    """The subject of alerts about one conversation of a creator."""
    return f"{creator_subject(creator_id)}/{conversation_id}"


def creator_of(subject: str) -> UUID | None:
    """Whom alerts of this subject concern; None for the whole installation."""
    if not subject.startswith(_CREATOR):
        return None
    return UUID(subject.removeprefix(_CREATOR).partition("/")[0])


def model_subject(name: str) -> str:
    return f"{_MODEL}{name}"
