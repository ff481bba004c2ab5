"""The web application in this process: real parts, a real database, requests without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI

from vaultcrm.entrypoints.asgi import create_app
from vaultcrm.settings import Settings
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True)
class RunningApp:
    """A started application and a client of it that holds no token."""

    app: FastAPI
    client: httpx2.AsyncClient
    parts: Parts

    def leaves_running_calls_unwatched(self) -> None:
        """For tests that count round trips: on a slow machine the watch over calls to models would
        ask in between.
        """
        self.parts.running_calls.look_seconds = 600.0


@asynccontextmanager
async def running_app(settings: Settings) -> AsyncIterator[RunningApp]:
    """The application as a server would run it: started before the first request, then stopped.

    An exception that no handler turns into an answer is raised in the test.
    """
    app = create_app(settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://vaultcrm.test") as client,
    ):
        yield RunningApp(app, client, app.state.parts)
