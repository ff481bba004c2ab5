"""The console in a real browser, over a real socket, as people use it."""

import asyncio
import shutil
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.asgi import create_app
from vaultcrm.settings import Settings
from vaultcrm.workflows.manage_people import sign_in_link

T = TypeVar("T")

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine: bash .ci/system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def served(wanted: Settings, listener: socket.socket) -> Iterator[None]:
    """The application behind a socket for as long as the block runs."""
    config = uvicorn.Config(create_app(wanted), log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


async def fill(running: RunningApp) -> str:
    """Two waiting drafts; the link that signs their chatter in."""
    mary = await sign_in(running, Role.MANAGER, name="Mary")
    await sign_in(running, Role.CHATTER, name="Jo")
    for number, fan in enumerate(("<b>Tom</b>", "عبد الرحمن")):
        talk = await conversation(mary, fan=f"fan{number}", value_minor=250_000 * (1 - number))
        await rows(
            running,
            "UPDATE fans SET display_name = %(fan)s WHERE id = %(id)s",
            fan=fan,
            id=talk.fan_id,
        )
        await mary.post(
            "/api/templates",
            {
                "creatorId": talk.creator_id,
                "category": "welcome",
                "name": f"hello {number}",
                "templateText": "Welcome, {fan_name}!",
            },
        )
        await mary.made("/api/ai/generate", talk.asks("welcome"))
    parts = running.parts
    return await sign_in_link(parts.pool, parts.settings, "jo@example.com", parts.now())


def beside(work: Callable[[], Coroutine[None, None, T]]) -> T:
    """Run something in another thread, as Playwright keeps an event loop of its own in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def complaints_of(page: Page) -> list[str]:
    """What the browser's console and its errors will say from now on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.mark.parametrize("width", [1440, 390])
def test_a_chatter_signs_in_approves_one_draft_edits_another_and_both_are_gone(
    database_url: str, home: Path, chromium: Browser, width: int
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    wanted = settings(database_url, home, vaultcrm_base_url=base)

    async def prepare() -> str:
        async with running_app(wanted) as running:
            return await fill(running)

    link = beside(prepare)
    with served(wanted, listener), chromium.new_context() as context:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 844})
        complaints = complaints_of(page)

        page.goto(link)
        draft = page.get_by_role("article", name="Draft")
        draft.get_by_role("paragraph").get_by_text("Welcome, <b>Tom</b>!").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Approve and next").click()

        page.get_by_role("status").get_by_text("Approved.").wait_for()
        draft.get_by_role("paragraph").get_by_text("Welcome, عبد الرحمن!").wait_for()
        assert not page.get_by_role("button", name="Approve my version and next").is_visible()
        draft.get_by_text("Edit", exact=True).click()
        assert not page.get_by_role("button", name="Approve and next").is_visible()
        page.get_by_label("Message").fill("Welcome,\nso good to have you!")
        page.get_by_role("button", name="Approve my version and next").click()

        page.get_by_role("heading", name="Nothing waits for you").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert complaints == []

    async def sent() -> list[str]:
        async with running_app(wanted) as running:
            return [row["text"] for row in await rows(running, "SELECT text FROM outbox")]

    assert sorted(beside(sent)) == [
        "Welcome,\nso good to have you!",
        "Welcome, <b>Tom</b>!",
    ]


def test_the_console_needs_no_other_address(
    database_url: str, home: Path, chromium: Browser
) -> None:
    """Whatever the first page asks for comes from the server itself, and all of it is there."""
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with (
        served(settings(database_url, home, vaultcrm_base_url=base), listener),
        chromium.new_context() as context,
    ):
        page = context.new_page()
        asked: list[tuple[str, int]] = []
        page.on("response", lambda response: asked.append((response.url, response.status)))

        page.goto(f"{base}/sign-in", wait_until="networkidle")

        paths = {httpx2.URL(url).path for url, _ in asked}
        assert {"/sign-in", "/static/console.css"} <= paths
        assert all(url.startswith(base) and status == 200 for url, status in asked), asked
