"""Who of ours the people of an OpenID Connect issuer are."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, send

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
