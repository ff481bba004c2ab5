"""Tries to sign in, counted for an account and for the address that they come from."""

from datetime import datetime
from enum import StrEnum

from vaultcrm.db.pending import Connection, run, send


class TriesOf(StrEnum):
    """What tries are counted for, and the table that they are counted in."""

    ACCOUNT = "sign_in_tries"
    ADDRESS = "address_tries"


# A try is counted before it is made: of many at once no more are made than of many in a row.
_COUNT = """
    INSERT INTO {table} AS t (subject, tries, last_at) VALUES (%(subject)s, 1, %(now)s)
    ON CONFLICT (subject) DO UPDATE SET
      tries = CASE WHEN GREATEST(t.last_at, t.free_at) < %(forgotten)s THEN 1 ELSE t.tries + 1 END,
      last_at = EXCLUDED.last_at,
      free_at = NULL
    WHERE t.free_at IS NULL OR t.free_at <= EXCLUDED.last_at
    RETURNING tries
"""
_HOLD = "UPDATE {table} SET free_at = %(free_at)s WHERE subject = %(subject)s"
_FREE_AT = "SELECT free_at FROM {table} WHERE subject = %(subject)s"
_FORGET = "DELETE FROM {table} WHERE subject = %(subject)s"
_TAKE_BACK = """
    UPDATE {table} SET tries = GREATEST(tries - 1, 0), free_at = NULL WHERE subject = %(subject)s
"""
# Skips what somebody else is removing, so that two who do it at once do not wait for each other.
_REMOVE_OLD = """
    DELETE FROM {table} WHERE subject IN (
        SELECT subject FROM {table} WHERE last_at < %(before)s FOR UPDATE SKIP LOCKED)
"""


async def count_try(
    connection: Connection, of: TriesOf, subject: bytes, *, now: datetime, forgotten: datetime
) -> int | None:
    """How many tries there have been with this one, or None while one must wait.

    Tries whose last, with the wait after it, lies before `forgotten` do not count any more.
    """
    params = {"subject": subject, "now": now, "forgotten": forgotten}
    pending = await send(
        connection,
        _COUNT.format(table=of),
        params,
        lambda rows: int(rows[0][0]) if rows else None,
    )
    return await pending.answer()


async def hold(connection: Connection, of: TriesOf, subject: bytes, free_at: datetime) -> None:
    """Let nobody try before `free_at`."""
    await run(connection, _HOLD.format(table=of), {"subject": subject, "free_at": free_at})


async def free_at(connection: Connection, of: TriesOf, subject: bytes) -> datetime | None:
    """Until when one must wait, or had to; None where nobody must."""
    pending = await send(
        connection,
        _FREE_AT.format(table=of),
        {"subject": subject},
        lambda rows: rows[0][0] if rows else None,
    )
    return await pending.answer()


async def forget(connection: Connection, of: TriesOf, subject: bytes) -> None:
    """Count from the beginning again."""
    await run(connection, _FORGET.format(table=of), {"subject": subject})


async def take_back(connection: Connection, of: TriesOf, subject: bytes) -> None:
    """Take back the one try that turned out right, and the wait that it would have brought."""
    await run(connection, _TAKE_BACK.format(table=of), {"subject": subject})


async def remove_old(connection: Connection, of: TriesOf, before: datetime) -> None:
    """Remove the rows of tries that nobody asks about any more."""
    await run(connection, _REMOVE_OLD.format(table=of), {"before": before})
