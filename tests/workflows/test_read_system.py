"""What VaultCRM tells of itself: latency by endpoint, and how the database grows."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import add

import pytest

from tests.entrypoints.web.browser import sign_in as sign_in_page
from tests.support.app import RunningApp
from tests.support.world import rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.domain.rollups import floor_day
from vaultcrm.workflows.observe import WEB, hand_on, read_exposition
from vaultcrm.workflows.read_system import note_size, read_system

pytestmark = pytest.mark.anyio


async def test_endpoints_are_told_of_with_their_failures_and_times(app: RunningApp) -> None:
    observed = app.parts.observed
    for _ in range(19):
        observed.request("GET", "/api/fans/{fan_id}", 200, 0.04)
    observed.request("GET", "/api/fans/{fan_id}", 500, 2.0)
    observed.request("GET", "/healthz", 200, 40.0)
    assert await hand_on(app.parts, WEB)
    # A process on another machine, which has seen more of the same.
    await rows(app, "UPDATE processes SET process = 'elsewhere-1'")
    assert await hand_on(app.parts, WEB)

    found = {one.route: one for one in (await read_system(app.parts)).endpoints}

    assert "/healthz" not in found
    fans = found["/api/fans/{fan_id}"]
    assert (fans.requests, fans.failed) == (40, 2)
    assert fans.mean == pytest.approx((38 * 0.04 + 2 * 2.0) / 40)
    assert fans.p95 == 0.05


async def test_growth_is_known_from_the_days_that_were_noted(app: RunningApp) -> None:
    began = app.parts.now()
    for back in (8, 7, 2, 1, 0):
        await note_size(replace(app.parts, now=partial(add, began, timedelta(days=-back))))
    await rows(
        app,
        "UPDATE database_sizes SET bytes = bytes - 1000000 WHERE day < %(today)s",
        today=floor_day(began),
    )
    now = replace(app.parts, now=lambda: began)
    state = await read_system(now)

    assert state.database.grown(state.today, 30) is None
    for days in (1, 7):
        grown = state.database.grown(state.today, days)
        assert grown is not None
        assert grown >= 1_000_000
    exposed = await read_exposition(now)
    assert 'vaultcrm_database_grown_bytes{days="7"}' in exposed
    assert 'vaultcrm_database_grown_bytes{days="30"}' not in exposed


async def test_the_dashboard_ends_with_it_for_those_who_act_for_everybody(
    app: RunningApp,
) -> None:
    ada = await sign_in_page(app, Role.ADMIN, name="Ada")
    await sign_in(app, Role.ADMIN, name="Root")
    mary = await sign_in_page(app, Role.MANAGER, name="Mary", creators=[])
    await ada.open("/inbox")
    assert await hand_on(app.parts, WEB)

    page = await ada.open("/dashboard")

    assert "VaultCRM itself The database holds" in page.text
    assert "GET /inbox" in page.text
    assert "VaultCRM itself" not in (await mary.open("/dashboard")).text
