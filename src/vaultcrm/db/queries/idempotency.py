"""Idempotency keys: the answer is stored in the transaction of the effect that it tells of.

So a key without an answer means that nothing was done, or that somebody is doing it right now.
Whoever holds a key is known by the moment they took it: a holder that was given up and comes back
late can neither store an answer nor let go of what is another's by now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send

ABANDONED_AFTER = timedelta(seconds=60)
"""A key whose holder has not answered in this time may be taken over: no effect was committed."""

HOLD = """
    INSERT INTO idempotency_keys AS k (user_id, key, request_hash, created_at)
    VALUES (%(user_id)s, %(key)s, %(request_hash)s, %(now)s)
    ON CONFLICT (user_id, key) DO UPDATE SET created_at = EXCLUDED.created_at
      WHERE k.response IS NULL AND k.request_hash = EXCLUDED.request_hash
        AND k.created_at < %(abandoned_before)s
    RETURNING key
"""

READ = """
    SELECT request_hash, status_code, response FROM idempotency_keys
    WHERE user_id = %(user_id)s AND key = %(key)s
"""

STORE = """
    UPDATE idempotency_keys SET status_code = %(status_code)s, response = %(response)s
    WHERE user_id = %(user_id)s AND key = %(key)s AND created_at = %(held_since)s
      AND response IS NULL
    RETURNING key
"""

RELEASE = """
    DELETE FROM idempotency_keys
    WHERE user_id = %(user_id)s AND key = %(key)s AND created_at = %(held_since)s
      AND response IS NULL
"""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """`response` is None while the first request is still being worked on."""

    request_hash: bytes
    status_code: int | None
    response: str | None


def _read(rows: Rows) -> StoredAnswer | None:
    if not rows:
        return None
    request_hash, status_code, response = rows[0]
    return StoredAnswer(bytes(request_hash), status_code, response)


async def hold(
    connection: Connection, user_id: UUID, key: str, request_hash: bytes, now: datetime
) -> bool:
    """Take a key, held since `now`; False when it is taken or answered already."""
    params = {
        "user_id": user_id,
        "key": key,
        "request_hash": request_hash,
        "now": now,
        "abandoned_before": now - ABANDONED_AFTER,
    }
    return await (await send(connection, HOLD, params, bool)).answer()


async def read(connection: Connection, user_id: UUID, key: str) -> StoredAnswer | None:
    return await (await send(connection, READ, {"user_id": user_id, "key": key}, _read)).answer()


async def store(
    connection: Connection,
    user_id: UUID,
    key: str,
    held_since: datetime,
    *,
    status_code: int,
    response: str,
) -> bool:
    """Store the answer; False when the key is another's by now, and so is the effect."""
    params = {
        "user_id": user_id,
        "key": key,
        "held_since": held_since,
        "status_code": status_code,
        "response": response,
    }
    return await (await send(connection, STORE, params, bool)).answer()


async def release(connection: Connection, user_id: UUID, key: str, held_since: datetime) -> None:
    """Let a key go whose request failed, so that it may be tried again."""
    await run(connection, RELEASE, {"user_id": user_id, "key": key, "held_since": held_since})
