"""What is kept about ways in: links that were used, tries by address, others' identities."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send

USE_LINK = """
    INSERT INTO used_links (nonce, user_id, used_at, used_from, expires_at)
    VALUES (%(nonce)s, %(user_id)s, %(now)s, %(used_from)s, %(expires_at)s)
    ON CONFLICT (nonce) DO NOTHING
    RETURNING nonce
"""
# Skips what somebody else is removing, so that two who do it at once do not wait for each other.
REMOVE_OLD_LINKS = """
    DELETE FROM used_links WHERE nonce IN (
        SELECT nonce FROM used_links WHERE expires_at < %(now)s FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class LinkUse:
    """When a link was first used, and from where, as a keyed hash."""

    used_at: datetime
    used_from: bytes


async def use_link(
    connection: Connection,
    nonce: UUID,
    user_id: UUID,
    *,
    used_from: bytes,
    now: datetime,
    expires_at: datetime,
) -> LinkUse | None:
    """Write down that a link is used; None the first time, else when it was used before.

    Of two who use it at once the second waits for the first to commit.
    """
    params = {
        "nonce": nonce,
        "user_id": user_id,
        "used_from": used_from,
        "now": now,
        "expires_at": expires_at,
    }
    await run(connection, REMOVE_OLD_LINKS, {"now": now})
    if await (await send(connection, USE_LINK, params, bool)).answer():
        return None
    return await link_use(connection, nonce)


async def link_use(connection: Connection, nonce: UUID) -> LinkUse | None:
    """When a link was first used; None while it was not."""

    def read(rows: Rows) -> LinkUse | None:
        return LinkUse(*rows[0]) if rows else None

    statement = "SELECT used_at, used_from FROM used_links WHERE nonce = %(nonce)s"
    return await (await send(connection, statement, {"nonce": nonce}, read)).answer()


# A try is counted before it is made: of many at once no more are made than of many in a row.
COUNT_TRY = """
    INSERT INTO address_tries AS t (subject, tries, last_at) VALUES (%(subject)s, 1, %(now)s)
    ON CONFLICT (subject) DO UPDATE SET
      tries = CASE WHEN GREATEST(t.last_at, t.free_at) < %(forgotten)s THEN 1 ELSE t.tries + 1 END,
      last_at = EXCLUDED.last_at,
      free_at = NULL
    WHERE t.free_at IS NULL OR t.free_at <= EXCLUDED.last_at
    RETURNING tries
"""
REMOVE_OLD_TRIES = """
    DELETE FROM address_tries WHERE subject IN (
        SELECT subject FROM address_tries WHERE last_at < %(before)s
        FOR UPDATE SKIP LOCKED)
"""


async def count_address_try(
    connection: Connection, subject: bytes, *, now: datetime, forgotten: datetime
) -> int | None:
    """How many wrong tries came from an address, with this one; None while it must wait."""
    params = {"subject": subject, "now": now, "forgotten": forgotten}
    pending = await send(
        connection, COUNT_TRY, params, lambda rows: int(rows[0][0]) if rows else None
    )
    return await pending.answer()


async def hold_address(connection: Connection, subject: bytes, free_at: datetime) -> None:
    """Let nobody try from an address before `free_at`."""
    statement = "UPDATE address_tries SET free_at = %(free_at)s WHERE subject = %(subject)s"
    await run(connection, statement, {"subject": subject, "free_at": free_at})


async def address_free_at(connection: Connection, subject: bytes) -> datetime | None:
    statement = "SELECT free_at FROM address_tries WHERE subject = %(subject)s"
    pending = await send(
        connection, statement, {"subject": subject}, lambda rows: rows[0][0] if rows else None
    )
    return await pending.answer()


async def uncount_address_try(connection: Connection, subject: bytes) -> None:
    """Take back the try that turned out right, and the wait that it would have brought."""
    statement = """
        UPDATE address_tries SET tries = GREATEST(tries - 1, 0), free_at = NULL
        WHERE subject = %(subject)s
    """
    await run(connection, statement, {"subject": subject})


async def remove_old_address_tries(connection: Connection, before: datetime) -> None:
    """Remove the rows of tries that nobody asks about any more."""
    await run(connection, REMOVE_OLD_TRIES, {"before": before})


IDENTIFIED = """
    SELECT u.id, u.disabled_at IS NULL AND u.role <> 'service'
    FROM identities i JOIN users u ON u.id = i.user_id
    WHERE i.issuer = %(issuer)s AND i.subject = %(subject)s
"""
BIND = """
    INSERT INTO identities (issuer, subject, user_id, bound_at)
    VALUES (%(issuer)s, %(subject)s, %(user_id)s, %(now)s)
    ON CONFLICT DO NOTHING
    RETURNING user_id
"""


@dataclass(frozen=True, slots=True)
class Bound:
    """Who of ours an identity is, and whether they may still sign in."""

    user_id: UUID
    is_active: bool


async def bound_to(connection: Connection, issuer: str, subject: str) -> Bound | None:
    def read(rows: Rows) -> Bound | None:
        return Bound(*rows[0]) if rows else None

    params = {"issuer": issuer, "subject": subject}
    return await (await send(connection, IDENTIFIED, params, read)).answer()


async def bind(
    connection: Connection, issuer: str, subject: str, user_id: UUID, now: datetime
) -> bool:
    """Tie an identity to a user; False when either of them is tied at this issuer already."""
    params = {"issuer": issuer, "subject": subject, "user_id": user_id, "now": now}
    return await (await send(connection, BIND, params, bool)).answer()


async def has_identity(connection: Connection, user_id: UUID) -> bool:
    statement = "SELECT 1 FROM identities WHERE user_id = %(user_id)s LIMIT 1"
    return await (await send(connection, statement, {"user_id": user_id}, bool)).answer()


async def unbind(connection: Connection, user_id: UUID) -> bool:
    """Untie a user from every issuer; False when they were tied to none."""
    statement = "DELETE FROM identities WHERE user_id = %(user_id)s RETURNING user_id"
    return await (await send(connection, statement, {"user_id": user_id}, bool)).answer()
