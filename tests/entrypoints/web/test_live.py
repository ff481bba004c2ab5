"""Pages hear that something has changed: soon, for their creators alone, and nothing is missed."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.app import RunningApp, running_app
from tests.support.chromium import Stage, stage
from tests.support.world import conversation, set_flag, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.web.frame.sessions import COOKIE
from vaultcrm.workflows.manage_people import sign_in_link

pytestmark = pytest.mark.anyio

SOON = 10.0


async def cookie_of(running: RunningApp, name: str) -> str:
    """The secret of a new session."""
    parts = running.parts
    link = await sign_in_link(
        parts.pool, parts.settings, f"{name.lower()}@example.com", parts.now()
    )
    answer = await running.client.get(link.partition(parts.settings.vaultcrm_base_url)[2])
    return str(answer.cookies[COOKIE])


@asynccontextmanager
async def listening(
    on_stage: Stage, cookie: str, *, seen: str = "", last: str | None = None
) -> AsyncIterator[asyncio.Queue[str]]:
    """The versions that an open page is told of."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    headers = {"Cookie": f"{COOKIE}={cookie}"} | ({} if last is None else {"Last-Event-ID": last})

    async def listen() -> None:
        async with (
            httpx2.AsyncClient(base_url=on_stage.base, timeout=None) as client,
            client.stream("GET", f"/live?seen={seen}", headers=headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    heard.put_nowait(line.removeprefix("id: "))

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()


async def soon(heard: "asyncio.Queue[str]") -> str:
    async with asyncio.timeout(SOON):
        return await heard.get()


async def test_a_page_hears_of_a_message_a_draft_and_a_claim(database_url: str, home: Path) -> None:
    with stage(database_url, home) as on_stage:
        async with running_app(on_stage.settings) as running:
            mary = await sign_in(running, Role.MANAGER, name="Mary")
            talk = await conversation(mary)
            cookie = await cookie_of(running, "Mary")
            async with listening(on_stage, cookie) as heard:
                first = await soon(heard)
                await mary.made(talk.messages, talk.says("Are you there?"))
                after_message = await soon(heard)
                draft = await mary.made("/api/ai/generate", talk.asks("welcome"))
                after_draft = await soon(heard)
                await mary.made("/api/ai/queue/claim", {"generationId": draft["generationId"]})
                after_claim = await soon(heard)

    assert len({first, after_message, after_draft, after_claim}) == 4


async def test_a_page_hears_nothing_of_other_creators(database_url: str, home: Path) -> None:
    with stage(database_url, home) as on_stage:
        async with running_app(on_stage.settings) as running:
            mary = await sign_in(running, Role.MANAGER, name="Mary")
            theirs, ours = await conversation(mary, creator="theo"), await conversation(mary)
            await sign_in(running, Role.CHATTER, name="Jo", creators=["mia"])
            cookie = await cookie_of(running, "Jo")
            async with listening(on_stage, cookie) as heard:
                first = await soon(heard)
                await mary.made(theirs.messages, theirs.says("Hello Theo"))
                await asyncio.sleep(2.5)
                assert heard.empty()
                await mary.made(ours.messages, ours.says("Hello"))
                assert await soon(heard) != first


@pytest.mark.parametrize("creators", [["mia"], []])
async def test_whoever_acts_for_some_or_no_creators_hears_when_all_ai_is_stopped(
    database_url: str, home: Path, creators: list[str]
) -> None:
    with stage(database_url, home) as on_stage:
        async with running_app(on_stage.settings) as running:
            admin = await sign_in(running, Role.ADMIN, name="Mary")
            await conversation(admin)
            await sign_in(running, Role.CHATTER, name="Jo", creators=creators)
            cookie = await cookie_of(running, "Jo")
            page = await running.client.get("/inbox", headers={"Cookie": f"{COOKIE}={cookie}"})
            [seen] = re.findall(r"/live\?seen=(\w[\w-]*)", page.text)
            async with listening(on_stage, cookie, seen=seen) as heard:
                # Who may see the installation's log is told when somebody is added; others are not.
                await sign_in(running, Role.CHATTER, name="Kim")
                await asyncio.sleep(1.5)
                assert heard.empty()
                await set_flag(admin, "ENABLE_AI_CHAT", value=False)
                assert await soon(heard) != seen


async def test_what_changed_while_a_page_was_cut_off_is_told_when_it_is_back(
    database_url: str, home: Path
) -> None:
    with stage(database_url, home) as on_stage:
        async with running_app(on_stage.settings) as running:
            mary = await sign_in(running, Role.MANAGER, name="Mary")
            talk = await conversation(mary)
            cookie = await cookie_of(running, "Mary")
            async with listening(on_stage, cookie) as heard:
                before = await soon(heard)
            async with listening(on_stage, cookie, last=before) as heard:
                await asyncio.sleep(2.5)
                assert heard.empty()
            await mary.made(talk.messages, talk.says("Are you there?"))
            async with listening(on_stage, cookie, last=before) as heard:
                assert await soon(heard) != before


async def test_nobody_listens_without_a_session(app: RunningApp) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://vaultcrm.test/queue?tab=mine"}
    refused = await app.client.get("/live", headers=headers)
    assert refused.status_code == 401
    assert refused.headers["hx-redirect"] == "/sign-in?next=%2Fqueue%3Ftab%3Dmine"
