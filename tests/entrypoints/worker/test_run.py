"""One worker process serves messages and events beside each other."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.app import RunningApp
from tests.support.fixtures import settings
from tests.support.receiver import Receiver, serve_receiver
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.worker.run import EVENTS_AT_ONCE, run_worker

pytestmark = pytest.mark.anyio

CONCURRENCY = 2


async def test_a_system_that_hangs_keeps_no_message_waiting(
    app: RunningApp, database_url: str, home: Path
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    draft = await admin.made("/api/ai/generate", talk.asks())
    with serve_receiver() as hanging:
        hanging.open.clear()
        body = {"url": hanging.url, "kinds": ["message.sent"]}
        endpoint = await admin.made("/api/event-endpoints", body)
        hanging.secret = endpoint["secret"]
        for _ in range(CONCURRENCY + EVENTS_AT_ONCE + 1):
            await admin.made(f"/api/event-endpoints/{endpoint['id']}/test", {})
        worker = asyncio.create_task(
            run_worker(settings(database_url, home), concurrency=CONCURRENCY)
        )
        try:
            await until(lambda: all_are_held(hanging))
            decision = {
                "generationId": draft["generationId"],
                "action": "modify",
                "modifiedMessage": "Hello Tom!",
            }
            await admin.made("/api/ai/approve", decision)
            await until(lambda: is_sent(app))
            # None of the calls has come to an end meanwhile, not even by being given up.
            [ended] = await rows(app, "SELECT count(last_error) AS errors FROM event_deliveries")
            assert (ended["errors"], len(hanging.heard)) == (0, EVENTS_AT_ONCE)
        finally:
            hanging.open.set()
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the worker did not do it in half a minute")


async def all_are_held(hanging: Receiver) -> bool:
    return len(hanging.heard) >= EVENTS_AT_ONCE


async def is_sent(app: RunningApp) -> bool:
    [item] = await rows(app, "SELECT delivery_status FROM outbox")
    return bool(item["delivery_status"] == "sent")
