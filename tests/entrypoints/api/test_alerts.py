"""Alerts through the API, and the one that an unknown model raises."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stubs.llm import serve_llm_stub
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.db.queries import alerts
from vaultcrm.domain.alerts import (
    AlertKind,
    Severity,
    channel_subject,
    creator_subject,
    model_subject,
)
from vaultcrm.domain.people import Role
from vaultcrm.settings import Settings

pytestmark = pytest.mark.anyio

PATH = "/api/alerts"
KIND = AlertKind.UNKNOWN_MODEL
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
UNKNOWN = "local-llama"


async def raised(app: RunningApp, subject: str, message: str = "Look at this.") -> bool:
    """Raise an alert; whether it is a new one."""
    async with app.parts.pool.connection() as connection:
        sent = await alerts.raise_alert(
            connection, KIND, Severity.WARNING, message, {"n": 1}, app.parts.now(), subject=subject
        )
        return await sent.answer() is not None


async def cleared(app: RunningApp, subject: str | None = None) -> None:
    async with app.parts.pool.connection() as connection:
        await alerts.clear_alert(connection, KIND, app.parts.now(), subject=subject)


async def listed(caller: SignedIn, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await caller.found(PATH, **query))["items"]
    return items


async def subjects(caller: SignedIn, **query: Any) -> list[str]:
    return [alert["subject"] for alert in await listed(caller, **query)]


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.MANAGER)


async def test_a_condition_that_is_seen_again_raises_no_second_alert_and_changes_nothing(
    app: RunningApp, manager: SignedIn
) -> None:
    assert await raised(app, "model/a", "The first time.")
    before = await listed(manager)
    assert not await raised(app, "model/a", "The second time.")
    assert await listed(manager) == before
    assert [alert["message"] for alert in before] == ["The first time."]


async def test_of_processes_that_see_a_condition_at_once_one_raises_the_alert(
    app: RunningApp, manager: SignedIn
) -> None:
    answers = await asyncio.gather(*(raised(app, "model/a") for _ in range(8)))
    assert sorted(answers) == [False] * 7 + [True]
    assert len(await listed(manager)) == 1


async def test_one_alert_is_open_for_each_subject(app: RunningApp, manager: SignedIn) -> None:
    for subject in ("", "model/a", "model/b"):
        assert await raised(app, subject)
    await cleared(app, "model/a")
    assert await subjects(manager, open="true") == ["model/b", ""]
    assert await subjects(manager, open="false") == ["model/a"]
    assert await subjects(manager) == ["model/b", "model/a", ""]


async def test_what_comes_back_after_it_was_over_is_a_new_alert(
    app: RunningApp, manager: SignedIn
) -> None:
    await raised(app, "model/a")
    await cleared(app)
    assert await raised(app, "model/a")
    found = await listed(manager)
    assert [alert["clearedAt"] is None for alert in found] == [True, False]


async def test_alerts_come_in_pages_the_newest_first(app: RunningApp, manager: SignedIn) -> None:
    for number in range(5):
        await raised(app, f"model/{number}")
    seen, cursor = [], None
    while True:
        page = await manager.found(PATH, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [alert["subject"] for alert in page["items"]]
        if (cursor := page["nextCursor"]) is None:
            break
    assert seen == [f"model/{number}" for number in reversed(range(5))]


async def test_who_has_seen_an_alert_is_said_and_the_first_name_stays(
    app: RunningApp, manager: SignedIn
) -> None:
    admin = await sign_in(app, Role.ADMIN, name="Ada")
    await raised(app, "model/a")
    [alert] = await listed(manager)
    path = f"{PATH}/{alert['id']}/acknowledge"

    first = (await admin.post(path)).json()
    second = (await manager.post(path)).json()

    assert (first["acknowledgedBy"], first["acknowledgedByName"]) == (str(admin.user_id), "Ada")
    assert first["acknowledgedAt"] is not None
    assert first["clearedAt"] is None
    assert second == first == (await listed(manager))[0]
    traces = await rows(app, "SELECT * FROM audit_log WHERE action = 'alert.acknowledged'")
    assert [(trace["actor_id"], trace["subject_id"]) for trace in traces] == [
        (admin.user_id, alert["id"])
    ]


async def test_an_acknowledgement_again_with_the_same_key_is_answered_as_it_was(
    app: RunningApp, manager: SignedIn
) -> None:
    await raised(app, "model/a")
    [alert] = await listed(manager)
    path = f"{PATH}/{alert['id']}/acknowledge"
    first = await manager.post(path, key="k-1")
    again = await manager.post(path, key="k-1")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")


async def test_alerts_are_seen_by_managers_and_programs_and_acknowledged_by_people(
    app: RunningApp,
) -> None:
    await raised(app, "model/a")
    service = await sign_in(app, Role.SERVICE)
    [alert] = await listed(service)
    path = f"{PATH}/{alert['id']}/acknowledge"
    chatter = await sign_in(app, Role.CHATTER)
    assert (await chatter.get(PATH)).status_code == 403
    assert (await chatter.post(path)).status_code == 403
    assert (await service.post(path)).status_code == 403
    assert (await (await sign_in(app, Role.MANAGER)).post(path)).status_code == 200


async def test_an_alert_about_a_creator_is_for_those_who_may_act_for_them(
    app: RunningApp, manager: SignedIn
) -> None:
    mia = await conversation(manager, creator="mia", said=())
    theo = await conversation(manager, creator="theo", said=())
    about_theo = creator_subject(theo_id := _uuid(theo.creator_id))
    for subject in (
        "",
        creator_subject(_uuid(mia.creator_id)),
        about_theo,
        channel_subject(theo_id, "simulator"),
    ):
        await raised(app, subject)
    own = await sign_in(app, Role.MANAGER, creators=["mia"])
    assert await subjects(own) == [f"creator/{mia.creator_id}", ""]
    assert len(await subjects(manager)) == 4
    foreign = [alert for alert in await listed(manager) if theo.creator_id in alert["subject"]]
    assert len(foreign) == 2
    for alert in foreign:
        assert (await own.post(f"{PATH}/{alert['id']}/acknowledge")).status_code == 404
        assert (await manager.post(f"{PATH}/{alert['id']}/acknowledge")).status_code == 200
    traces = await rows(app, "SELECT creator_id FROM audit_log WHERE action = 'alert.acknowledged'")
    assert {str(trace["creator_id"]) for trace in traces} == {theo.creator_id}


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)


async def test_what_is_no_alert_or_no_answer_to_open_is_refused(manager: SignedIn) -> None:
    assert (await manager.post(f"{PATH}/{NOWHERE}/acknowledge")).status_code == 404
    for path, query in ((f"{PATH}", {"open": "perhaps"}), (f"{PATH}", {"cursor": "x"})):
        response = await manager.get(path, **query)
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == list(query)
    assert (await manager.post(f"{PATH}/1/acknowledge")).status_code == 422


def with_models(url: str, database_url: str, home: Path, drafts: str, checks: str) -> Settings:
    """Settings for a local server of models."""
    models = {"ai_model": drafts, "ai_model_checker": checks}
    return settings(database_url, home, openai_base_url=url, ai_max_retries=0, **models)


async def test_a_draft_by_a_model_without_a_price_raises_an_alert_that_says_where_to_put_one(
    database_url: str, home: Path
) -> None:
    with serve_llm_stub() as stub:
        local = f"{stub.url}/v1"
        own = with_models(local, database_url, home, UNKNOWN, "claude-haiku-5-5")
        async with running_app(own) as app:
            manager = await sign_in(app, Role.MANAGER)
            talk = await conversation(manager)
            for _ in range(2):
                await manager.made("/api/ai/generate", talk.asks())
            [alert] = await listed(manager, open="true")
            assert (alert["kind"], alert["severity"]) == ("unknown_model", "warning")
            assert (alert["subject"], alert["details"]) == (
                model_subject(UNKNOWN),
                {"model": UNKNOWN},
            )
            assert UNKNOWN in alert["message"]
            assert "dearest" in alert["message"]
            assert "models.toml" in alert["message"]
        # As long as a process is set up with it, the alert is not over.
        async with running_app(own) as app:
            assert len(await listed(await sign_in(app, Role.MANAGER), open="true")) == 1
        checks = with_models(local, database_url, home, "claude-sonnet-5-5", UNKNOWN)
        async with running_app(checks) as app:
            assert len(await listed(await sign_in(app, Role.MANAGER), open="true")) == 1
        known = with_models(local, database_url, home, "claude-sonnet-5-5", "claude-haiku-5-5")
        async with running_app(known) as app:
            manager = await sign_in(app, Role.MANAGER)
            assert await listed(manager, open="true") == []
            [over] = await listed(manager, open="false")
            assert over["id"] == alert["id"]


async def test_drafts_without_a_model_and_drafts_by_a_known_one_raise_nothing(
    app: RunningApp, claude: RunningApp
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await manager.made("/api/ai/generate", talk.asks())
    here = await sign_in(app, Role.MANAGER)
    await here.made("/api/ai/generate", talk.asks())
    # No model is even asked for an offer to somebody who may be a minor.
    care = {"creatorId": talk.creator_id, "care": "possible_minor", "reason": "says he is 16"}
    await here.made(f"/api/conversations/{talk.conversation_id}/care", care)
    await here.made("/api/ai/generate", talk.asks("ppv_offer"))
    models = await rows(app, "SELECT DISTINCT model FROM ai_message_generations ORDER BY model")
    assert [row["model"] for row in models] == ["claude-sonnet-5-5", "none", "retrieval"]
    about_models = [one for one in await listed(here) if one["kind"] != "fan_needs_care"]
    assert about_models == []
