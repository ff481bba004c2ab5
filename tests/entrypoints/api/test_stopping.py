"""A server that is told to stop: what is under way is answered, and nobody is told of a fault."""

import asyncio
import socket
import threading
import time
from pathlib import Path

import httpx2
import psycopg
import pytest
import uvicorn

from tests.support.app import running_app
from tests.support.fixtures import settings
from tests.support.world import sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.asgi import create_app

pytestmark = pytest.mark.anyio


async def test_a_request_that_outlasts_the_stop_is_told_to_come_again(
    database_url: str, home: Path
) -> None:
    wanted = settings(database_url, home)
    async with running_app(wanted) as app:
        ada = await sign_in(app, Role.ADMIN, name="Ada")
        token = ada.headers["Authorization"]
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(wanted), log_level="critical", lifespan="on", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with psycopg.connect(database_url) as holding:
            holding.execute("LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE")
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                asked = asyncio.create_task(
                    client.get("/api/creators", headers={"Authorization": token}, timeout=30)
                )
                await _until_somebody_waits(holding)
                server.should_exit = True
                answer = await asked
    finally:
        server.should_exit = True
        thread.join()

    assert answer.status_code == 503
    assert answer.json()["type"] == "/problems/stopping"
    assert answer.headers["retry-after"] == "5"


async def _until_somebody_waits(holding: psycopg.Connection[tuple[object, ...]]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = holding.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        if found and found[0]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the request never reached the database")
