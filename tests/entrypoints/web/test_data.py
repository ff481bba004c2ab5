"""The pages on what is held: how long, everything about one fan, and erasing them."""

import json

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.worker import run_jobs
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role
from vaultcrm.workflows.prune import prune

pytestmark = pytest.mark.anyio


async def ada_and_talk(app: RunningApp) -> tuple[Person, Talk]:
    """An admin, and a fan who has said something."""
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    return ada, await conversation(ada.api, said=["I like trains"])


def path_of(talk: Talk) -> str:
    return f"/data/fans/{talk.creator_id}/{talk.fan_id}"


async def test_an_admin_sees_how_long_each_kind_is_kept_and_what_was_removed(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    before = await ada.open("/data")
    assert "Messages RETENTION_MESSAGES_DAYS for ever" in before.text
    assert "RETENTION_INBOUND_DAYS 30 days not looked at yet" in before.text
    await prune(app.parts)
    after = await ada.open("/data")
    assert "RETENTION_INBOUND_DAYS 30 days 0 removed so far, looked at" in after.text


async def test_a_conversation_leads_to_what_is_held_about_its_fan(app: RunningApp) -> None:
    ada, talk = await ada_and_talk(app)
    page = await ada.open(f"/conversations/{talk.conversation_id}")
    held = await ada.open(page.link("What is held about them"))
    assert held.status == 200
    assert "Conversations 1 Messages 1 Drafts 0 Waits to leave 0" in held.text


async def test_a_manager_takes_everything_that_is_held_as_a_file_but_cannot_erase(
    app: RunningApp,
) -> None:
    _, talk = await ada_and_talk(app)
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    page = await mary.open(path_of(talk))
    assert "Erase this fan" not in page.labels
    taken = await mary.press(page, "Download")
    assert taken.headers["content-disposition"].startswith("attachment")
    assert json.loads(taken.html)["messages"][0]["text"] == "I like trains"
    form, _ = page.form("Download")
    refused = await mary.send(
        f"{path_of(talk)}/erase", {**form.fields, "handle": "tom88", "reason": "asked"}
    )
    assert refused.status == 403
    assert (await mary.open("/data")).status == 403


async def test_an_admin_erases_a_fan_by_typing_their_handle(app: RunningApp) -> None:
    ada, talk = await ada_and_talk(app)
    page = await ada.open(path_of(talk))
    wrong = await ada.press(page, "Erase this fan", handle="tom", reason="Tom88 asked for it")
    assert wrong.status == 422
    assert "is not this fan's" in wrong.text
    assert "leave the fan's name out" in wrong.text
    done = await ada.press(wrong, "Erase this fan", handle="tom88", reason="asked by mail")
    assert done.path.startswith("/data?")
    assert "Erased. Nothing leaves for them any more" in done.text
    assert "being emptied" in done.text
    assert "asked by mail" in done.text
    await run_jobs(app)
    assert "looked through again at" in (await ada.open("/data")).text
    assert (await ada.open(path_of(talk))).status == 404
    assert (await ada.open(f"/conversations/{talk.conversation_id}")).status == 404
    assert "Tom88" not in (await ada.open("/inbox")).text
    [row] = await rows(app, "SELECT text FROM messages")
    assert row["text"] == ""


async def test_a_chatter_sees_neither_the_link_nor_the_page(app: RunningApp) -> None:
    _, talk = await ada_and_talk(app)
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["mia"])
    page = await jo.open(f"/conversations/{talk.conversation_id}")
    assert page.status == 200
    assert "What is held about them" not in page.links
    assert (await jo.open(path_of(talk))).status == 403
