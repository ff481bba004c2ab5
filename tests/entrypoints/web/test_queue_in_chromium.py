"""The approval queue by keyboard, side by side, and through a restart, in a real browser."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, Request, Route, expect

from tests.support.app import RunningApp
from tests.support.chromium import chromium, complaints_of, stage
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role

__all__ = ["chromium"]


async def add_people(running: RunningApp) -> None:
    await sign_in(running, Role.MANAGER, name="Jo")
    await sign_in(running, Role.MANAGER, name="Ann")


def with_drafts(count: int) -> Callable[[RunningApp], Awaitable[None]]:
    """So many people's first drafts, each of a fan of their own, all from one template."""

    async def fill(running: RunningApp) -> None:
        await add_people(running)
        mary = await sign_in(running, Role.MANAGER, name="Mary")
        for number in range(count):
            talk = await conversation(mary, fan=f"fan{number:02}")
            if number == 0:
                await mary.post(
                    "/api/templates",
                    {
                        "creatorId": talk.creator_id,
                        "category": "welcome",
                        "name": "hello",
                        "templateText": "Welcome, {fan_name}!",
                    },
                )
            await mary.made("/api/ai/generate", talk.asks("welcome"))

    return fill


async def sent_texts(running: RunningApp) -> list[str]:
    return [row["text"] for row in await rows(running, "SELECT text FROM outbox ORDER BY id")]


def note(decided: list[str], request: Request) -> None:
    if request.method == "POST":
        decided.append(request.url)


def open_fan(page: Page) -> str:
    return page.locator(".card[data-open] b").inner_text()


