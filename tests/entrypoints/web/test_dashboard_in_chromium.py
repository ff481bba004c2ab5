"""The dashboard's charts, and what is opened with a key, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.app import RunningApp
from tests.support.chromium import chromium, complaints_of, stage
from tests.support.drafts import copies
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role

__all__ = ["chromium"]

OUTCOMES = "Where do drafts stop?"


async def one_draft_today_and_one_of_ten_days_ago(running: RunningApp) -> None:
    ada = await sign_in(running, Role.ADMIN, name="Ada")
    talk = await conversation(ada)
    body = {"creatorId": talk.creator_id, "category": "welcome", "name": "hello"}
    await ada.post("/api/templates", {**body, "templateText": "Welcome, {fan_name}!"})
    made = await ada.made("/api/ai/generate", talk.asks("welcome"))
    [old] = await copies(running, made["generationId"], 1)
    await rows(
        running,
        "UPDATE ai_message_generations SET created_at = created_at - '10 days'::interval "
        "WHERE id = %(old)s",
        old=old,
    )


def colours(page: Page, question: str) -> int:
    """How many colours are drawn under a question, all shades of smoothed edges among them."""
    found: int = (
        page.get_by_role("region", name=question, exact=True)
        .locator("canvas")
        .evaluate(
            """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const seen = new Set();
            for (let at = 0; at < data.length; at += 4)
                if (data[at + 3] === 255) seen.add(data.slice(at, at + 3).join());
            return seen.size;
        }"""
        )
    )
    return found


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_charts_are_drawn_follow_what_is_chosen_and_leave_the_page_as_wide_as_it_is(
    database_url: str, home: Path, chromium: Browser, width: int, theme: str
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(one_draft_today_and_one_of_ten_days_ago)
        size = {"width": width, "height": 844}
        with on_stage.person("Ada", chromium, viewport=size, color_scheme=theme) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/dashboard")
            chart = page.get_by_role("region", name=OUTCOMES, exact=True)
            picture = chart.get_by_role("img", name=OUTCOMES)
            expect(picture).to_have_accessible_description(
                "Of 1 draft in the last 7 days: 1 waiting."
            )
            expect(chart.locator(".legend")).to_contain_text("Waiting 1")
            assert colours(page, OUTCOMES) > 1

            page.get_by_label("Charts of").focus()
            page.get_by_label("Charts of").select_option("30 days")

            expect(chart.locator(".answer")).to_have_text(
                "Of 2 drafts in the last 30 days: 2 waiting."
            )
            expect(chart.locator(".legend")).to_contain_text("Waiting 2")
            expect(chart.locator("canvas")).to_have_count(1)
            assert colours(page, OUTCOMES) > 1
            expect(page.get_by_label("Charts of")).to_be_focused()
            assert page.url.endswith("days=30")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert complaints == []


def test_an_audit_entry_and_a_flags_history_open_without_a_new_page(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage:
        on_stage.beside(one_draft_today_and_one_of_ten_days_ago)
        with on_stage.person("Ada", chromium) as page:
            complaints = complaints_of(page)
            page.goto(f"{on_stage.base}/audit")
            page.keyboard.press("j")
            expect(page.locator("details.entry[open]")).to_have_count(1)
            expect(page.locator("details.entry[open]")).to_contain_text("signed in")

            page.goto(f"{on_stage.base}/flags")
            page.get_by_label("Change Drafts an hour").click()
            form = page.locator("#AI_RATE_LIMIT_PER_HOUR form")
            form.get_by_label("New value").fill("7")
            form.get_by_label("Why").fill("a slow week")
            form.get_by_role("button", name="Save").click()
            page.get_by_label("History of Drafts an hour").click()

            expect(page.locator("#AI_RATE_LIMIT_PER_HOUR .past")).to_contain_text(
                "Ada the default → 7 a slow week"
            )
            assert complaints == []
