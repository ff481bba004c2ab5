"""What the answer of an endpoint means for a delivery."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from vaultcrm.domain.events import EventAnswer, EventDeliveryStatus

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""The wait after the first attempt, the second, and so on; after the eighth there is none."""

_GONE = 410


@dataclass(frozen=True, slots=True)
class EventClosing:
    """How an attempt ends. `retry_at` is set while the delivery is pending."""

    status: EventDeliveryStatus
    error: str | None = None
    retry_at: datetime | None = None
    disables: str | None = None
    """Why the endpoint is not to be called again."""


def event_closing_of(answer: EventAnswer, attempt: int, now: datetime) -> EventClosing:
    """What to write down after the `attempt`-th call, counted from 1.

    Any 2xx is a delivery, 410 disables the endpoint, and whatever else is tried again in the times
    of `RETRY_AFTER`; then the delivery is dead.
    """
    if answer.status is not None and 200 <= answer.status < 300:
        return EventClosing(EventDeliveryStatus.DELIVERED)
    if answer.status == _GONE:
        reason = "It answered 410: it wants no more events."
        return EventClosing(EventDeliveryStatus.DEAD, reason, disables=reason)
    error = answer.error or f"It answered {answer.status}."
    if attempt > len(RETRY_AFTER):
        return EventClosing(EventDeliveryStatus.DEAD, error)
    return EventClosing(EventDeliveryStatus.PENDING, error, now + RETRY_AFTER[attempt - 1])
