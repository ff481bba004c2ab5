"""Sign-in links that were used."""

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
