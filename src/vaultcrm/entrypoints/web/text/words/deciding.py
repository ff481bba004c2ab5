"""What is said around decisions: reasons to reject, snoozes, who was first, empty lists."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from vaultcrm.domain.approval import RejectReason
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.generation import GenerationStatus
from vaultcrm.entrypoints.web.text import times
from vaultcrm.entrypoints.web.text.words import drafts, phrases

REJECT_REASONS: Mapping[RejectReason, str] = {
    RejectReason.WRONG_FACTS: "Wrong facts",
    RejectReason.WRONG_VOICE: "Not the creator's voice",
    RejectReason.TOO_PUSHY: "Too pushy",
    RejectReason.UNSAFE: "Unsafe",
    RejectReason.WRONG_PRICE: "Wrong price",
    RejectReason.REPETITIVE: "Repeats itself",
    RejectReason.NOT_NOW: "Not now",
    RejectReason.OTHER: "Another reason",
}


def rejection(reason: str) -> str:
    """Why a draft was rejected: a reason of ours in words, or what somebody wrote."""
    return REJECT_REASONS[RejectReason(reason)] if reason in set(RejectReason) else reason


SNOOZES: Mapping[int, str] = {15: "15 minutes", 60: "1 hour", 240: "4 hours", 1440: "a day"}
"""For how many minutes a draft can be put off with one press."""

EMPTY_LISTS: Mapping[str, str] = {
    "all": "Nothing waits.",
    "high-value": "No offer and no high-value fan waits.",
    "care": "No fan needs care.",
    "mine": "You hold no draft.",
    "snoozed": "Nothing is snoozed.",
}
"""What an empty part of the queue says."""


def conflict(error: Conflict, now: datetime) -> str:
    """Who came first, with what and when."""
    if error.status == "claimed":
        until = f" until {times.clock(error.decided_at, now)}" if error.decided_at else ""
        return f"Being reviewed by {error.decided_by or 'somebody else'}{until}."
    if error.status not in set(GenerationStatus):
        return str(error)
    by = f" by {error.decided_by}" if error.decided_by else ""
    when = f", {times.ago(error.decided_at, now)}" if error.decided_at else ""
    return f"This draft is {drafts.STATUSES[GenerationStatus(error.status)]}{by}{when}."


_MANY: Mapping[str, str] = {"approve": "approved", "reject": "rejected", "snooze": "snoozed"}


def decided_many(action: str, succeeded: int, refused: Sequence[str]) -> str:
    """What became of several decisions at once, with each different reason why one did not."""
    told = f"{phrases.count(succeeded, 'draft')} {_MANY[action]}."
    if not refused:
        return told
    return f"{told} {phrases.count(len(refused), 'draft')} not: {' '.join(dict.fromkeys(refused))}"
