"""Importing conversations over HTTP: what `vaultcrm import` takes, from whom, and how much."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/api/import"
NEW = {
    "creatorsNew": 1, "fansNew": 1, "fansChanged": 0, "conversationsNew": 1,
    "conversationsKnown": 0, "messagesNew": 2, "messagesKnown": 0, "purchasesNew": 0,
}  # fmt: skip
COUNTED = "SELECT (SELECT count(*) FROM {}) AS n"


def line(creator: str = "mia", fan: str = "tom88", **more: Any) -> bytes:
    content = {
        "creator": {"handle": creator, "displayName": creator.title()},
        "fan": {"handle": fan, "displayName": fan.title()},
        "messages": [
            {"id": "m1", "from": "fan", "text": "Hey!", "sentAt": "2026-11-01T10:00:00Z"},
            {"id": "m2", "from": "creator", "text": "Hi!", "sentAt": "2026-11-01T10:01:00Z"},
        ],
    }
    return json.dumps(content | more).encode() + b"\n"


async def send(
    caller: SignedIn,
    content: bytes | AsyncIterator[bytes],
    *,
    media_type: str = "application/x-ndjson",
    **headers: str,
) -> httpx2.Response:
    sent = {**caller.headers, "Content-Type": media_type, **headers}
    return await caller.app.client.post(PATH, content=content, headers=sent)


async def imported(caller: SignedIn, content: bytes) -> dict[str, Any]:
    response = await send(caller, content)
    assert response.status_code == 200, response.text
    report: dict[str, Any] = response.json()
    return report


async def count(app: RunningApp, table: str) -> int:
    [found] = await rows(app, COUNTED.format(table))
    return int(found["n"])


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.MANAGER)


@pytest.mark.parametrize(
    "media_type",
    ["application/x-ndjson", "application/jsonl", "text/plain; charset=utf-8", "Text/Plain"],
)
async def test_conversations_come_in_and_the_same_body_again_changes_nothing(
    app: RunningApp, manager: SignedIn, media_type: str
) -> None:
    first = (await send(manager, line(), media_type=media_type)).json()
    again = (await send(manager, line(), media_type=media_type)).json()

    assert first.items() >= {**NEW, "lines": 1, "linesSkipped": 0, "changed": True}.items()
    assert (again["changed"], again["messagesNew"], again["messagesKnown"]) == (False, 0, 2)
    assert (again["creatorsNew"], again["conversationsKnown"]) == (0, 1)
    assert await count(app, "messages") == 2
    [talk] = (await manager.found("/api/conversations"))["items"]
    assert talk["fanHandle"] == "tom88"


async def test_what_an_import_changed_is_in_the_audit_log_with_who_did_it(
    app: RunningApp, manager: SignedIn
) -> None:
    await imported(manager, line())
    await imported(manager, line())
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'conversations.imported'")
    assert trace["actor_id"] == manager.user_id
    assert trace["details"]["messages_new"] == 2


async def test_a_bad_line_is_told_with_its_number_and_reason_and_the_others_come_in(
    app: RunningApp, manager: SignedIn
) -> None:
    bad = line(fan="zoe", messages=[{"id": "m1", "from": "fan", "text": "", "sentAt": "now"}])
    report = await imported(manager, line() + b"{\n\n" + bad + line(fan="ann"))

    assert (report["lines"], report["linesSkipped"], report["conversationsNew"]) == (4, 2, 2)
    assert [problem["line"] for problem in report["problems"]] == [2, 4]
    assert report["moreProblems"] == 0
    fields = [reason["field"] for reason in report["problems"][1]["reasons"]]
    assert fields == ["messages.0.text", "messages.0.sentAt"]
    assert await count(app, "fans") == 2


async def test_of_many_bad_lines_a_hundred_are_told_and_the_others_counted(
    manager: SignedIn,
) -> None:
    report = await imported(manager, b"{\n" * 250)
    assert (report["lines"], report["linesSkipped"]) == (250, 250)
    assert [problem["line"] for problem in report["problems"]] == list(range(1, 101))
    assert report["moreProblems"] == 150


async def test_a_body_without_lines_brings_nothing(manager: SignedIn) -> None:
    for content in (b"", b"\n\n  \n"):
        report = await imported(manager, content)
        assert (report["lines"], report["changed"], report["problems"]) == (0, False, [])


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"null", b"[]", b"17", b'"text"', b"[" * 50_000, b'{"creator": ' + b"9" * 5000],
)
async def test_a_line_that_is_no_conversation_is_a_bad_line_and_no_failure(
    manager: SignedIn, content: bytes
) -> None:
    report = await imported(manager, content)
    assert (report["lines"], report["linesSkipped"]) == (1, 1)
    assert report["problems"][0]["reasons"][0]["reason"]


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/x-www-form-urlencoded", "multipart/mixed", ""]
)
async def test_a_body_that_does_not_say_that_it_is_lines_is_refused(
    app: RunningApp, manager: SignedIn, media_type: str
) -> None:
    response = await send(manager, line(), media_type=media_type)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == "body"
    assert "application/x-ndjson" in error["reason"]
    assert await count(app, "creators") == 0


async def test_a_chatter_imports_nothing(app: RunningApp) -> None:
    chatter = await sign_in(app, Role.CHATTER)
    assert (await send(chatter, line())).status_code == 403
    assert await count(app, "creators") == 0


async def test_a_program_and_an_admin_import_for_any_creator(app: RunningApp) -> None:
    for number, role in enumerate((Role.SERVICE, Role.ADMIN)):
        caller = await sign_in(app, role)
        report = await imported(caller, line(fan=f"fan{number}"))
        assert report["messagesNew"] == 2


async def test_a_manager_imports_only_for_creators_who_are_theirs(
    app: RunningApp, manager: SignedIn
) -> None:
    for handle in ("mia", "theo"):
        await manager.made("/api/creators", {"handle": handle, "displayName": handle})
    own = await sign_in(app, Role.MANAGER, creators=["mia"])

    report = await imported(own, line("mia") + line("theo") + line("mia", "ann"))

    assert (report["conversationsNew"], report["linesSkipped"]) == (2, 1)
    [problem] = report["problems"]
    assert (problem["line"], problem["reasons"][0]["field"]) == (2, "creator.handle")
    found = await rows(
        app, "SELECT DISTINCT c.handle FROM fans f JOIN creators c ON c.id = f.creator_id"
    )
    assert [row["handle"] for row in found] == ["mia"]


async def test_a_creator_whom_a_manager_brings_in_is_theirs_from_then_on(app: RunningApp) -> None:
    await (await sign_in(app, Role.ADMIN)).made(
        "/api/creators", {"handle": "mia", "displayName": "Mia"}
    )
    own = await sign_in(app, Role.MANAGER, creators=["mia"])
    first = await imported(own, line("theo") + line("theo", "ann"))
    again = await imported(own, line("theo") + line("theo", "ann"))
    assert (first["creatorsNew"], first["conversationsNew"], first["linesSkipped"]) == (1, 2, 0)
    assert (again["changed"], again["linesSkipped"]) == (False, 0)
    assert {one["handle"] for one in (await own.found("/api/creators"))["items"]} == {"mia", "theo"}


async def test_a_creator_whom_a_manager_adds_is_theirs_from_then_on(app: RunningApp) -> None:
    own = await sign_in(app, Role.MANAGER, creators=[])
    await own.made("/api/creators", {"handle": "theo", "displayName": "Theo"})
    talk = await conversation(own, creator="theo")
    assert (await own.get(f"/api/conversations/{talk.conversation_id}")).status_code == 200


async def test_the_same_import_with_the_same_key_gets_the_same_answer(manager: SignedIn) -> None:
    first = await send(manager, line(), **{"Idempotency-Key": "k-1"})
    again = await send(manager, line(), **{"Idempotency-Key": "k-1"})
    other = await send(manager, line(fan="ann"), **{"Idempotency-Key": "k-1"})
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert other.status_code == 422


@pytest.mark.parametrize("chunked", [False, True])
async def test_more_than_a_megabyte_comes_in_and_more_than_32_are_refused(
    app: RunningApp, manager: SignedIn, chunked: bool
) -> None:
    async def parts(content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), 500_000):
            yield content[start : start + 500_000]

    message = {"from": "fan", "text": "x" * 9_000, "sentAt": "2026-11-01T10:00:00Z"}
    long = line(messages=[{**message, "id": f"m{number}"} for number in range(200)])
    assert len(long) > 1_500_000
    taken = await send(manager, parts(long) if chunked else long)
    assert (taken.status_code, taken.json()["messagesNew"]) == (200, 200)

    blank = b" " * 32_000_001
    refused = await send(manager, parts(blank) if chunked else blank)
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "/problems/body-too-large"
    assert "32,000,000" in refused.json()["detail"]


async def test_no_connection_is_held_while_a_body_comes_in_slowly(
    app: RunningApp, manager: SignedIn
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield line() + b'{"creator": '
        begun.set()
        await go_on.wait()
        yield b'{"handle": "theo"}}\n'

    importing = asyncio.create_task(send(manager, slowly()))
    await begun.wait()
    stats = app.parts.pool.get_stats()
    assert stats["pool_available"] == stats["pool_size"]
    go_on.set()
    report = (await importing).json()
    assert (report["lines"], report["linesSkipped"], report["conversationsNew"]) == (2, 1, 1)


async def test_the_document_says_what_an_import_takes(app: RunningApp) -> None:
    body = app.app.openapi()["paths"][PATH]["post"]["requestBody"]
    assert set(body["content"]) == {"application/x-ndjson", "application/jsonl", "text/plain"}
    assert "32 MB" in body["description"]
    example = body["content"]["application/jsonl"]["example"]
    report = await imported(await sign_in(app, Role.MANAGER), example.encode())
    assert (report["conversationsNew"], report["linesSkipped"]) == (1, 0)
