"""The yardstick: one bare `anthropic` SDK call, default transport, nothing else in the process.

Runs as a process of its own, so that its CPU time is the call's alone. It reads numbers of calls
from standard input and answers each with a line of JSON: CPU milliseconds a call, and the wall
time of each call in milliseconds.
"""

import asyncio
import json
import sys
import time
from typing import Any

from anthropic import AsyncAnthropic

from bench.situation import BARE_REQUEST


async def measure(client: AsyncAnthropic, calls: int) -> dict[str, Any]:
    walls = []
    began = time.process_time()
    for _ in range(calls):
        at = time.perf_counter()
        await client.messages.create(**BARE_REQUEST)
        walls.append((time.perf_counter() - at) * 1000)
    return {"cpu_ms": (time.process_time() - began) * 1000 / calls, "wall_ms": walls}


async def main(url: str) -> None:
    client = AsyncAnthropic(api_key="bench", base_url=url, max_retries=0)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await measure(client, int(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
