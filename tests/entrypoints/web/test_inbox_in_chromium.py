"""The inbox in a real browser: a conversation answered by keyboard, and nothing typed is lost."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.support.app import RunningApp
from tests.support.chromium import Stage, chromium, complaints_of, stage
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role

__all__ = ["chromium"]


def filled(on_stage: Stage) -> None:
    """A chatter, three fans who wait, and templates that drafts are made from."""

    async def fill(running: RunningApp) -> None:
        mary = await sign_in(running, Role.MANAGER, name="Mary")
        await sign_in(running, Role.CHATTER, name="Jo")
        talks = [
            await conversation(mary, fan=fan, said=[f"I am {fan}"]) for fan in ("ann", "ben", "cem")
        ]
        for name, price in (("welcome back", None), ("evening set", 2500)):
            body = {
                "creatorId": talks[0].creator_id,
                "category": "reply" if price is None else "ppv_offer",
                "name": name,
                "templateText": f"{name.capitalize()}, {{fan_name}}!",
                "priceMinor": price,
            }
            await mary.made("/api/templates", body)

    on_stage.beside(fill)


def says(on_stage: Stage, fan: str, text: str) -> None:
    """A message of a fan's comes in."""

    async def say(running: RunningApp) -> None:
        mary = await sign_in(running, Role.MANAGER)
        [row] = await rows(
            running,
            "SELECT c.creator_id, c.id FROM conversations c JOIN fans f ON f.id = c.fan_id"
            " WHERE f.handle = %(fan)s",
            fan=fan,
        )
        body = {"creatorId": str(row["creator_id"]), "id": text, "from": "fan", "text": text}
        await mary.made(f"/api/conversations/{row['id']}/messages", body)

    on_stage.beside(say)


def outbox(on_stage: Stage) -> list[tuple[str, int | None]]:
    async def read(running: RunningApp) -> list[tuple[str, int | None]]:
        found = await rows(running, "SELECT text, price_minor FROM outbox ORDER BY id")
        return [(row["text"], row["price_minor"]) for row in found]

    return on_stage.beside(read)


def opened(page: Page, name: str) -> None:
    """Wait until a fan's conversation is open."""
    expect(page.locator("#fan h2")).to_have_text(name)
    expect(page.locator("#list [aria-current=true][data-row]")).to_contain_text(name)


def test_a_conversation_is_answered_by_keyboard_alone(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with on_stage.person("Jo", chromium) as page:
            complaints = complaints_of(page)
            compose = page.get_by_label("Message to", exact=False)
            page.goto(f"{on_stage.base}/inbox?show=waiting")

            page.keyboard.press("j")
            opened(page, "Ann")
            page.keyboard.press("j")
            opened(page, "Ben")
            expect(page.locator("#list [data-row]").nth(1)).not_to_contain_text("unread")

            page.keyboard.press("c")
            page.keyboard.type("Look: /even")
            expect(page.get_by_role("option", name="evening set")).to_be_visible()
            page.keyboard.press("Enter")
            expect(compose).to_have_value("Look: Evening set, Ben!")
            expect(page.get_by_label("Price in USD")).to_have_value("25.00")
            page.keyboard.press("Control+Enter")
            expect(page.locator(".not-yet")).to_contain_text("Look: Evening set, Ben!")
            expect(compose).to_have_value("")
            expect(compose).to_be_focused()

            page.keyboard.press("Escape")
            page.keyboard.press("u")
            expect(compose).to_have_value("Look: Evening set, Ben!")
            expect(compose).to_be_focused()
            assert outbox(on_stage) == []
            compose.fill("")
            page.keyboard.press("Escape")

            page.keyboard.press("d")
            draft = page.get_by_role("article", name="Draft")
            expect(draft).to_contain_text("Welcome back, Ben!")
            expect(page.locator("#writing")).to_be_empty()
            page.keyboard.press("e")
            expect(page.get_by_label("Message", exact=True)).to_be_focused()
            page.keyboard.press("End")
            page.keyboard.type(" Good to see you.")
            page.keyboard.press("Control+s")
            expect(page.get_by_role("status")).to_contain_text("Your version is approved")
            expect(draft).to_have_count(0)

            assert outbox(on_stage) == [("Welcome back, Ben! Good to see you.", None)]
            assert complaints == []


def test_a_draft_is_asked_for_by_keyboard_with_what_it_should_be_and_begins_from_what_was_typed(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with on_stage.person("Jo", chromium) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/inbox?show=waiting")
            page.keyboard.press("j")
            opened(page, "Ann")

            page.keyboard.press("c")
            page.keyboard.type("So good that you are back")
            page.keyboard.press("Escape")
            page.keyboard.press("o")
            expect(page.get_by_label("What it should say")).to_be_focused()
            page.keyboard.type("ask about the exam")
            page.keyboard.press("Tab")
            page.keyboard.type("cal")
            page.keyboard.press("Tab")
            page.keyboard.press("Tab")
            page.keyboard.press("Space")
            page.get_by_label("What it should say").press("Enter")

            draft = page.get_by_role("article", name="Draft")
            expect(draft).to_contain_text(
                "Asked to be: calmer, to say: ask about the exam, "
                "begun with: So good that you are back"
            )
            expect(page.get_by_label("Message to", exact=False)).to_have_value(
                "So good that you are back"
            )
            assert complaints == []


def test_what_is_typed_outlives_what_happens_and_is_not_sent_past_the_fans_next_words(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with on_stage.person("Jo", chromium) as page:
            compose = page.get_by_label("Message to", exact=False)
            page.goto(f"{on_stage.base}/inbox")
            page.locator("[data-row]", has_text="Cem").click()
            opened(page, "Cem")
            compose.fill("As I said")

            says(on_stage, "cem", "Wait, there is more!")
            expect(page.locator("#thread")).to_contain_text("Wait, there is more!")
            expect(compose).to_have_value("As I said")
            expect(compose).to_be_focused()
            page.keyboard.press("Control+Enter")
            expect(page.get_by_role("alert")).to_contain_text("has written since you began")
            assert outbox(on_stage) == []
            page.reload()
            expect(compose).to_have_value("As I said")
            page.keyboard.press("c")
            page.keyboard.press("Control+Enter")
            expect(compose).to_have_value("")

            assert outbox(on_stage) == [("As I said", None)]
            says(on_stage, "cem", "Fine.")
            expect(page.locator("#thread")).to_contain_text("Fine.")
            compose.fill("Good.")
            page.keyboard.press("Control+Enter")
            expect(compose).to_have_value("")
            assert outbox(on_stage)[1:] == [("Good.", None)]


def test_searching_narrows_the_list_beside_the_open_conversation(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        filled(on_stage)
        with on_stage.person("Jo", chromium) as page:
            page.goto(f"{on_stage.base}/inbox")
            page.locator("[data-row]", has_text="Cem").click()
            opened(page, "Cem")

            page.keyboard.press("/")
            page.keyboard.type("be")
            expect(page.locator("[data-row]")).to_have_count(1)
            page.keyboard.type("n")
            says(on_stage, "ben", "Anybody there?")
            expect(page.locator("[data-row]")).to_contain_text("Anybody there?")
            expect(page.get_by_label("Find a fan by name or handle")).to_be_focused()
            expect(page.get_by_label("Find a fan by name or handle")).to_have_value("ben")
            expect(page.locator("#fan h2")).to_have_text("Cem")
            page.reload()
            expect(page.locator("[data-row]")).to_have_count(1)
            expect(page.locator("#fan h2")).to_have_text("Cem")
