"""API tokens: made, listed, revoked, and when each was last used."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import ApiToken, TokenScope

ADD = """
    INSERT INTO api_tokens (id, token_hash, user_id, name, scopes, made_by, created_at, expires_at)
    VALUES (%(id)s, %(token_hash)s, %(user_id)s, %(name)s, %(scopes)s, %(made_by)s, %(now)s,
            %(expires_at)s)
"""


async def add(
    connection: Connection,
    *,
    token_hash: bytes,
    user_id: UUID,
    name: str,
    scopes: Iterable[TokenScope] | None,
    made_by: UUID | None,
    now: datetime,
    expires_at: datetime | None,
) -> UUID:
    """Keep a new token's hash; the id names it from now on."""
    token_id = new_id()
    params = {
        "id": token_id,
        "token_hash": token_hash,
        "user_id": user_id,
        "name": name,
        "scopes": None if scopes is None else sorted(scope.value for scope in scopes),
        "made_by": made_by,
        "now": now,
        "expires_at": expires_at,
    }
    await run(connection, ADD, params)
    return token_id


# One that ended long ago says nothing to anybody any more.
_LIST = """
    SELECT t.id, t.user_id, u.name, t.name, t.scopes, t.created_at, t.expires_at, x.last_used_at,
           t.revoked_at
    FROM api_tokens t
    JOIN users u ON u.id = t.user_id
    LEFT JOIN token_uses x ON x.token_hash = t.token_hash
    WHERE {whose}
      AND COALESCE(LEAST(t.revoked_at, t.expires_at), 'infinity') > %(ended_since)s
    ORDER BY t.revoked_at IS NOT NULL OR COALESCE(t.expires_at <= %(now)s, false),
             t.created_at DESC, t.id
    LIMIT %(limit)s
"""
OF_USER = _LIST.format(whose="t.user_id = %(user_id)s")
OF_PROGRAMS = _LIST.format(whose="u.role = 'service'")
EVERY = _LIST.format(whose="true")


def _read(rows: Rows) -> list[ApiToken]:
    return [
        ApiToken(
            id=row[0],
            user_id=row[1],
            owner=row[2],
            name=row[3],
            scopes=None if row[4] is None else frozenset(map(TokenScope, row[4])),
            created_at=row[5],
            expires_at=row[6],
            last_used_at=row[7],
            revoked_at=row[8],
        )
        for row in rows
    ]


async def of_user(
    connection: Connection, user_id: UUID, *, now: datetime, ended_since: datetime, limit: int
) -> Pending[list[ApiToken]]:
    """A person's tokens, the living ones first, and those that ended after `ended_since`."""
    params = {"user_id": user_id, "now": now, "ended_since": ended_since, "limit": limit}
    return await send(connection, OF_USER, params, _read)


async def of_programs(
    connection: Connection, *, now: datetime, ended_since: datetime, limit: int
) -> Pending[list[ApiToken]]:
    """The tokens of all programs, in the same order."""
    params = {"now": now, "ended_since": ended_since, "limit": limit}
    return await send(connection, OF_PROGRAMS, params, _read)


async def every(
    connection: Connection, *, now: datetime, ended_since: datetime, limit: int
) -> Pending[list[ApiToken]]:
    """Everybody's tokens, in the same order."""
    params = {"now": now, "ended_since": ended_since, "limit": limit}
    return await send(connection, EVERY, params, _read)


REVOKE = """
    UPDATE api_tokens t SET revoked_at = %(now)s
    FROM users u
    WHERE t.id = %(id)s AND u.id = t.user_id AND t.revoked_at IS NULL
      AND (%(user_id)s::uuid IS NULL OR t.user_id = %(user_id)s)
      AND (NOT %(programs_only)s OR u.role = 'service')
    RETURNING t.user_id
"""


async def revoke(
    connection: Connection,
    token_id: UUID,
    now: datetime,
    *,
    user_id: UUID | None = None,
    programs_only: bool = False,
) -> UUID | None:
    """End a token, of this person or of a program where that is asked; whose it was.

    None when there is no such token, or it was revoked before.
    """
    params = {"id": token_id, "now": now, "user_id": user_id, "programs_only": programs_only}
    pending = await send(connection, REVOKE, params, lambda rows: rows[0][0] if rows else None)
    return await pending.answer()


# Only of tokens that there are: what is used may be anything that somebody has sent.
NOTE_USES = """
    INSERT INTO token_uses AS x (token_hash, last_used_at)
    SELECT t.token_hash, s.used_at
    FROM unnest(%(hashes)s::bytea[], %(times)s::timestamptz[]) s (token_hash, used_at)
    JOIN api_tokens t ON t.token_hash = s.token_hash
    ORDER BY t.token_hash
    ON CONFLICT (token_hash) DO UPDATE SET last_used_at = EXCLUDED.last_used_at
      WHERE x.last_used_at < EXCLUDED.last_used_at
"""


async def note_uses(connection: Connection, uses: Mapping[bytes, datetime]) -> None:
    """Write down when tokens, by their hashes, were last used."""
    params = {"hashes": list(uses), "times": list(uses.values())}
    await run(connection, NOTE_USES, params)
