"""What a call reserves before it is made."""

from dataclasses import dataclass
from datetime import datetime

REQUESTS_PER_HOUR = "requests_per_hour"
TOKENS_PER_DAY = "tokens_per_day"
EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Reservation:
    """One request in the hour that begins at `hour` and `tokens` in the day that begins at `day`.

    Held by one call until it is settled or given back.
    """

    hour: datetime
    day: datetime
    tokens: int
