"""Alerts at the console: what is the matter, who sees to it, and what is over."""

from typing import Any
from uuid import UUID

import pytest

from tests.entrypoints.web.browser import sign_in
from tests.support.app import RunningApp
from tests.support.drafts import NOWHERE
from tests.support.world import conversation, rows
from vaultcrm.db.queries import alerts
from vaultcrm.domain.alerts import AlertKind, Severity, channel_subject, creator_subject
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/alerts"
PAUSED = "Sending over a channel is paused"
UNSURE = "A message may not have reached the fan"
SEE_TO_IT = "I see to it"


async def raised(
    app: RunningApp,
    creator_id: str,
    *,
    kind: AlertKind = AlertKind.CHANNEL_PAUSED,
    severity: Severity = Severity.CRITICAL,
    message: str = "Connect the account again.",
    **details: Any,
) -> None:
    subject = channel_subject(UUID(creator_id), "fanvue")
    if kind is not AlertKind.CHANNEL_PAUSED:
        subject = creator_subject(UUID(creator_id))
    async with app.parts.pool.connection() as connection:
        await alerts.raise_alert(
            connection, kind, severity, message, details, app.parts.now(), subject=subject
        )


async def cleared(app: RunningApp, kind: AlertKind = AlertKind.CHANNEL_PAUSED) -> None:
    async with app.parts.pool.connection() as connection:
        await alerts.clear_alert(connection, kind, app.parts.now())


async def test_an_open_alert_says_what_happened_to_whom_since_when_and_how_often(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    await raised(app, talk.creator_id)
    await cleared(app)
    await raised(app, talk.creator_id, message="Connect the <b>account</b> again.")

    page = await mary.open(PATH)

    assert f"{PAUSED} Severe for Mia Connect the <b>account</b> again." in page.text
    assert "just now · 2 times in 30 days" in page.text
    assert "Alerts 1" in page.links
    assert f"Over What For From To Seen to by {PAUSED}" in page.text


async def test_whoever_sees_to_an_alert_is_named_and_it_counts_no_more(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    await raised(app, talk.creator_id)

    page = await mary.press(await mary.open(PATH), SEE_TO_IT)

    assert page.path == PATH
    assert "Mary sees to it since" in page.text
    assert SEE_TO_IT not in page.labels
    assert "Alerts" in page.links
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'alert.acknowledged'")
    assert entry["actor_id"] == mary.api.user_id


async def test_a_severe_alert_stands_on_every_page_until_somebody_sees_to_it(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    talk = await conversation(mary.api)
    await raised(app, talk.creator_id)

    for path in ("/inbox", "/audit", "/dashboard"):
        assert f"{PAUSED}. See what to do" in (await mary.open(path)).text
    assert PAUSED not in (await jo.open("/inbox")).text
    await mary.press(await mary.open("/inbox"), SEE_TO_IT)

    assert PAUSED not in (await mary.open("/inbox")).text


async def test_a_mere_warning_stands_on_no_other_page(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    kind = AlertKind.MESSAGE_UNCERTAIN
    await raised(app, talk.creator_id, kind=kind, severity=Severity.WARNING)

    assert f"{UNSURE} Warning" in (await mary.open(PATH)).text
    assert UNSURE not in (await mary.open("/inbox")).text


async def test_an_alert_about_one_message_leads_to_its_conversation(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    send = f"/api/conversations/{talk.conversation_id}/send"
    await mary.api.made(send, {"creatorId": talk.creator_id, "text": "How are you?"})
    [item] = await rows(app, "SELECT id FROM outbox")
    await raised(
        app,
        talk.creator_id,
        kind=AlertKind.MESSAGE_UNCERTAIN,
        severity=Severity.WARNING,
        outbox=str(item["id"]),
    )

    page = await mary.open(PATH)

    wanted = f"/conversations/{talk.conversation_id}#latest"
    assert page.link("Open the conversation") == wanted


async def test_severe_alerts_come_first_and_those_that_somebody_sees_to_last(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    one = await conversation(mary.api)
    two = await conversation(mary.api, creator="zoe", fan="ben")
    await raised(app, one.creator_id)
    await mary.press(await mary.open(PATH), SEE_TO_IT)
    await raised(app, two.creator_id)
    kind = AlertKind.MESSAGE_UNCERTAIN
    await raised(app, two.creator_id, kind=kind, severity=Severity.WARNING)

    text = (await mary.open(PATH)).text

    order = [f"{PAUSED} Severe for Zoe", f"{UNSURE} Warning for Zoe", f"{PAUSED} Severe for Mia"]
    assert sorted(order, key=text.index) == order


async def test_alerts_of_foreign_creators_are_neither_seen_nor_acknowledged(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="zoe", fan="ben")
    talk = await conversation(ada.api)
    await raised(app, talk.creator_id)
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["zoe"])
    [alert] = await rows(app, "SELECT id FROM alerts")
    token = (await mary.open("/inbox")).forms[0].fields["csrf"]

    page = await mary.open(PATH)

    assert "Nothing is the matter" in page.text
    assert "Alerts" in page.links
    for alert_id in (alert["id"], NOWHERE):
        sent = await mary.send(f"{PATH}/{alert_id}/acknowledge", {"csrf": token})
        assert sent.status == 404
    assert await rows(app, "SELECT 1 FROM alerts WHERE acknowledged_at IS NOT NULL") == []


async def test_a_chatter_may_neither_see_nor_acknowledge_alerts(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    talk = await conversation(mary.api)
    await raised(app, talk.creator_id)
    [alert] = await rows(app, "SELECT id FROM alerts")
    token = (await jo.open("/inbox")).forms[0].fields["csrf"]

    assert (await jo.open(PATH)).status == 403
    sent = await jo.send(f"{PATH}/{alert['id']}/acknowledge", {"csrf": token})
    assert sent.status == 403


async def test_what_is_over_goes_on_page_by_page(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    for number in range(35):
        await raised(app, talk.creator_id, message=f"Number {number:02}.")
        await cleared(app)

    newest = await mary.open(PATH)
    older = await mary.open(newest.link("Earlier ones"))

    told = [f"Number {number:02}." for number in range(35)]
    assert [one for one in told if one in newest.text] == told[5:]
    assert [one for one in told if one in older.text] == told[:5]
    assert older.link("To the newest") == PATH


async def test_htmx_gets_the_part_that_changed(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    await raised(app, talk.creator_id)
    [alert] = await rows(app, "SELECT id FROM alerts")
    token = (await mary.open("/inbox")).forms[0].fields["csrf"]
    htmx = {"HX-Request": "true"}

    banner = await mary.client.get("/banner", headers=htmx)
    sent = await mary.send(
        f"{PATH}/{alert['id']}/acknowledge", {"csrf": token, "back": "banner"}, headers=htmx
    )

    assert PAUSED in banner.text
    assert "<html" not in sent.html
    assert 'id="banner"' in sent.html
    assert PAUSED not in sent.html


async def test_the_page_says_in_words_when_an_alert_opens(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")

    text = (await mary.open(PATH)).text

    for rule in (
        "More than 5% of the calls to models fail in 10 minutes with at least 10 of them.",
        "A request to VaultCRM takes more than 5 seconds on average",
        "Models cost more than $100.00 on one day in UTC.",
        "The content filter has findings in more than 20% of the drafts of an hour",
        "The database could not be reached in the last 5 minutes.",
        "With SMTP_HOST set, managers and admins are told of each by e-mail.",
    ):
        assert rule in text
