"""10,000 reservations of four processes, 32 at once, against a limit that lets half of them in.

Each is the statement that opens a generation, and the one that settles it or gives it back. What is
spent in the end is the limit, to the token.
"""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.reserving import TOKENS
from vaultcrm.bootstrap import open_parts
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.settings import Settings
from vaultcrm.workflows.manage_people import add_user

PROCESSES = 4
TIMES = 2_500
AT_ONCE = 8
LIMIT = PROCESSES * TIMES // 2 * TOKENS


@dataclass(frozen=True)
class Reserved:
    """How many calls were let in, what they spent of what limit, and what is held at the end."""

    calls: int
    let_in: int
    spent: int
    limit: int
    held: int
    a_second: float


def measure() -> Reserved:
    """With an embedded server of its own."""
    with tempfile.TemporaryDirectory(prefix="vaultcrm-bench-") as folder:
        Path(folder).chmod(0o711)
        return asyncio.run(_measure(Settings(vaultcrm_home=Path(folder) / "home")))


async def _measure(settings: Settings) -> Reserved:
    now = datetime.now(UTC)
    async with open_parts(settings) as parts:
        await add_user(
            parts.pool,
            email="ada@example.com",
            name="Ada",
            role=Role.ADMIN,
            all_creators=True,
            creator_handles=[],
            now=now,
        )
        async with parts.pool.connection() as connection:
            cursor = await connection.execute("SELECT id FROM users WHERE name = 'Ada'")
            [(user_id,)] = await cursor.fetchall()
        order = {
            "database_url": parts.database_url,
            "user_id": str(user_id),
            "creator_id": str(new_id()),
            "limit": LIMIT,
            "times": TIMES,
            "at_once": AT_ONCE,
            "now": now.isoformat(),
        }
        begun = time.perf_counter()
        let_in = sum(await asyncio.gather(*(_process(order) for _ in range(PROCESSES))))
        seconds = time.perf_counter() - begun
        async with parts.pool.connection() as connection:
            cursor = await connection.execute(
                """SELECT (SELECT used FROM limit_counters WHERE kind = 'tokens_per_day'),
                          (SELECT count(*) FROM open_reservations)"""
            )
            [(spent, held)] = await cursor.fetchall()
    calls = PROCESSES * TIMES
    return Reserved(calls, let_in, spent, LIMIT, held, calls / seconds)


async def _process(order: dict[str, Any]) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.reserving", json.dumps(order),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, _ = await process.communicate()
    return int(told)
