"""Sessions of the console: opened, found, used, listed, ended.

`idle_since`: a session that was last used before it has ended, whatever its `expires_at` says.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.db.queries.access import CALLER_COLUMNS, read_caller_row
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Caller, OpenSession

ADD = """
    INSERT INTO sessions
      (id, token_hash, user_id, device, created_at, last_used_at, expires_at, second_factor)
    VALUES (%(id)s, %(token_hash)s, %(user_id)s, %(device)s, %(now)s, %(now)s, %(expires_at)s,
            %(second_factor)s)
"""


async def add(
    connection: Connection,
    *,
    token_hash: bytes,
    user_id: UUID,
    device: str,
    now: datetime,
    expires_at: datetime,
    second_factor: bool,
) -> None:
    params = {
        "id": new_id(),
        "token_hash": token_hash,
        "user_id": user_id,
        "device": device,
        "now": now,
        "expires_at": expires_at,
        "second_factor": second_factor,
    }
    await run(connection, ADD, params)


ROTATE = """
    UPDATE sessions
    SET id = %(new_id)s, token_hash = %(token_hash)s,
        second_factor = COALESCE(%(second_factor)s, second_factor)
    WHERE id = %(id)s RETURNING id
"""


async def rotate(
    connection: Connection,
    session_id: UUID,
    token_hash: bytes,
    *,
    second_factor: bool | None = None,
) -> UUID | None:
    """Give a session another secret and id: the ones before are dead. Returns the new id.

    None when the session has ended. `second_factor` says whether its person has shown one; None
    leaves that as it was.
    """
    params = {
        "id": session_id,
        "new_id": new_id(),
        "token_hash": token_hash,
        "second_factor": second_factor,
    }
    pending = await send(connection, ROTATE, params, lambda rows: rows[0][0] if rows else None)
    return await pending.answer()


@dataclass(frozen=True, slots=True)
class Found:
    """A session that lives, whose it is, and whether a second factor was shown for it."""

    id: UUID
    caller: Caller
    last_used_at: datetime
    second_factor: bool


FIND = f"""
    SELECT {CALLER_COLUMNS}, s.id, s.last_used_at, s.second_factor
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.token_hash = %(token_hash)s
      AND s.expires_at > %(now)s AND s.last_used_at > %(idle_since)s
      AND u.disabled_at IS NULL
"""


def _read_found(rows: Rows) -> Found | None:
    if not rows:
        return None
    *caller, session_id, last_used_at, second_factor = rows[0]
    return Found(session_id, read_caller_row(tuple(caller)), last_used_at, second_factor)


async def find(
    connection: Connection, token_hash: bytes, *, now: datetime, idle_since: datetime
) -> Pending[Found | None]:
    """The session of a secret, if it lives and its user may still sign in."""
    params = {"token_hash": token_hash, "now": now, "idle_since": idle_since}
    return await send(connection, FIND, params, _read_found)


NOTE_USE = "UPDATE sessions SET last_used_at = %(now)s WHERE id = %(id)s AND last_used_at < %(now)s"
NOTE_SEEN = """
    INSERT INTO people_seen AS p (user_id, last_seen_at) VALUES (%(user_id)s, %(now)s)
    ON CONFLICT (user_id) DO UPDATE SET last_seen_at = EXCLUDED.last_seen_at
      WHERE p.last_seen_at < EXCLUDED.last_seen_at
"""


async def note_seen(connection: Connection, user_id: UUID, now: datetime) -> None:
    await run(connection, NOTE_SEEN, {"user_id": user_id, "now": now})


async def note_use(connection: Connection, session_id: UUID, user_id: UUID, now: datetime) -> None:
    """Write down that a session was used now, and its user seen."""
    async with connection.pipeline():
        await run(connection, NOTE_USE, {"id": session_id, "now": now})
        await note_seen(connection, user_id, now)


OF_USER = """
    SELECT id, device, created_at, last_used_at, expires_at FROM sessions
    WHERE user_id = %(user_id)s AND expires_at > %(now)s AND last_used_at > %(idle_since)s
    ORDER BY last_used_at DESC, id
"""


async def of_user(
    connection: Connection, user_id: UUID, *, now: datetime, idle_since: datetime
) -> Pending[list[OpenSession]]:
    """The living sessions of a person, the one used last first."""
    params = {"user_id": user_id, "now": now, "idle_since": idle_since}
    return await send(connection, OF_USER, params, lambda rows: [OpenSession(*row) for row in rows])


END = "DELETE FROM sessions WHERE token_hash = %(token_hash)s"
END_ONE = "DELETE FROM sessions WHERE user_id = %(user_id)s AND id = %(id)s RETURNING id"
END_ALL = """
    DELETE FROM sessions
    WHERE user_id = %(user_id)s AND (%(keep)s::uuid IS NULL OR id <> %(keep)s)
    RETURNING id
"""
# Skips what somebody else is removing, so that two who do it at once do not wait for each other.
REMOVE_ENDED = """
    DELETE FROM sessions WHERE token_hash IN (
        SELECT token_hash FROM sessions
        WHERE expires_at <= %(now)s OR last_used_at <= %(idle_since)s
        FOR UPDATE SKIP LOCKED)
"""


async def end(connection: Connection, token_hash: bytes) -> None:
    await run(connection, END, {"token_hash": token_hash})


async def end_one(connection: Connection, user_id: UUID, session_id: UUID) -> bool:
    """End one session of a person; False when they have no such one."""
    params = {"user_id": user_id, "id": session_id}
    return await (await send(connection, END_ONE, params, bool)).answer()


async def end_all(connection: Connection, user_id: UUID, *, keep: UUID | None = None) -> int:
    """End a person's sessions but the one to keep; how many there were."""
    params = {"user_id": user_id, "keep": keep}
    return await (await send(connection, END_ALL, params, len)).answer()


async def remove_ended(connection: Connection, *, now: datetime, idle_since: datetime) -> None:
    """Remove the rows of sessions that have ended."""
    await run(connection, REMOVE_ENDED, {"now": now, "idle_since": idle_since})
