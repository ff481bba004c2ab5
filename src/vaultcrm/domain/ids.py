"""Ids are UUIDv7: made by the application, sortable by time, safe to shard by."""

from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)
"""Stands for "the whole installation" where a row that is not one creator's needs a creator_id."""


def new_id() -> UUID:
    """A new UUIDv7."""
    return uuid7()
