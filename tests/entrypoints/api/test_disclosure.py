"""Wordings of the disclosure over the API, and when a fan was told."""

from typing import Any

import httpx2
import pytest

from tests.support.app import RunningApp
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.disclosure import languages

pytestmark = pytest.mark.anyio


async def put(
    caller: SignedIn, creator_id: str, *, key: str | None = None, **changes: Any
) -> httpx2.Response:
    body = {"creatorId": creator_id, "language": "en", "text": "AI helps here.", "version": 0}
    headers = caller.headers | ({"Idempotency-Key": key} if key else {})
    return await caller.app.client.put("/api/disclosure", json=body | changes, headers=headers)


async def begun(app: RunningApp) -> tuple[SignedIn, str]:
    manager = await sign_in(app, Role.MANAGER)
    made = await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    return manager, str(made["id"])


async def test_every_language_has_a_wording_from_the_start(app: RunningApp) -> None:
    manager, creator_id = await begun(app)
    found = (await manager.found("/api/disclosure", creatorId=creator_id))["items"]
    assert {one["language"]: (one["text"], one["version"]) for one in found} == {
        code: (known.shipped.text, 0) for code, known in languages().items()
    }


async def test_a_wording_is_set_once_for_one_key_and_holds_beside_the_others(
    app: RunningApp,
) -> None:
    manager, creator_id = await begun(app)

    first = await put(manager, creator_id, key="once")
    same = await put(manager, creator_id, key="once")

    assert first.status_code == 200
    assert same.json() == first.json()
    by_language = {one["language"]: one for one in first.json()["items"]}
    assert (by_language["en"]["text"], by_language["en"]["version"]) == ("AI helps here.", 1)
    assert by_language["es"]["version"] == 0
    assert len(await rows(app, "SELECT 1 FROM disclosure_wordings")) == 1


async def test_a_wording_that_was_changed_since_it_was_read_is_not_written_over(
    app: RunningApp,
) -> None:
    manager, creator_id = await begun(app)
    await put(manager, creator_id)
    late = await put(manager, creator_id, text="We write with AI.")
    assert late.status_code == 409
    assert late.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "AI" + "a" * 600}, "text"),
        ({"text": "My team helps me."}, "text"),
        ({"language": "de", "text": "Mein Team hilft."}, "text"),
        ({"language": "xx"}, "language"),
        ({"language": "deu"}, "language"),
        ({"version": -1}, "version"),
    ],
)
async def test_what_is_wrong_with_a_wording_is_told_by_field(
    app: RunningApp, changes: dict[str, Any], field: str
) -> None:
    manager, creator_id = await begun(app)
    refused = await put(manager, creator_id, **changes)
    assert refused.status_code == 422, refused.text
    assert [one["field"] for one in refused.json()["errors"]] == [field]
    assert await rows(app, "SELECT 1 FROM disclosure_wordings") == []


async def test_chatters_read_the_wordings_of_their_creators_and_set_none(app: RunningApp) -> None:
    _, creator_id = await begun(app)
    chatter = await sign_in(app, Role.CHATTER, creators=["mia"])
    stranger = await sign_in(app, Role.CHATTER, creators=[])
    assert (await chatter.get("/api/disclosure", creatorId=creator_id)).status_code == 200
    assert (await put(chatter, creator_id)).status_code == 403
    assert (await stranger.get("/api/disclosure", creatorId=creator_id)).status_code == 404


async def test_a_fans_disclosures_are_told_with_why_and_in_which_words(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager, said=["is this really you?"])
    path = f"/api/conversations/{talk.conversation_id}/disclosure"
    sent = await manager.made(path, {"creatorId": talk.creator_id})
    before = (await manager.found(f"/api/fans/{talk.fan_id}/disclosures"))["items"]
    await time_has_come(app)
    await run_jobs(app)

    [told] = (await manager.found(f"/api/fans/{talk.fan_id}/disclosures"))["items"]

    assert [one["sentAt"] for one in before] == [None]
    assert (told["why"], told["language"], told["wordingVersion"]) == ("asked", "en", 0)
    assert (told["text"], told["deliveryStatus"]) == (sent["text"], "sent")
    assert told["sentAt"] is not None


async def test_nobody_tells_a_fan_who_is_not_theirs(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    stranger = await sign_in(app, Role.CHATTER, creators=[])
    path = f"/api/conversations/{talk.conversation_id}/disclosure"
    assert (await stranger.post(path, {"creatorId": talk.creator_id})).status_code == 404
    assert (await stranger.get(f"/api/fans/{talk.fan_id}/disclosures")).status_code == 404
    assert await rows(app, "SELECT 1 FROM outbox") == []
