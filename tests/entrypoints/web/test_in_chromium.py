"""The console in a real browser, over a real socket, as people use it."""

from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.app import RunningApp
from tests.support.chromium import chromium, complaints_of, stage
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows.manage_team import set_password

__all__ = ["chromium"]

PASSWORD = "four words are enough"


async def fill(running: RunningApp) -> None:
    """Two waiting drafts, and a chatter."""
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


@pytest.mark.parametrize("width", [1440, 390])
def test_a_chatter_signs_in_approves_one_draft_edits_another_and_both_are_gone(
    database_url: str, home: Path, chromium: Browser, width: int
) -> None:
    size = {"width": width, "height": 844}
    with stage(database_url, home) as on_stage:
        on_stage.beside(fill)
        with on_stage.person("Jo", chromium, viewport=size) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/")
            draft = page.get_by_role("article", name="Draft")
            draft.get_by_role("paragraph").get_by_text("Welcome, <b>Tom</b>!").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.get_by_role("button", name="Approve and next").click()

            page.get_by_role("status").get_by_text("Approved.").wait_for()
            draft.get_by_role("paragraph").get_by_text("Welcome, عبد الرحمن!").wait_for()
            assert not page.get_by_role("button", name="Approve my version and next").is_visible()
            draft.locator("summary", has_text="Edit").click()
            assert not page.get_by_role("button", name="Approve and next").is_visible()
            page.get_by_label("Message").fill("Welcome,\nso good to have you!")
            page.get_by_role("button", name="Approve my version and next").click()

            page.get_by_role("heading", name="Nothing waits for you").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert complaints == []

        async def sent(running: RunningApp) -> list[str]:
            return [row["text"] for row in await rows(running, "SELECT text FROM outbox")]

        texts = on_stage.beside(sent)

    assert sorted(texts) == [
        "Welcome,\nso good to have you!",
        "Welcome, <b>Tom</b>!",
    ]


def test_the_console_needs_no_other_address(
    database_url: str, home: Path, chromium: Browser
) -> None:
    """Whatever the first page asks for comes from the server itself, and all of it is there."""
    with stage(database_url, home) as on_stage, chromium.new_context() as context:
        base = on_stage.base
        page = context.new_page()
        asked: list[tuple[str, int]] = []
        page.on("response", lambda response: asked.append((response.url, response.status)))

        page.goto(f"{base}/sign-in", wait_until="networkidle")

        paths = {httpx2.URL(url).path for url, _ in asked}
        assert {"/sign-in", "/static/console.css"} <= paths
        assert all(url.startswith(base) and status == 200 for url, status in asked), asked


def test_a_day_begins_with_a_password_and_goes_on_by_keyboard(
    database_url: str, home: Path, chromium: Browser
) -> None:
    """Sign in, have a reply drafted, edit and send it, then decide on what waits."""

    async def begin(running: RunningApp) -> None:
        await fill(running)
        eve = await sign_in(running, Role.MANAGER, name="Eve")
        await conversation(eve, fan="newest")
        parts = running.parts
        await set_password(parts.pool, "jo@example.com", PASSWORD, parts.now())

    with (
        stage(database_url, home) as on_stage,
        chromium.new_context(viewport={"width": 1440, "height": 900}) as context,
    ):
        on_stage.beside(begin)
        page = context.new_page()
        complaints = complaints_of(page)
        page.goto(f"{on_stage.base}/inbox")
        expect(page.get_by_label("E-mail")).to_be_focused()
        page.keyboard.type("jo@example.com")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/inbox")

        page.keyboard.press("j")
        expect(page.locator("#fan h2")).to_have_text("Newest")
        page.locator("select[name=generation_type]").select_option("welcome")
        page.keyboard.press("d")
        draft = page.get_by_role("article", name="Draft")
        expect(draft.get_by_role("button", name="Send draft")).to_be_visible()
        page.keyboard.press("e")
        expect(draft.get_by_role("textbox").first).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.type(" Tell me all.")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("approved and on its way")).to_be_visible()

        page.keyboard.press("g")
        page.keyboard.press("a")
        page.wait_for_url("**/queue?*")
        fan = page.locator(".card[data-open] b").inner_text()
        page.keyboard.press("a")
        expect(page.locator(".card", has_text=fan)).to_have_count(0)
        assert complaints == []

        async def sent(running: RunningApp) -> list[str]:
            return [row["text"] for row in await rows(running, "SELECT text FROM outbox")]

        texts = on_stage.beside(sent)

    assert len(texts) == 2
    assert sum(text.endswith(" Tell me all.") for text in texts) == 1
