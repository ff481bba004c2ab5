"""Alerts: each is opened by its real condition, and closes when that has been over for a while."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stubs.llm import Fail, LlmStub, Reply, Slow
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings, with_claude
from tests.support.mailbox import Mailbox, serve_mailbox
from tests.support.receiver import serve_receiver
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, Talk, candidate, conversation, rows, set_flag, sign_in
from vaultcrm.controls.monitoring.conditions import CALM, LEAST_CALLS, LEAST_DRAFTS
from vaultcrm.domain.alerts import AlertKind
from vaultcrm.domain.people import Role
from vaultcrm.workflows.observe import WEB, hand_on
from vaultcrm.workflows.watch import watch

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
QUICK = 0.05


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serve_mailbox() as opened:
        yield opened


@pytest.fixture
async def app(
    database_url: str, home: Path, llm: LlmStub, mailbox: Mailbox
) -> AsyncIterator[RunningApp]:
    """With Claude and a mail server."""
    own = settings(
        database_url,
        home,
        **with_claude(llm.url),
        ai_judge=False,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        smtp_from="alerts@agency.example",
    )
    async with running_app(own) as running:
        yield running


@pytest.fixture
def impatient(app: RunningApp) -> RunningApp:
    """The same, where what takes longer than `QUICK` is thought slow."""
    early = app.parts.settings.model_copy(update={"alert_latency_seconds": QUICK})
    return replace(app, parts=replace(app.parts, settings=early))


@pytest.fixture
async def admin(app: RunningApp) -> SignedIn:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await set_flag(ada, "AI_MAX_TOKENS_PER_DAY", 10**9)
    await set_flag(ada, "AI_RATE_LIMIT_PER_HOUR", 10**6)
    return ada


@pytest.fixture
async def talk(admin: SignedIn) -> Talk:
    return await conversation(admin)


async def looked(app: RunningApp, after: timedelta = timedelta()) -> set[AlertKind]:
    """Which alerts are open after a look, so much later than now."""
    assert await hand_on(app.parts, WEB)
    later = app.parts.now() + after
    return set(await watch(replace(app.parts, now=lambda: later)))


async def ask(admin: SignedIn, talk: Talk, times: int) -> None:
    for _ in range(times):
        await admin.post("/api/ai/generate", talk.asks())


async def found(app: RunningApp, kind: AlertKind) -> list[dict[str, Any]]:
    return await rows(
        app, "SELECT * FROM alerts WHERE kind = %(kind)s ORDER BY raised_at", kind=kind.value
    )


async def is_over(app: RunningApp, kind: AlertKind, quiet: timedelta) -> None:
    """It does not close at the first low reading, and does when readings have stayed low."""
    assert kind in await looked(app, quiet)
    assert kind in await looked(app, quiet + CALM - MINUTE)
    assert kind not in await looked(app, quiet + CALM + MINUTE)
    [alert] = await found(app, kind)
    assert alert["cleared_at"] is not None


async def test_a_model_that_fails_opens_an_alert_which_closes_when_it_is_well_again(
    app: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    await ask(admin, talk, 10 * LEAST_CALLS)
    llm.script([Fail(500)] * 4)
    await ask(admin, talk, 4)
    assert AlertKind.MODEL_ERRORS not in await looked(app)
    llm.script([Fail(500)] * 4)
    await ask(admin, talk, 4)

    assert AlertKind.MODEL_ERRORS in await looked(app)

    [alert] = await found(app, AlertKind.MODEL_ERRORS)
    assert alert["message"].startswith("8 of 108 calls to models have failed in 10 minutes.")
    assert (alert["severity"], alert["subject"]) == ("critical", "")
    await is_over(app, AlertKind.MODEL_ERRORS, 15 * MINUTE)


async def test_too_few_calls_say_nothing(
    app: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    llm.script([Fail(500)] * (LEAST_CALLS - 1))
    await ask(admin, talk, LEAST_CALLS - 1)
    assert AlertKind.MODEL_ERRORS not in await looked(app)
    llm.script([Fail(500)])
    await ask(admin, talk, 1)
    assert AlertKind.MODEL_ERRORS in await looked(app)


async def test_requests_that_fail_open_an_alert_of_their_own(
    app: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    llm.script([Fail(500)] * LEAST_CALLS)
    await ask(admin, talk, LEAST_CALLS)
    assert AlertKind.REQUEST_ERRORS in await looked(app)
    await is_over(app, AlertKind.REQUEST_ERRORS, 15 * MINUTE)


async def test_a_model_that_is_slow_opens_an_alert(
    impatient: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    llm.script([Slow(4 * QUICK)] * LEAST_CALLS)
    await ask(admin, talk, LEAST_CALLS)
    assert AlertKind.MODEL_LATENCY in await looked(impatient)
    await is_over(impatient, AlertKind.MODEL_LATENCY, 15 * MINUTE)


async def test_requests_that_are_slow_open_an_alert(
    impatient: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    impatient.parts.observed.take_minutes()
    llm.script([Slow(4 * QUICK)] * LEAST_CALLS)
    await ask(admin, talk, LEAST_CALLS)
    assert AlertKind.REQUEST_LATENCY in await looked(impatient)
    await is_over(impatient, AlertKind.REQUEST_LATENCY, 15 * MINUTE)


async def test_a_dear_day_opens_an_alert_until_the_next_day(
    app: RunningApp, admin: SignedIn, talk: Talk
) -> None:
    await ask(admin, talk, 3)
    costly = "UPDATE usage SET cost_micro_usd = %(each)s"
    await rows(app, costly, each=33_000_000)
    assert AlertKind.DAILY_COST not in await looked(app)
    await rows(app, costly, each=34_000_000)

    assert AlertKind.DAILY_COST in await looked(app)

    [alert] = await found(app, AlertKind.DAILY_COST)
    assert "$102.00 today" in alert["message"]
    await is_over(app, AlertKind.DAILY_COST, timedelta(days=1))


async def test_a_filter_that_finds_much_opens_an_alert(
    app: RunningApp, admin: SignedIn, talk: Talk, llm: LlmStub
) -> None:
    bad = Reply(candidates=(candidate("Write to me at tom@example.com!"),) * 2)
    await ask(admin, talk, 4 * LEAST_DRAFTS // 5)
    llm.script([bad] * 2 * LEAST_DRAFTS)
    await ask(admin, talk, LEAST_DRAFTS // 5)
    assert AlertKind.FILTER_RATE not in await looked(app)
    await ask(admin, talk, 1)

    assert AlertKind.FILTER_RATE in await looked(app)

    [alert] = await found(app, AlertKind.FILTER_RATE)
    assert "5 of the 21 drafts" in alert["message"]
    await is_over(app, AlertKind.FILTER_RATE, timedelta(hours=2))


async def test_a_database_that_went_away_for_a_moment_is_told_of_once_it_is_back(
    app: RunningApp, admin: SignedIn
) -> None:
    with psycopg.connect(app.parts.database_url, autocommit=True) as elsewhere:
        elsewhere.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    answers = [(await admin.get("/api/fans")).status_code for _ in range(6)]
    assert 503 in answers
    while not await hand_on(app.parts, WEB):
        pass

    assert AlertKind.DATABASE_ERRORS in await looked(app)

    await is_over(app, AlertKind.DATABASE_ERRORS, 7 * MINUTE)


async def test_a_reading_that_swings_about_its_threshold_is_one_alert(
    app: RunningApp, admin: SignedIn, talk: Talk
) -> None:
    await ask(admin, talk, 1)

    async def cost(dollars: int, after: timedelta) -> set[AlertKind]:
        # Dated like the look at it, so that it is that day's cost at midnight too.
        costly = "UPDATE usage SET cost_micro_usd = %(c)s, created_at = %(at)s"
        at = app.parts.now() + after - timedelta(milliseconds=1)
        await rows(app, costly, c=dollars * 1_000_000, at=at)
        return await looked(app, after)

    half = timedelta(seconds=30)
    for place, dollars in enumerate((101, 99, 101, 75, 101, 75)):
        assert AlertKind.DAILY_COST in await cost(dollars, place * half)
    [alert] = await found(app, AlertKind.DAILY_COST)
    assert alert["cleared_at"] is None


async def test_an_alert_is_told_to_other_systems_once(
    app: RunningApp, admin: SignedIn, talk: Talk
) -> None:
    with serve_receiver() as receiver:
        made = await admin.made(
            "/api/event-endpoints", {"url": receiver.url, "kinds": ["alert.raised"]}
        )
        receiver.secret = made["secret"]
        await ask(admin, talk, 1)
        await rows(app, "UPDATE usage SET cost_micro_usd = 200000000")
        for _ in range(3):
            await looked(app)
        await run_jobs(app)
    assert [event["data"]["alert"] for event in receiver.events] == ["daily_cost"]


async def too_dear(app: RunningApp, admin: SignedIn, talk: Talk) -> None:
    await ask(admin, talk, 1)
    await rows(app, "UPDATE usage SET cost_micro_usd = 200000000")
    await looked(app)


async def test_managers_and_admins_get_a_mail_of_their_own_and_others_none(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    await sign_in(app, Role.MANAGER, name="Mary", creators=["mia"])
    await sign_in(app, Role.CHATTER, name="Jo")
    await sign_in(app, Role.SERVICE, name="crm")
    await too_dear(app, admin, talk)

    await run_jobs(app)

    assert sorted(mail["To"] for mail in mailbox.mails) == ["ada@example.com", "mary@example.com"]
    [mail] = mailbox.to("ada@example.com")
    assert mail["From"] == "alerts@agency.example"
    assert mail["Subject"] == "VaultCRM alert (critical): daily cost"
    text = str(mail.get_payload())
    assert "$200.00 today" in text
    assert "/alerts" in text


async def test_a_mail_that_was_not_taken_is_sent_again_and_none_is_sent_twice(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    await sign_in(app, Role.MANAGER, name="Mary")
    mailbox.refused.add("mary@example.com")
    await too_dear(app, admin, talk)
    await run_jobs(app)
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.com"]

    mailbox.refused.clear()
    mailbox.is_down = True
    await time_has_come(app)
    await run_jobs(app)
    mailbox.is_down = False
    await time_has_come(app)
    await run_jobs(app)

    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.com", "mary@example.com"]


async def test_an_alert_that_is_over_while_its_mail_waits_is_told_in_one_mail(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    mailbox.is_down = True
    await too_dear(app, admin, talk)
    await run_jobs(app)
    tomorrow = timedelta(days=1)
    await looked(app, tomorrow)
    await looked(app, tomorrow + CALM + MINUTE)
    mailbox.is_down = False
    await time_has_come(app)

    await run_jobs(app)

    [only] = mailbox.to("ada@example.com")
    assert "It is over by now." in str(only.get_payload())


async def test_whoever_was_told_of_an_alert_is_told_once_when_it_is_over(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    await too_dear(app, admin, talk)
    await run_jobs(app)
    await sign_in(app, Role.MANAGER, name="Mary")
    tomorrow = timedelta(days=1)
    await looked(app, tomorrow)
    await looked(app, tomorrow + CALM + MINUTE)

    for _ in range(2):
        await run_jobs(app)

    first, second = mailbox.to("ada@example.com")
    assert first["Subject"] == "VaultCRM alert (critical): daily cost"
    assert second["Subject"] == "VaultCRM alert is over: daily cost"
    assert "$200.00 today" in str(second.get_payload())
    # Mary came when it was open, and hears of it and of its end in one.
    [only] = mailbox.to("mary@example.com")
    assert "It is over by now." in str(only.get_payload())


async def test_an_alert_that_a_person_ends_is_told_to_be_over_too(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    await admin.made(talk.messages, talk.says("I want to end my life, I can not go on"))
    await run_jobs(app)
    care = f"/api/conversations/{talk.conversation_id}/care"
    await admin.made(care, {"creatorId": talk.creator_id, "care": None, "reason": "we talked"})
    await run_jobs(app)

    subjects = [mail["Subject"] for mail in mailbox.to("ada@example.com")]
    assert subjects == [
        "VaultCRM alert (critical): fan needs care",
        "VaultCRM alert is over: fan needs care",
    ]


async def test_an_alert_about_a_creator_is_mailed_to_those_who_may_see_it(
    app: RunningApp, admin: SignedIn, talk: Talk, mailbox: Mailbox
) -> None:
    await conversation(admin, creator="zoe", fan="ben")
    await sign_in(app, Role.MANAGER, name="Mary", creators=["mia"])
    await sign_in(app, Role.MANAGER, name="Zed", creators=["zoe"])
    says = talk.says("I want to end my life, I can not go on")
    await admin.made(talk.messages, says)
    await run_jobs(app)
    assert await found(app, AlertKind.FAN_NEEDS_CARE)
    assert sorted(mail["To"] for mail in mailbox.mails) == ["ada@example.com", "mary@example.com"]
    assert all("end my life" not in str(mail.get_payload()) for mail in mailbox.mails)


async def test_mail_is_not_sent_in_the_clear_to_another_machine(
    database_url: str, home: Path
) -> None:
    own = settings(database_url, home, smtp_host="mail.example", smtp_security="none")
    async with running_app(own) as app:
        assert app.parts.mailer is not None
        with pytest.raises(Exception, match="on this machine only"):
            await app.parts.mailer.send("a@example.com", "x", "y")
