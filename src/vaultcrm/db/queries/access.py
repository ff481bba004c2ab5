"""Users, tokens, and which creators a user may act for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Caller, Credential, Role, TokenScope

BY_TOKEN = """
    FROM api_tokens t JOIN users u ON u.id = t.user_id
    WHERE t.token_hash = %(token_hash)s
      AND t.revoked_at IS NULL
      AND (t.expires_at IS NULL OR t.expires_at > %(now)s)
      AND u.disabled_at IS NULL
"""
BY_USER = """
    FROM users u
    WHERE u.id = %(user_id)s AND u.disabled_at IS NULL
"""

_COLUMNS = """
    u.id, u.role, u.name, u.all_creators, {scopes} AS scopes,
    CASE WHEN u.all_creators THEN NULL ELSE
      (SELECT array_agg(a.creator_id) FROM creator_assignments a WHERE a.user_id = u.id) END
"""
CALLER_COLUMNS = _COLUMNS.format(scopes="NULL::text[]")
CALLER_COLUMNS_BY_TOKEN = _COLUMNS.format(scopes="t.scopes")
CALLER_WIDTH = 6
"""Columns of a caller, which come first in every row that has one."""
CALLER_BY_TOKEN = "SELECT" + CALLER_COLUMNS_BY_TOKEN + BY_TOKEN
CALLER_BY_USER = "SELECT" + CALLER_COLUMNS + BY_USER


def read_caller_row(row: tuple[Any, ...]) -> Caller:
    user_id, role, name, all_creators, scopes, creator_ids = row[:CALLER_WIDTH]
    return Caller(
        user_id,
        Role(role),
        name,
        all_creators,
        frozenset(creator_ids or ()),
        None if scopes is None else frozenset(map(TokenScope, scopes)),
    )


def _read_caller(rows: Rows) -> Caller | None:
    return read_caller_row(rows[0]) if rows else None


async def find_caller(
    connection: Connection, credential: Credential, now: datetime
) -> Pending[Caller | None]:
    """The user behind a credential, or None."""
    if credential.token_hash is not None:
        params = {"token_hash": credential.token_hash, "now": now}
        return await send(connection, CALLER_BY_TOKEN, params, _read_caller)
    return await send(connection, CALLER_BY_USER, {"user_id": credential.user_id}, _read_caller)


ADD_USER = """
    INSERT INTO users (id, email, name, role, all_creators, created_at)
    VALUES (%(id)s, %(email)s, %(name)s, %(role)s, %(all_creators)s, %(now)s)
    ON CONFLICT DO NOTHING
    RETURNING id
"""


async def add_user(
    connection: Connection,
    *,
    email: str | None,
    name: str,
    role: Role,
    all_creators: bool,
    now: datetime,
) -> UUID | None:
    """Add a user and return the id, or None when the e-mail or service name is taken."""
    params = {
        "id": new_id(),
        "email": email,
        "name": name,
        "role": role.value,
        "all_creators": all_creators,
        "now": now,
    }
    pending = await send(connection, ADD_USER, params, _read_id)
    return await pending.answer()


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


async def user_by_email(connection: Connection, email: str) -> UUID | None:
    statement = "SELECT id FROM users WHERE email = %(email)s AND disabled_at IS NULL"
    return await (await send(connection, statement, {"email": email}, _read_id)).answer()


async def service_by_name(connection: Connection, name: str) -> UUID | None:
    statement = "SELECT id FROM users WHERE role = 'service' AND name = %(name)s"
    return await (await send(connection, statement, {"name": name}, _read_id)).answer()


async def assign(connection: Connection, user_id: UUID, creator_id: UUID, now: datetime) -> None:
    """Let a user act for a creator; doing so twice changes nothing."""
    statement = """
        INSERT INTO creator_assignments (user_id, creator_id, created_at)
        VALUES (%(user_id)s, %(creator_id)s, %(now)s) ON CONFLICT DO NOTHING
    """
    params = {"user_id": user_id, "creator_id": creator_id, "now": now}
    await run(connection, statement, params)


async def name_of(connection: Connection, user_id: UUID | None) -> str | None:
    """The name of a user, for telling people who did something."""
    statement = "SELECT name FROM users WHERE id = %(user_id)s"
    pending = await send(
        connection, statement, {"user_id": user_id}, lambda rows: rows[0][0] if rows else None
    )
    return await pending.answer()


async def all_creator_ids(connection: Connection) -> list[UUID]:
    pending = await send(
        connection, "SELECT id FROM creators ORDER BY id", {}, lambda rows: [row[0] for row in rows]
    )
    return await pending.answer()
