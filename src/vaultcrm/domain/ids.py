"""Ids are UUIDv7: made by the application, sortable by time, safe to shard by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)
"""Stands for "the whole installation" where a row that is not one creator's needs a creator_id."""


_makes: ContextVar[Callable[[], UUID]] = ContextVar("makes_ids", default=uuid7)


def new_id() -> UUID:
    """A new UUIDv7."""
    return _makes.get()()


@contextmanager
def ids_made_by(make: Callable[[], UUID]) -> Iterator[None]:
    """Within the block, and in tasks begun in it, new ids come from `make`: for simulations, whose
    time is not ours and whose outcome is to be the same twice.
    """
    token = _makes.set(make)
    try:
        yield
    finally:
        _makes.reset(token)


def least_id_at(moment: datetime) -> UUID:
    """Below every id that is made at this moment or later: the first 48 bits of a UUIDv7 are the
    milliseconds since 1970 (RFC 9562, 5.7).
    """
    return UUID(int=max(int(moment.timestamp() * 1000), 0) << 80)
