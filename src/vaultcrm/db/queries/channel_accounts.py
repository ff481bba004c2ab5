"""Accounts that creators have on platforms, and the state of sending over them."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.domain.ids import new_id

_COLUMNS = """creator_id, id, channel, config, secret, send_delay_seconds, paused_at, paused_reason,
    updated_at"""

GET = f"""
    SELECT {_COLUMNS} FROM channel_accounts
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s
"""

OF_CREATORS = f"""
    SELECT {_COLUMNS} FROM channel_accounts
    WHERE creator_id = ANY(%(creator_ids)s)
    ORDER BY creator_id, channel
"""

# Connecting anew ends a pause: the credentials are others now.
PUT = f"""
    INSERT INTO channel_accounts (creator_id, id, channel, config, secret, send_delay_seconds,
                                  created_at, updated_at)
    VALUES (%(creator_id)s, %(id)s, %(channel)s, %(config)s::jsonb, %(secret)s,
            %(send_delay_seconds)s, %(now)s, %(now)s)
    ON CONFLICT (creator_id, channel) DO UPDATE
      SET config = EXCLUDED.config, secret = EXCLUDED.secret,
          send_delay_seconds = EXCLUDED.send_delay_seconds, paused_at = NULL, paused_reason = NULL,
          updated_at = EXCLUDED.updated_at
    RETURNING {_COLUMNS}
"""

# A channel of the environment has no row until it is paused for the first time.
PAUSE = """
    INSERT INTO channel_accounts (creator_id, id, channel, config, paused_at, paused_reason,
                                  created_at, updated_at)
    VALUES (%(creator_id)s, %(id)s, %(channel)s, '{}', %(now)s, %(reason)s, %(now)s, %(now)s)
    ON CONFLICT (creator_id, channel) DO UPDATE
      SET paused_at = EXCLUDED.paused_at, paused_reason = EXCLUDED.paused_reason
      WHERE channel_accounts.paused_at IS NULL
    RETURNING id
"""

RESUME = """
    UPDATE channel_accounts SET paused_at = NULL, paused_reason = NULL
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s AND paused_at IS NOT NULL
    RETURNING id
"""

SAVE_SECRET = """
    UPDATE channel_accounts SET secret = %(secret)s
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s
"""

REMOVE = """
    DELETE FROM channel_accounts
    WHERE creator_id = %(creator_id)s AND channel = %(channel)s
    RETURNING id
"""


def _read(rows: Rows) -> tuple[ChannelAccount, ...]:
    return tuple(
        ChannelAccount(
            creator_id=row[0],
            id=row[1],
            channel=row[2],
            config=row[3],
            secret=None if row[4] is None else bytes(row[4]),
            send_delay_seconds=row[5],
            paused_at=row[6],
            paused_reason=row[7],
            updated_at=row[8],
        )
        for row in rows
    )


async def get(connection: Connection, creator_id: UUID, channel: str) -> ChannelAccount | None:
    params = {"creator_id": creator_id, "channel": channel}
    found = await (await send(connection, GET, params, _read)).answer()
    return found[0] if found else None


async def of_creators(
    connection: Connection, creator_ids: list[UUID]
) -> tuple[ChannelAccount, ...]:
    params = {"creator_ids": creator_ids}
    return await (await send(connection, OF_CREATORS, params, _read)).answer()


async def put(
    connection: Connection,
    *,
    creator_id: UUID,
    channel: str,
    config: Mapping[str, Any],
    secret: bytes | None,
    send_delay_seconds: int | None,
    now: datetime,
) -> ChannelAccount:
    """Connect a channel, or replace what is known of it; sending goes on if it was paused."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "channel": channel,
        "config": json.dumps(config),
        "secret": secret,
        "send_delay_seconds": send_delay_seconds,
        "now": now,
    }
    return (await (await send(connection, PUT, params, _read)).answer())[0]


async def pause(
    connection: Connection, creator_id: UUID, channel: str, reason: str, now: datetime
) -> bool:
    """Stop sending over a channel; False when it was stopped already."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "channel": channel,
        "reason": reason,
        "now": now,
    }
    return await (await send(connection, PAUSE, params, bool)).answer()


async def resume(connection: Connection, creator_id: UUID, channel: str) -> bool:
    """Let sending go on; False when it was not stopped."""
    params = {"creator_id": creator_id, "channel": channel}
    return await (await send(connection, RESUME, params, bool)).answer()


async def save_secret(
    connection: Connection, creator_id: UUID, channel: str, secret: bytes
) -> None:
    """Keep credentials that the platform has renewed; what is connected stays as it is."""
    params = {"creator_id": creator_id, "channel": channel, "secret": secret}
    await run(connection, SAVE_SECRET, params)


async def remove(connection: Connection, creator_id: UUID, channel: str) -> bool:
    """Forget an account and its credentials; False when there is none."""
    params = {"creator_id": creator_id, "channel": channel}
    return await (await send(connection, REMOVE, params, bool)).answer()