def test_ten_drafts_are_approved_by_keyboard_alone_one_request_each(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(12))
        with on_stage.person("Jo", chromium) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/")
            decided: list[str] = []
            loaded: list[str] = []
            page.on("request", lambda request: note(decided, request))
            page.on("load", lambda loaded_page: loaded.append(loaded_page.url))
            fans = []
            for _ in range(10):
                fans.append(open_fan(page))
                page.keyboard.press("a")
                expect(page.locator(".card[data-open] b")).not_to_have_text(fans[-1])

            assert len(decided) == len(set(decided)) == 10
            assert loaded == []
            assert complaints == []
        texts = on_stage.beside(sent_texts)

    assert texts == [f"Welcome, {fan}!" for fan in fans]


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Until the requests and answers of a page, which this thread alone hears of, are as wanted."""
    for _ in range(1_000):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError("waited in vain")


def test_what_was_asked_of_a_draft_before_the_next_one_came_says_nothing_of_that_one(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(3))
        with on_stage.person("Jo", chromium) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/queue")
            held: list[Route] = []
            follows = re.compile(r"/queue/(list|[^/]+/state)\?")
            page.route(
                follows, lambda route: held.append(route) if len(held) < 2 else route.continue_()
            )
            first = open_fan(page)
            page.evaluate("htmx.trigger('#live', 'changed')")
            until(page, lambda: len(held) == 2)
            page.keyboard.press("a")
            expect(page.locator(".card[data-open] b")).not_to_have_text(first)
            second = open_fan(page)

            answered: list[str] = []
            page.on("requestfinished", lambda request: answered.append(request.url))
            for route in held:
                route.continue_()
            # Each is answered, left out, and asked for anew.
            until(page, lambda: len([url for url in answered if follows.search(url)]) == 4)

            expect(page.locator(".card[data-open] b")).to_have_text(second)
            expect(page.locator("#state [role=alert]")).to_have_count(0)
            assert complaints == []


def test_the_draft_that_was_chosen_last_is_the_one_that_opens(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(3))
        with on_stage.person("Jo", chromium) as page:
            page.goto(f"{on_stage.base}/queue")
            names = page.locator(".card b").all_inner_texts()
            held: list[Route] = []
            page.route(
                re.compile(r"/queue\?.*draft="),
                lambda route: route.continue_() if held else held.append(route),
            )
            page.locator(".card b", has_text=names[1]).click()
            until(page, lambda: len(held) == 1)
            page.locator(".card b", has_text=names[2]).click()
            expect(page.locator(".card[data-open] b")).to_have_text(names[2])

            with suppress(Error):  # it was given up
                held[0].continue_()

            page.wait_for_timeout(500)
            assert open_fan(page) == names[2]


def test_two_people_on_one_queue_see_each_other_and_never_decide_the_same_draft(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(3))
        with on_stage.person("Jo", chromium) as jo, on_stage.person("Ann", chromium) as ann:
            jo.goto(f"{on_stage.base}/queue")
            ann.goto(f"{on_stage.base}/queue")
            theirs, mine = open_fan(jo), open_fan(ann)
            assert theirs != mine
            expect(ann.locator(".card", has_text=theirs)).to_contain_text("being reviewed by Jo")
            expect(jo.locator(".card", has_text=mine)).to_contain_text("being reviewed by Ann")

            jo.keyboard.press("a")

            expect(ann.locator(".card", has_text=theirs)).to_have_count(0)
            assert open_fan(ann) == mine
            ann.keyboard.press("a")
            expect(ann.locator(".card")).to_have_count(1)
        texts = on_stage.beside(sent_texts)

    assert sorted(texts) == sorted([f"Welcome, {theirs}!", f"Welcome, {mine}!"])


def test_what_is_typed_outlives_a_restart_and_is_sent_when_the_server_is_back(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(1))
        with on_stage.person("Jo", chromium) as page:
            page.goto(f"{on_stage.base}/queue")
            page.keyboard.press("e")
            page.get_by_label("Message").fill("Welcome! I had to start")
            on_stage.stop()
            page.keyboard.type(" over.")
            expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=15_000)
            page.keyboard.press("Control+Enter")
            expect(page.locator("#trouble")).to_contain_text("what you typed is kept")
            expect(page.get_by_label("Message")).to_have_value("Welcome! I had to start over.")

            on_stage.start()

            expect(page.get_by_text("The connection is lost.")).to_be_hidden(timeout=30_000)
            page.reload()
            expect(page.get_by_label("Message")).to_have_value("Welcome! I had to start over.")
            page.get_by_label("Message").press("Control+Enter")
            expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
            assert page.evaluate("Object.keys(localStorage)") == []
        texts = on_stage.beside(sent_texts)

    assert texts == ["Welcome! I had to start over."]


def test_a_draft_that_the_fan_overtakes_while_it_is_edited_says_so_and_keeps_the_edit(
    database_url: str, home: Path, chromium: Browser
) -> None:
    async def write(running: RunningApp) -> None:
        found = await rows(running, "SELECT creator_id, id FROM conversations")
        eve = await sign_in(running, Role.MANAGER, name="Eve")
        await eve.made(
            f"/api/conversations/{found[0]['id']}/messages",
            {
                "creatorId": str(found[0]["creator_id"]),
                "id": "later-1",
                "from": "fan",
                "text": "Wait, forget it.",
            },
        )

    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(1))
        with on_stage.person("Jo", chromium) as page:
            page.goto(f"{on_stage.base}/queue")
            page.keyboard.press("e")
            page.get_by_label("Message").fill("Welcome, dear.")

            on_stage.beside(write)

            expect(page.locator("#state")).to_contain_text("Wait, forget it.", timeout=15_000)
            expect(page.get_by_label("Message")).to_have_value("Welcome, dear.")
            expect(page.get_by_label("Message")).to_be_focused()
            page.keyboard.press("Control+Enter")
            button = page.get_by_role("button", name="Send my version all the same")
            expect(button).to_be_visible()
            expect(page.get_by_label("Message")).to_have_value("Welcome, dear.")
            assert on_stage.beside(sent_texts) == []
            button.click()
            expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
        texts = on_stage.beside(sent_texts)

    assert texts == ["Welcome, dear."]


def test_everything_on_the_page_is_in_the_list_of_keys_and_the_palette(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(2))
        with on_stage.person("Jo", chromium) as page:
            page.goto(f"{on_stage.base}/queue")
            page.keyboard.press("?")
            keys = page.get_by_role("dialog", name="Keys")
            for told in ("Approve and next", "Edit", "Reject", "Snooze", "Go to Inbox"):
                expect(keys).to_contain_text(told)
            page.keyboard.press("Escape")
            expect(keys).to_be_hidden()

            page.keyboard.press("Control+k")
            page.keyboard.type("fan01")
            expect(page.get_by_role("option").first).to_contain_text("Fan01")
            page.keyboard.press("Enter")

            page.wait_for_url("**/conversations/*")
            _go(page, "g", "a")
            page.wait_for_url("**/queue?*")


def _go(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_first_page_takes_few_requests_and_little_script(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(with_drafts(1))
        with on_stage.person("Jo", chromium) as page:
            page.goto("about:blank")  # what signing in has opened asks for nothing any more
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"{on_stage.base}/queue")
            page.wait_for_timeout(500)

            assert len(asked) <= 12, asked
            assert all(url.startswith(on_stage.base) for url in asked)
