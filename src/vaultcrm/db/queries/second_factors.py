"""Second factors: being set up, in force, and the codes for when one is lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send


@dataclass(frozen=True, slots=True)
class Factor:
    """One person's second factor. `secret` is sealed; without `confirmed_at` it is not in force.

    `codes_left` counts the recovery codes that were not used.
    """

    secret: bytes
    made_at: datetime
    confirmed_at: datetime | None
    last_step: int | None
    codes_left: int


OF_USER = """
    SELECT f.secret, f.made_at, f.confirmed_at, f.last_step,
           (SELECT count(*) FROM recovery_codes c
             WHERE c.user_id = f.user_id AND c.used_at IS NULL)
    FROM second_factors f WHERE f.user_id = %(user_id)s
"""


async def of_user(connection: Connection, user_id: UUID) -> Pending[Factor | None]:
    """None when there is none, in force or being set up."""

    def read(rows: Rows) -> Factor | None:
        return Factor(*rows[0]) if rows else None

    return await send(connection, OF_USER, {"user_id": user_id}, read)


async def is_in_force(connection: Connection, user_id: UUID) -> bool:
    statement = """
        SELECT 1 FROM second_factors WHERE user_id = %(user_id)s AND confirmed_at IS NOT NULL
    """
    return await (await send(connection, statement, {"user_id": user_id}, bool)).answer()


BEGIN = """
    INSERT INTO second_factors AS f (user_id, secret, made_at)
    VALUES (%(user_id)s, %(secret)s, %(now)s)
    ON CONFLICT (user_id) DO UPDATE SET secret = EXCLUDED.secret, made_at = EXCLUDED.made_at
      WHERE f.confirmed_at IS NULL
    RETURNING user_id
"""


async def begin(connection: Connection, user_id: UUID, secret: bytes, now: datetime) -> bool:
    """Keep a sealed secret that is not in force yet; False when another one is in force."""
    params = {"user_id": user_id, "secret": secret, "now": now}
    return await (await send(connection, BEGIN, params, bool)).answer()


# The secret is named, so that nobody confirms another one than they have tried.
CONFIRM = """
    UPDATE second_factors SET confirmed_at = %(now)s, last_step = %(step)s
    WHERE user_id = %(user_id)s AND secret = %(secret)s AND confirmed_at IS NULL
    RETURNING user_id
"""


async def confirm(
    connection: Connection, user_id: UUID, secret: bytes, step: int, now: datetime
) -> bool:
    """Put a factor in force, its first code taken; False when it is not the one that was begun."""
    params = {"user_id": user_id, "secret": secret, "step": step, "now": now}
    return await (await send(connection, CONFIRM, params, bool)).answer()


# Of two who send the same code at once one gets the row back.
TAKE_STEP = """
    UPDATE second_factors SET last_step = %(step)s
    WHERE user_id = %(user_id)s AND secret = %(secret)s AND confirmed_at IS NOT NULL
      AND (last_step IS NULL OR last_step < %(step)s)
    RETURNING user_id
"""


async def take_step(connection: Connection, user_id: UUID, secret: bytes, step: int) -> bool:
    """Take a code of this step; False when one of it, or of a later one, was taken before."""
    params = {"user_id": user_id, "secret": secret, "step": step}
    return await (await send(connection, TAKE_STEP, params, bool)).answer()


TAKE_RECOVERY_CODE = """
    UPDATE recovery_codes SET used_at = %(now)s
    WHERE user_id = %(user_id)s AND code_hash = %(code_hash)s AND used_at IS NULL
    RETURNING user_id
"""


async def take_recovery_code(
    connection: Connection, user_id: UUID, code_hash: bytes, now: datetime
) -> bool:
    """Take a recovery code, once; False when it is none that is left."""
    params = {"user_id": user_id, "code_hash": code_hash, "now": now}
    return await (await send(connection, TAKE_RECOVERY_CODE, params, bool)).answer()


async def replace_recovery_codes(
    connection: Connection, user_id: UUID, code_hashes: Iterable[bytes]
) -> None:
    """Keep these codes and none of those before."""
    params = {"user_id": user_id, "hashes": list(code_hashes)}
    await run(connection, "DELETE FROM recovery_codes WHERE user_id = %(user_id)s", params)
    statement = """
        INSERT INTO recovery_codes (user_id, code_hash)
        SELECT %(user_id)s, hash FROM unnest(%(hashes)s::bytea[]) hash
    """
    await run(connection, statement, params)


async def remove(connection: Connection, user_id: UUID) -> bool:
    """Remove a factor and its recovery codes; False when none was in force."""
    params = {"user_id": user_id}
    await run(connection, "DELETE FROM recovery_codes WHERE user_id = %(user_id)s", params)
    statement = """
        DELETE FROM second_factors WHERE user_id = %(user_id)s
        RETURNING confirmed_at IS NOT NULL
    """

    def read(rows: Rows) -> bool:
        return bool(rows and rows[0][0])

    return await (await send(connection, statement, params, read)).answer()
