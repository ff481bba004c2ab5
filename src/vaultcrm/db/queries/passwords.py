"""Passwords as they are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a person's password; `hash` None when they have none."""

    user_id: UUID
    hash: str | None


OF_EMAIL = """
    SELECT u.id, p.hash FROM users u LEFT JOIN passwords p ON p.user_id = u.id
    WHERE u.email = %(email)s AND u.disabled_at IS NULL AND u.role <> 'service'
"""
OF_USER = """
    SELECT u.email, p.hash FROM users u LEFT JOIN passwords p ON p.user_id = u.id
    WHERE u.id = %(user_id)s AND u.disabled_at IS NULL AND u.role <> 'service'
"""


async def of_email(connection: Connection, email: str) -> Kept | None:
    """None when nobody who may sign in has this address."""
    pending = await send(
        connection, OF_EMAIL, {"email": email}, lambda rows: Kept(*rows[0]) if rows else None
    )
    return await pending.answer()


async def of_user(connection: Connection, user_id: UUID) -> tuple[str, str | None] | None:
    """E-mail and hash of a person, or None when they may not sign in."""

    def read(rows: Rows) -> tuple[str, str | None] | None:
        return (rows[0][0], rows[0][1]) if rows else None

    return await (await send(connection, OF_USER, {"user_id": user_id}, read)).answer()


# Locks the row: whoever changes the password waits, and then ends the session that is opened here.
STILL = """
    SELECT 1 FROM passwords WHERE user_id = %(user_id)s AND hash = %(hash)s FOR SHARE
"""


async def is_still(connection: Connection, kept: Kept) -> bool:
    """Whether the password is the one that was tried."""
    params = {"user_id": kept.user_id, "hash": kept.hash}
    return await (await send(connection, STILL, params, bool)).answer()


PUT = """
    INSERT INTO passwords (user_id, hash, set_at) VALUES (%(user_id)s, %(hash)s, %(now)s)
    ON CONFLICT (user_id) DO UPDATE SET hash = EXCLUDED.hash, set_at = EXCLUDED.set_at
"""


async def put(connection: Connection, user_id: UUID, password_hash: str, now: datetime) -> None:
    await run(connection, PUT, {"user_id": user_id, "hash": password_hash, "now": now})


async def put_first(
    connection: Connection, user_id: UUID, password_hash: str, now: datetime
) -> bool:
    """Keep somebody's first password; False when they have one already."""
    statement = """
        INSERT INTO passwords (user_id, hash, set_at) VALUES (%(user_id)s, %(hash)s, %(now)s)
        ON CONFLICT DO NOTHING RETURNING user_id
    """
    params = {"user_id": user_id, "hash": password_hash, "now": now}
    return await (await send(connection, statement, params, bool)).answer()


async def replace(connection: Connection, kept: Kept, password_hash: str, now: datetime) -> bool:
    """Keep another password; False when the kept one is not that any more."""
    statement = """
        UPDATE passwords SET hash = %(hash)s, set_at = %(now)s
        WHERE user_id = %(user_id)s AND hash = %(before)s
        RETURNING user_id
    """
    params = {
        "user_id": kept.user_id,
        "hash": password_hash,
        "before": kept.hash,
        "now": now,
    }
    return await (await send(connection, statement, params, bool)).answer()


async def renew_hash(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """Keep the same password in a newer way."""
    statement = "UPDATE passwords SET hash = %(hash)s WHERE user_id = %(user_id)s"
    await run(connection, statement, {"user_id": user_id, "hash": password_hash})


async def remove(connection: Connection, user_id: UUID) -> bool:
    """False when there was none."""
    statement = "DELETE FROM passwords WHERE user_id = %(user_id)s RETURNING user_id"
    return await (await send(connection, statement, {"user_id": user_id}, bool)).answer()
