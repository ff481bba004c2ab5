"""Another web process on the same database, for what must hold between processes.

It is given settings as JSON, then says "ready" and waits for a line that holds a token, a body and
how often to ask for it at once; each status goes to stdout as soon as it is known.
"""

import asyncio
import json
import sys
from typing import Any

from tests.support.app import RunningApp, running_app
from vaultcrm.settings import Settings


async def ask(running: RunningApp, order: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {order['token']}"}
    response = await running.client.post("/api/ai/generate", json=order["body"], headers=headers)
    sys.stdout.write(f"{response.status_code}\n")
    sys.stdout.flush()


async def main() -> None:
    async with running_app(Settings(**json.loads(sys.argv[1]))) as running:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        order = json.loads(await asyncio.to_thread(sys.stdin.readline))
        await asyncio.gather(*(ask(running, order) for _ in range(order["times"])))


if __name__ == "__main__":
    asyncio.run(main())
