"""Statements that wait for each other, for races that are tried in one certain order."""

import asyncio

from tests.support.app import RunningApp
from tests.support.world import rows


async def until_waiting(app: RunningApp, many: int = 1) -> None:
    """Until so many statements wait for another transaction's lock."""
    async with asyncio.timeout(60):
        while len(await rows(app, "SELECT FROM pg_locks WHERE NOT granted")) < many:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
