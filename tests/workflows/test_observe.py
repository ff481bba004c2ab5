"""What a process has seen is handed on to whoever looks at all of them."""

import asyncio

import psycopg
import pytest

from tests.support.app import RunningApp
from tests.support.locks import until_waiting
from tests.support.world import rows
from vaultcrm.workflows.observe import WEB, hand_on

pytestmark = pytest.mark.anyio


async def test_counts_are_never_written_over_newer_ones(app: RunningApp) -> None:
    observed = app.parts.observed
    holding = await psycopg.AsyncConnection.connect(app.parts.database_url)
    async with holding, asyncio.TaskGroup() as both:
        await holding.execute("LOCK TABLE process_minutes")
        observed.request("GET", "/api/fans", 200, 0.04)
        both.create_task(hand_on(app.parts, WEB))
        await until_waiting(app)
        observed.request("GET", "/healthz", 200, 0.04)
        newer = both.create_task(hand_on(app.parts, WEB))
        await asyncio.wait([newer], timeout=0.5)
        await holding.commit()

    [process] = await rows(app, "SELECT counts FROM processes")
    told = {route: count for _, route, _, count in process["counts"]["requests"]}
    assert (told["/api/fans"], told["/healthz"]) == (1, 1)
