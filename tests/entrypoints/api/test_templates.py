"""Templates over the API: changed, put away and taken back."""

from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, conversation, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def hello(manager: SignedIn, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body that made a template, and the template."""
    talk = await conversation(manager)
    body = {
        "creatorId": talk.creator_id,
        "name": "hello",
        "category": "welcome",
        "language": "en",
        "templateText": "Hey {fan_name|you}!",
        "priceMinor": None,
    } | more
    return body, await manager.made("/api/templates", body)


async def test_a_template_is_changed_by_whoever_has_seen_its_last_version(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body, made = await hello(manager)
    path = f"/api/templates/{made['id']}"
    wanted = {**body, "templateText": "Welcome, {fan_name}!", "priceMinor": 500}

    changed = await manager.made(path, {**wanted, "seen": made["updatedAt"]})
    late = await manager.post(path, {**wanted, "seen": made["updatedAt"]})

    assert (changed["templateText"], changed["priceMinor"]) == ("Welcome, {fan_name}!", 500)
    assert (late.status_code, late.json()["type"]) == (409, "/problems/conflict")
    again = await manager.made(path, {**wanted, "name": "hi", "seen": changed["updatedAt"]})
    assert again["name"] == "hi"


async def test_an_archived_template_leaves_the_list_and_comes_back(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body, made = await hello(manager)
    path, mine = f"/api/templates/{made['id']}", {"creatorId": body["creatorId"]}

    assert (await manager.made(f"{path}/archive", mine))["archivedAt"] is not None
    assert (await manager.found("/api/templates"))["items"] == []
    taken = await manager.post("/api/templates", body)
    assert (taken.status_code, "archived template" in taken.text) == (409, True)
    assert (await manager.made(f"{path}/restore", mine))["archivedAt"] is None
    assert len((await manager.found("/api/templates"))["items"]) == 1


async def test_a_text_whose_variables_nobody_can_fill_in_is_refused_with_the_place(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body, _ = await hello(manager)
    text = "Hi {fan_nme},\nonly {discount} off {"

    refused = await manager.post("/api/templates", {**body, "name": "x", "templateText": text})

    assert refused.status_code == 422
    errors = refused.json()["errors"]
    assert [error["field"] for error in errors] == ["templateText"] * 3
    assert errors[0]["reason"].startswith("character 4: there is no variable {fan_nme}: did you")
    assert errors[1]["reason"].startswith("line 2, character 6: there is no variable {discount}")
    assert errors[2]["reason"].startswith("line 2, character 21: “{” is not closed")


async def test_only_managers_of_the_creator_change_a_template(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body, made = await hello(manager)
    await conversation(manager, creator="theo")
    chatter = await sign_in(app, Role.CHATTER)
    other = await sign_in(app, Role.MANAGER, creators=["theo"])
    path, mine = f"/api/templates/{made['id']}", {"creatorId": body["creatorId"]}
    writes = {path: {**body, "seen": made["updatedAt"]}, f"{path}/archive": mine}

    for at, sent in (writes | {f"{path}/restore": mine}).items():
        assert (await chatter.post(at, sent)).status_code == 403
        assert (await other.post(at, sent)).status_code == 404
    theirs = {**mine, "creatorId": (await other.found("/api/creators"))["items"][0]["id"]}
    assert (await other.post(f"{path}/archive", theirs)).status_code == 404
    [kept] = (await manager.found("/api/templates"))["items"]
    assert kept | {"performanceStats": {}} == made | {"performanceStats": {}}
