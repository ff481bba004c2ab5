"""What holds for every page of the console: anybody can use it, and it is light."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.app import RunningApp
from tests.support.chromium import Stage, chromium, complaints_of, stage
from tests.support.databases import Databases, new_home, new_run
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.web.frame.pages import STATIC

__all__ = ["chromium"]

AXE = Path("node_modules/axe-core/axe.min.js")
MARKUP = "<img src=x onerror=alert(1)>"
TRICKY = (
    "<script>alert(1)</script> {{ 7 * 7 }} &amp;",
    "مرحبا، كيف حالك اليوم؟ \u202e gnol \u202c",
    "🦄👩‍👩‍👧‍👦🏳️‍🌈" * 20,
    "a" * 10_000,
)
MOST_BYTES = 120_000
MOST_REQUESTS = 12


PAGES = (
    "queue",
    "queue, snoozed",
    "inbox",
    "conversation",
    "templates",
    "personalities",
    "care",
    "content-rules",
    "disclosure",
    "dashboard",
    "flags",
    "costs",
    "alerts",
    "audit",
    "team",
    "channels",
    "data",
    "account",
    "account/second-factor",
    "team/programs",
)


async def fill(running: RunningApp) -> dict[str, str]:
    """A conversation of tricky messages, drafts, a template; the paths of all pages."""
    ada = await sign_in(running, Role.ADMIN, name="Ada")
    talk = await conversation(ada, said=[MARKUP, *TRICKY], value_minor=250_000)
    await rows(running, "UPDATE fans SET display_name = %(name)s, notes = %(name)s", name=MARKUP)
    await ada.made(
        "/api/templates",
        {
            "creatorId": talk.creator_id,
            "category": "welcome",
            "name": MARKUP,
            "templateText": f"Welcome {MARKUP}, {{fan_name}}!",
        },
    )
    await ada.made(
        "/api/content-rules",
        {
            "creatorId": talk.creator_id,
            "kind": "phrase",
            "text": MARKUP,
            "category": "spam",
            "reason": MARKUP * 5,
        },
    )
    await ada.made("/api/ai/generate", talk.asks("welcome"))
    needing = {"creatorId": talk.creator_id, "reason": MARKUP}
    await ada.made(f"/api/fans/{talk.fan_id}/cooling-off", needing)
    await ada.made(
        f"/api/conversations/{talk.conversation_id}/care", needing | {"care": "distress"}
    )
    await conversation(ada, fan="quiet", said=())
    conversation_path = f"/conversations/{talk.conversation_id}"
    return (
        {
            "queue": "/queue",
            "queue, snoozed": "/queue?tab=snoozed",
            "conversation": conversation_path,
        }
        | {name: f"/{name}" for name in PAGES[4:]}
        | {"inbox": "/inbox"}
    )


@pytest.fixture(scope="module")
def filled(
    database_server: Databases, pytestconfig: pytest.Config
) -> Iterator[tuple[Stage, dict[str, str]]]:
    with (
        database_server.fresh() as url,
        new_run() as run,
        new_home(run) as home,
        stage(url, home) as on_stage,
    ):
        yield on_stage, on_stage.beside(fill)


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_used_by_anybody_on_any_screen(
    filled: tuple[Stage, dict[str, str]], chromium: Browser, width: int, scheme: str
) -> None:
    """axe finds nothing serious, nothing must be scrolled sideways, the browser complains of
    nothing, and what people wrote is text.
    """
    on_stage, paths = filled
    size = {"width": width, "height": 900}
    found: dict[str, Any] = {}
    with on_stage.person("Ada", chromium, viewport=size, color_scheme=scheme) as page:
        complaints = complaints_of(page)
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        for name in PAGES:
            answer = page.goto(on_stage.base + paths[name])
            page.wait_for_timeout(150)
            wrong = serious(page)
            if answer is None or answer.status != 200:
                wrong.append(f"answered {answer}")
            if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
                wrong.append("is wider than the screen")
            if wrong or complaints:
                found[name] = [*wrong, *complaints]
                complaints.clear()

    assert found == {}


def serious(page: Page) -> list[str]:
    """What axe calls serious or worse, with where it is."""
    page.evaluate(AXE.read_text())
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_first_page_takes_few_requests(
    filled: tuple[Stage, dict[str, str]], chromium: Browser, name: str
) -> None:
    on_stage, paths = filled
    with on_stage.person("Ada", chromium) as page:
        state = page.context.storage_state()
    with chromium.new_context(storage_state=state) as fresh:
        page = fresh.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(on_stage.base + paths[name])
        page.wait_for_timeout(300)

    assert len(asked) <= MOST_REQUESTS, asked
    assert all(url.startswith(on_stage.base) for url in asked), asked


def test_all_scripts_and_styles_together_are_light() -> None:
    # What shows the API is loaded by its own page alone, which is no page of the console.
    files = [
        path
        for path in STATIC.rglob("*")
        if path.suffix in {".js", ".css"} and not path.name.startswith(("swagger-ui", "api-docs"))
    ]
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 6)) for path in files}

    assert {"htmx.min.js", "console.js", "console.css", "uPlot.iife.min.js"} <= set(sizes)
    assert sum(sizes.values()) <= MOST_BYTES, sizes
