"""How long to wait after wrong tries to sign in."""

import hashlib
from datetime import timedelta

FREE_TRIES = 5
"""Wrong tries that cost nothing but themselves; from this one on each is followed by a wait."""

FORGOTTEN_AFTER = timedelta(minutes=15)
"""Wrong tries are forgotten so long after the last of them, or after the wait that it brought."""

_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(minutes=15)


def wait_after(tries: int) -> timedelta | None:
    """The wait after so many wrong tries: none, then 30 s, doubled each time up to 15 min."""
    if tries < FREE_TRIES:
        return None
    doublings = min(tries - FREE_TRIES, 10)
    return min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)


def subject_of(email: str) -> bytes:
    """What tries for an e-mail are counted under. Hashed: anything may be typed into that field."""
    return hashlib.sha256(email.encode("utf-8", "replace")).digest()
