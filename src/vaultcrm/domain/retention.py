"""How long rows of each kind are kept, and what removing old ones has come to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kept(StrEnum):
    """Kinds of rows that are removed when they are old."""

    MESSAGES = "messages"
    DRAFTS = "drafts"
    INBOUND = "inbound"
    EVENTS = "events"
    JUDGEMENTS = "judgements"
    ALERTS = "alerts"
    IDEMPOTENCY = "idempotency"
    SESSIONS = "sessions"
    SIGN_INS = "sign_ins"
    COUNTERS = "counters"
    JOBS = "jobs"


BY_CREATOR = frozenset({Kept.MESSAGES, Kept.DRAFTS, Kept.INBOUND, Kept.EVENTS, Kept.JUDGEMENTS})
"""Kinds of tenant tables, which are gone through creator by creator."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long a kind is kept; None for ever. `setting` is what says so."""

    kind: Kept
    setting: str
    period: timedelta | None


@dataclass(frozen=True, slots=True)
class Pruned:
    """When old rows of a kind were last removed, how many then, and how many in all."""

    kind: Kept
    at: datetime
    last_rows: int
    all_rows: int
