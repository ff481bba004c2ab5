"""The page of the JSON API in a real browser, under its content security policy."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.support.chromium import chromium, complaints_of, stage

__all__ = ["chromium"]


def test_the_page_of_the_api_shows_every_operation_and_the_browser_has_nothing_to_refuse(
    database_url: str, home: Path, chromium: Browser
) -> None:
    with stage(database_url, home) as on_stage, chromium.new_context() as own:
        page = own.new_page()
        complaints = complaints_of(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{on_stage.base}/api/docs")
        page.get_by_text("/api/ai/generate", exact=True).first.wait_for()
        assert page.locator(".opblock").count() > 40
        assert complaints == []
        assert all(url.startswith((on_stage.base, "data:", "blob:")) for url in asked), asked
