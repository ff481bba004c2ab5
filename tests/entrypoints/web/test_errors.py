"""Errors: pages for people, problem documents for programs, and never a trace."""

import pytest

from tests.entrypoints.web.browser import Browser, sign_in
from tests.support.app import RunningApp
from tests.support.world import rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(
    app: RunningApp,
) -> None:
    browser = Browser(app)

    page = await browser.open("/nothing")
    program = await browser.client.get("/api/nothing")

    assert page.status == program.status_code == 404
    assert "There is nothing here" in page.text
    assert program.headers["content-type"] == "application/problem+json"


async def test_a_form_that_cannot_be_read_says_so(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    page = await jo.open("/queue")

    token = page.forms[0].fields["csrf"]
    answer = await jo.send("/queue/01890a5d-ac96-774b-bcce-b302099a8057", {"csrf": token})

    assert answer.status == 422
    assert "Nothing was changed" in answer.text


async def test_an_error_of_ours_is_told_without_its_insides(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await rows(app, "ALTER TABLE audit_log RENAME TO gone")
    browser = Browser(app, raises=False)
    browser.client.cookies = ada.client.cookies

    page = await browser.open("/audit")
    program = await browser.client.get("/api/audit", headers=ada.api.headers)

    assert page.status == program.status_code == 500
    assert "It is not your fault" in page.text
    assert program.headers["content-type"] == "application/problem+json"
    for told in (page.html, program.text):
        assert "audit_log" not in told
        assert "Traceback" not in told
