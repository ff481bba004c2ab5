"""The personality editor in a real browser: what is typed stays, is counted, saved and tried."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.app import RunningApp
from tests.support.chromium import chromium, complaints_of, stage
from tests.support.world import conversation, sign_in
from vaultcrm.domain.people import Role

__all__ = ["chromium"]


async def fill(running: RunningApp) -> str:
    """A creator with a voice and a conversation; the path of the page."""
    mary = await sign_in(running, Role.MANAGER, name="Mary")
    await sign_in(running, Role.MANAGER, name="Jo")
    talk = await conversation(mary, said=["Hello!"])
    await conversation(mary, fan="ann", said=["Good morning!"])
    voice = {"creatorId": talk.creator_id, "toneDescriptors": ["dry"], "emojiStyle": "none"}
    await mary.made("/api/ai/personality", voice)
    return f"/personalities/{talk.creator_id}"


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.querySelector('main').scrollWidth <= innerWidth"))


def test_what_is_typed_is_counted_outlives_a_reload_is_tried_saved_and_taken_back(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        path = on_stage.beside(fill)
        with on_stage.person("Jo", chromium) as page:
            complaints = complaints_of(page)
            page.goto(on_stage.base + path)
            tone = page.get_by_label("Tone")
            words = page.get_by_label("Forbidden words")
            unsaved = page.get_by_text("Not saved yet")
            expect(unsaved).to_be_hidden()
            tone.fill("dry\nsalty\n\n salty ")
            page.get_by_label("Emoji").select_option("frequent")
            expect(page.locator("#tone_descriptors-count")).to_have_text("2")
            expect(page.locator("#voice-size")).to_have_text(str(3 + 3 + 5 + 3))
            expect(unsaved).to_be_visible()

            page.reload()
            expect(tone).to_have_value("dry\nsalty\n\n salty ")
            expect(page.get_by_label("Emoji")).to_have_value("frequent")

            page.get_by_label("Conversation with").fill("an")
            expect(page.get_by_role("radio")).to_have_count(1)
            page.get_by_role("button", name="Try it").click()
            expect(page.get_by_role("article", name="With your changes")).to_be_visible()

            words.focus()
            words.press("Control+Enter")
            expect(page.get_by_role("status").get_by_text("Saved as version 2.")).to_be_visible()
            expect(words).to_be_focused()
            expect(tone).to_have_value("dry\nsalty")
            expect(unsaved).to_be_hidden()

            page.get_by_role("link", name="Version 1").click()
            expect(page.get_by_text("taken out: salty")).to_be_attached()
            page.get_by_role("button", name="Roll back to this").click()
            expect(page.get_by_text("Version 3 is saved and equal to version 1.")).to_be_visible()
            expect(page.get_by_label("Emoji")).to_have_value("none")
            expect(tone).to_have_value("dry")
            page.get_by_role("button", name="Undo").click()
            expect(tone).to_have_value("dry\nsalty")
            assert complaints == []


def test_what_was_typed_over_a_version_that_was_replaced_can_be_brought_back(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        path = on_stage.beside(fill)
        with (
            on_stage.person("Jo", chromium) as page,
            on_stage.person("Mary", chromium) as other,
        ):
            page.goto(on_stage.base + path)
            page.get_by_label("Instructions").fill("She films the sea.")
            back = page.get_by_role("button", name="Bring back what you typed")
            expect(back).to_be_hidden()
            other.goto(on_stage.base + path)
            other.get_by_label("Tone").fill("warm")
            other.get_by_role("button", name="Save version 2").click()
            other.get_by_text("Saved as version 2").wait_for()

            page.reload()
            expect(page.get_by_label("Instructions")).to_have_value("")
            back.click()
            expect(page.get_by_label("Instructions")).to_have_value("She films the sea.")
            expect(page.get_by_label("Tone")).to_have_value("warm")
            expect(back).to_be_hidden()


def test_who_comes_too_late_sees_both_and_saves_on(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        path = on_stage.beside(fill)
        with (
            on_stage.person("Jo", chromium, viewport={"width": 390, "height": 844}) as page,
            on_stage.person("Mary", chromium) as other,
        ):
            page.goto(on_stage.base + path)
            assert fits(page)
            page.get_by_label("Instructions").fill("She films the sea.")
            other.goto(on_stage.base + path)
            other.get_by_label("Tone").fill("warm")
            other.get_by_role("button", name="Save version 2").click()
            other.get_by_text("Saved as version 2").wait_for()

            page.get_by_role("button", name="Save version 2").click()
            expect(page.get_by_text("Mary saved version 2")).to_be_visible()
            expect(page.get_by_label("Instructions")).to_have_value("She films the sea.")
            expect(page.get_by_label("Tone")).to_have_value("warm")
            assert fits(page)
            page.reload()
            page.get_by_role("button", name="Bring back what you typed").click()
            page.get_by_role("button", name="Save version 3").click()
            expect(page.get_by_role("status").get_by_text("Saved as version 3.")).to_be_visible()
            expect(page.get_by_label("Tone")).to_have_value("warm")
