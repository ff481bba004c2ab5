"""How VaultCRM itself does: its endpoints and its database."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Requests to one route since the processes of now began. Times are to the first byte, in
    seconds; `p95` is the upper bound of the bucket that holds the 95th of 100, None above the last.
    """

    method: str
    route: str
    requests: int
    failed: int
    mean: float
    p95: float | None

    @property
    def failed_share(self) -> float:
        return self.failed / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class DatabaseSize:
    """`bytes` is the size now; `days` are sizes by the midnights in UTC that
    their days begin with, the newest first, today left out."""

    bytes: int
    days: tuple[tuple[datetime, int], ...]

    def grown(self, today: datetime, days: int) -> int | None:
        """By how much it has grown since so many days before `today`, or since the last day that is
        known before that and less than twice as long ago; None where there is none.
        """
        span = timedelta(days=days)
        older = [(day, size) for day, size in self.days if day <= today - span]
        if not older or today - span - older[0][0] >= span:
            return None
        return self.bytes - older[0][1]
