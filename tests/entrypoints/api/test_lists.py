"""Lists come in pages, and the pages together hold every row once, whatever happens meanwhile."""

from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def pages(caller: SignedIn, path: str, limit: int, **query: Any) -> list[list[Any]]:
    """All pages of a list, as lists of items."""
    found = []
    cursor: str | None = None
    while True:
        sent = {**query, "limit": limit, **({} if cursor is None else {"cursor": cursor})}
        page = await caller.found(path, **sent)
        assert page.keys() == {"items", "nextCursor"}
        assert len(page["items"]) <= limit
        found.append(page["items"])
        assert page["nextCursor"] is None or page["nextCursor"] != cursor
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def joined(found: list[list[Any]], name: str = "id") -> list[Any]:
    return [item[name] for page in found for item in page]


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    """A manager of two creators with seven fans, conversations and templates in all."""
    caller = await sign_in(app, Role.MANAGER)
    for number in range(7):
        creator = "mia" if number % 2 else "theo"
        talk = await conversation(caller, creator=creator, fan=f"fan{number}", said=())
        template = {
            "creatorId": talk.creator_id, "name": f"t{number}", "templateText": "Hello",
            "category": "welcome" if number % 3 else "reply",
        }  # fmt: skip
        await caller.made("/api/templates", template)
    return caller


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/api/creators", 2),
        ("/api/fans", 7),
        ("/api/conversations", 7),
        ("/api/templates", 7),
    ],
)
async def test_the_pages_of_a_list_hold_every_row_once(
    manager: SignedIn, path: str, count: int, limit: int
) -> None:
    found = await pages(manager, path, limit)
    assert len(joined(found)) == len(set(joined(found))) == count
    assert len(found) == max(1, -(-count // limit))
    assert joined(found) == [item["id"] for item in (await manager.found(path))["items"]]


async def test_the_audit_log_can_be_read_to_its_end_the_newest_first(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    for mode in ("off", "auto", "draft_only", "auto", "off"):
        body = {"creatorId": talk.creator_id, "mode": mode}
        await admin.made(f"/api/conversations/{talk.conversation_id}/mode", body)
    found = await pages(admin, "/api/audit", 2)
    times = joined(found, "at")
    assert times == sorted(times, reverse=True)
    [total] = await rows(app, "SELECT count(*) FROM audit_log")
    assert len(set(joined(found))) == total["count"]


async def test_messages_are_read_backwards_also_those_of_one_moment(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager, said=())
    for number in range(9):
        moment = f"2026-11-01T10:00:0{number // 3}Z"
        await manager.made(talk.messages, talk.says(f"message {number}", sentAt=moment))
    texts = joined(await pages(manager, talk.messages, 2), "text")
    assert sorted(texts) == [f"message {number}" for number in range(9)]
    seconds = [int(text.split()[1]) // 3 for text in texts]
    assert seconds == sorted(seconds, reverse=True)


async def test_conversations_come_latest_first_and_those_without_a_message_last(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talks = [await conversation(manager, fan=f"fan{n}", said=()) for n in range(6)]
    for place, number in enumerate((3, 0, 5)):
        talk = talks[number]
        await manager.made(talk.messages, talk.says("Hi", sentAt=f"2026-11-0{place + 1}T10:00:00Z"))
    found = joined(await pages(manager, "/api/conversations", 2))
    assert found[:3] == [talks[number].conversation_id for number in (5, 0, 3)]
    assert set(found[3:]) == {talks[number].conversation_id for number in (1, 2, 4)}


async def test_a_list_can_be_narrowed_to_one_creator(manager: SignedIn) -> None:
    creators = (await manager.found("/api/creators"))["items"]
    for path in ("/api/fans", "/api/conversations", "/api/templates"):
        parts = [joined(await pages(manager, path, 2, creatorId=one["id"])) for one in creators]
        assert sorted(len(part) for part in parts) == [3, 4]
        assert set(parts[0]).isdisjoint(parts[1])


async def test_the_queue_is_read_to_its_end_although_drafts_leave_it_meanwhile(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    values = (0, 100_000, 40_000, 100_000, 0, 6_000, 0)
    drafts = []
    for number, value in enumerate(values):
        talk = await conversation(manager, fan=f"fan{number}", value_minor=value)
        drafts.append((await manager.made("/api/ai/generate", talk.asks()))["generationId"])

    whole = (await manager.found("/api/ai/queue"))["items"]
    for limit in (1, 2, 3, 7):
        found = joined(await pages(manager, "/api/ai/queue", limit), "generationId")
        assert found == [item["generationId"] for item in whole]
    first = await manager.found("/api/ai/queue", limit=3)
    for item in first["items"]:
        body = {"generationId": item["generationId"], "action": "reject"}
        await manager.made("/api/ai/approve", body)
    rest = await manager.found("/api/ai/queue", limit=200, cursor=first["nextCursor"])

    order = [item["generationId"] for item in whole]
    assert set(order) == set(drafts)
    keys = [(-item["priority"], item["createdAt"]) for item in whole]
    assert keys == sorted(keys)
    seen = [item["generationId"] for item in (*first["items"], *rest["items"])]
    assert seen == order
    assert rest["nextCursor"] is None
