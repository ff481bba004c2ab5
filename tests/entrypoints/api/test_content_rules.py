"""Content rules over the API: read by those who may, page by page, tried without being saved."""

import json
from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/api/content-rules"


def phrase(talk: Talk, text: str, **more: Any) -> dict[str, Any]:
    """The body that adds a phrase."""
    return {
        "creatorId": talk.creator_id,
        "kind": "phrase",
        "text": text,
        "category": "off_platform_contact",
        "reason": "A rival's name.",
        **more,
    }


async def listed(caller: SignedIn, **asked: Any) -> list[Any]:
    return list((await caller.found(PATH, **asked))["items"])


async def test_a_rule_is_listed_with_who_added_it_until_it_is_removed(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER, name="Mary Manager")
    talk = await conversation(manager)
    made = await manager.made(PATH, phrase(talk, "  Otter   Fans "))

    assert await listed(manager, creatorId=talk.creator_id) == [made]
    assert (made["text"], made["createdBy"]) == ("Otter Fans", "Mary Manager")
    assert (made["tier"], made["scopes"]) == ("block", ["draft", "chatter"])
    gone = await app.client.delete(f"{PATH}/{made['id']}", headers=manager.headers)
    assert gone.status_code == 204
    assert await listed(manager) == []
    back = await manager.made(f"{PATH}/{made['id']}/restore", None)
    assert (back["removedAt"], await listed(manager)) == (None, [made])


async def test_rules_of_all_creators_come_page_by_page(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talks = [await conversation(manager, creator=handle) for handle in ("mia", "theo")]
    for number in range(3):
        for talk in talks:
            await manager.made(PATH, phrase(talk, f"rival {number}"))

    seen, cursor = [], None
    while True:
        page = await manager.found(PATH, limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [(one["creatorId"], one["text"]) for one in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break

    assert seen == [(talk.creator_id, f"rival {n}") for talk in talks for n in range(3)]


async def test_rules_are_for_managers_of_their_creator(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia = await conversation(admin)
    await conversation(admin, creator="theo")
    rule = await admin.made(PATH, phrase(mia, "otterfans"))
    chatter = await sign_in(app, Role.CHATTER)
    stranger = await sign_in(app, Role.MANAGER, creators=["theo"])
    tried = {"creatorId": mia.creator_id, "text": "hello"}

    for caller, refused in ((chatter, 403), (stranger, 404)):
        asked = [
            await caller.get(PATH, creatorId=mia.creator_id),
            await caller.post(PATH, phrase(mia, "another")),
            await caller.post(f"{PATH}/test", tried),
            await caller.post(f"{PATH}/{rule['id']}/restore"),
            await app.client.delete(f"{PATH}/{rule['id']}", headers=caller.headers),
        ]
        assert [one.status_code for one in asked] == [refused] * 5
    assert await listed(admin) == [rule]


async def test_a_text_is_tried_with_the_rules_and_without_and_nothing_is_saved(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    await manager.made(PATH, phrase(talk, "otterfans"))
    await manager.made(
        PATH,
        phrase(talk, "Venmo Girl", kind="exception", category="off_platform_payment"),
    )
    text = "Find me as Venmo Girl on 0tterfans"

    tried = await manager.made(
        f"{PATH}/test", {"creatorId": talk.creator_id, "text": text, "scope": "draft"}
    )

    def found(report: Any) -> list[tuple[str, str]]:
        return [(one["category"], one["matched"]) for one in report["findings"]]

    assert ("off_platform_payment", "Venmo") in found(tried["withoutRules"])
    assert found(tried["withRules"]) == [
        ("obfuscation", "0tterfans"),
        ("off_platform_contact", "0tterfans"),
    ]
    assert await rows(app, "SELECT 1 FROM ai_message_generations") == []


async def test_a_rule_that_is_sent_twice_with_one_key_is_added_once(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    first = await manager.post(PATH, phrase(talk, "otterfans"), key="one")
    again = await manager.post(PATH, phrase(talk, "otterfans"), key="one")
    anew = await manager.post(PATH, phrase(talk, "otterfans"), key="two")

    assert first.json() == again.json()
    assert [one.status_code for one in (first, again, anew)] == [201, 201, 409]


@pytest.mark.parametrize("text", ["\u0000", "a\ud800", "x" * 20_000, "\u200b", "a\nb\tc\x07"])
async def test_no_text_breaks_the_door(app: RunningApp, text: str) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    for kind in ("phrase", "pattern", "exception"):
        answer = await manager.app.client.post(
            PATH,
            content=json.dumps(phrase(talk, text, kind=kind)),
            headers={**manager.headers, "Content-Type": "application/json"},
        )
        assert answer.status_code == 422, answer.text
