"""A process that reserves and settles, as many times and as many at once as it is told.

It is given a database, a user, a creator, a limit, how many calls to make and how many at once, as
JSON; it prints how many were let in.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.limits import reservation_of
from vaultcrm.db.pool import open_pool
from vaultcrm.db.queries import limits, opening
from vaultcrm.domain.limits import TOKENS_PER_DAY
from vaultcrm.domain.people import Credential
from vaultcrm.settings import Settings

TOKENS = 7
"""What each call reserves, and uses."""


async def reserve_all(order: dict[str, Any]) -> int:
    """Make so many calls, one after the other on each connection; how many were let in."""
    let_in, left = 0, order["times"]
    now = datetime.fromisoformat(order["now"]).astimezone(UTC)
    settings = Settings(database_url=order["database_url"])

    async def work() -> None:
        nonlocal let_in, left
        while left > 0:
            left -= 1
            async with pool.connection() as connection:
                sent = await opening.open_generation(
                    connection,
                    Credential(user_id=UUID(order["user_id"])),
                    reservation_of(TOKENS, 0, now, settings),
                    creator_id=UUID(order["creator_id"]),
                    chatter_id=None,
                    per_hour_ceiling=10**9,
                    per_day_ceiling=order["limit"],
                    now=now,
                )
                opened = await sent.answer()
                assert opened is not None
                assert opened.holding is not None
                used = {state.kind: state.used for state in opened.states}
                if used[TOKENS_PER_DAY] is None:
                    await limits.give_back(connection, opened.holding)
                else:
                    let_in += 1
                    await limits.settle(connection, opened.holding, TOKENS, 0)

    pool = await open_pool(order["database_url"], order["at_once"])
    async with pool, asyncio.TaskGroup() as tasks:
        for _ in range(order["at_once"]):
            tasks.create_task(work())
    return let_in


if __name__ == "__main__":
    sys.stdout.write(str(asyncio.run(reserve_all(json.loads(sys.argv[1])))))
