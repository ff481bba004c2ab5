"""The templates' page in a real browser: what somebody has typed is shown, kept, never mixed up."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.app import RunningApp
from tests.support.chromium import Stage, chromium, complaints_of, stage
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role

__all__ = ["chromium"]


def filled(on_stage: Stage) -> None:
    """Two managers, two fans, and three templates."""

    async def fill(running: RunningApp) -> None:
        mary = await sign_in(running, Role.MANAGER, name="Mary")
        await sign_in(running, Role.MANAGER, name="Jo")
        await conversation(mary, fan="ann")
        talk = await conversation(mary, fan="tom88")
        for name in ("first", "second", "third"):
            body = {"creatorId": talk.creator_id, "category": "reply", "name": name}
            await mary.made("/api/templates", {**body, "templateText": f"{name}: {{fan_name}}"})

    on_stage.beside(fill)


def texts_of(on_stage: Stage) -> list[str]:
    async def read(running: RunningApp) -> list[str]:
        found = await rows(
            running, "SELECT template_text FROM ai_message_templates ORDER BY created_at"
        )
        return [row["template_text"] for row in found]

    return on_stage.beside(read)


def row(page: Page, name: str) -> None:
    """Open a template by its row in the list."""
    page.locator("[data-row]", has_text=name).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_template_is_written_with_the_keyboard_and_previewed_for_the_chosen_fan(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with on_stage.person("Mary", chromium) as page:
            complaints = complaints_of(page)
            bubble, message = page.locator(".bubble"), page.get_by_label("Message")
            page.goto(f"{on_stage.base}/templates")

            page.keyboard.press("n")
            expect(page.get_by_role("heading", level=1)).to_have_text("New template")
            page.get_by_label("Name", exact=True).fill("fourth")
            message.fill("Hi ")
            page.get_by_role("button", name="{fan_name}").click()
            page.keyboard.type("!")
            expect(bubble).to_have_text("Hi Tom88!")
            page.get_by_label("For a fan called").fill("an")
            page.get_by_label("The fan").select_option("Ann")
            expect(bubble).to_have_text("Hi Ann!")
            message.press("End")
            page.keyboard.type(" {last_prchase}")
            expect(page.get_by_text("did you mean {last_purchase}?")).to_be_visible()
            message.fill("Hi {fan_name}!")
            page.keyboard.press("Control+s")
            expect(page.get_by_role("heading", level=1)).to_have_text("fourth")
            expect(page.locator("[data-row][aria-current=true]")).to_contain_text("fourth")

            page.locator("body").press("k")
            page.get_by_label("Find a template").fill("second")
            expect(page.locator("[data-row]")).to_have_count(1)
            expect(page.get_by_label("Find a template")).to_be_focused()
            row(page, "second")
            page.get_by_role("button", name="Archive").click()
            expect(page.get_by_role("button", name="Undo")).to_be_visible()
            page.locator("body").press("u")
            expect(page.get_by_role("status").get_by_text("The template is back.")).to_be_visible()
            assert complaints == []
        assert texts_of(on_stage)[3:] == ["Hi {fan_name}!"]


def test_unsaved_text_outlives_a_reload_and_is_not_saved_over_a_change_that_it_never_saw(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with (
            on_stage.person("Mary", chromium) as page,
            on_stage.person("Jo", chromium) as other,
        ):
            bubble, message = page.locator(".bubble"), page.get_by_label("Message")
            page.goto(f"{on_stage.base}/templates")
            row(page, "first")
            message.fill("Mary's {fan_name}")
            row(page, "second")
            expect(message).to_have_value("second: {fan_name}")
            row(page, "first")
            expect(message).to_have_value("Mary's {fan_name}")

            other.goto(page.url)
            other.get_by_label("Message").fill("Jo's")
            other.keyboard.press("Control+s")
            expect(other.get_by_role("status").get_by_text("Saved.")).to_be_visible()
            page.reload()
            expect(message).to_have_value("Mary's {fan_name}")
            expect(bubble).to_have_text("Mary's Tom88")
            message.press("Control+s")

            expect(page.get_by_text("Somebody else saved this template")).to_be_visible()
            expect(page.locator("blockquote")).to_have_text("Jo's")
            expect(message).to_have_value("Mary's {fan_name}")
            page.get_by_role("link", name="Take theirs and drop mine").click()
            expect(message).to_have_value("Jo's")
            page.reload()
            expect(message).to_have_value("Jo's")
        assert texts_of(on_stage)[0] == "Jo's"
