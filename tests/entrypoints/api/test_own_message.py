"""POST /api/conversations/{id}/send: a chatter's own words pass what every message passes."""

from typing import Any

import httpx2
import pytest

from stubs.llm import LlmStub
from tests.support.accounts import connected
from tests.support.app import RunningApp
from tests.support.drafts import NOWHERE, copies, decide, drafted, status_of, waiting
from tests.support.worker import run_jobs
from tests.support.world import SignedIn, Talk, conversation, jobs, own_details, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def send(
    caller: SignedIn, talk: Talk, text: str = "Hi Tom, it is me.", **more: Any
) -> httpx2.Response:
    body = {"creatorId": talk.creator_id, "text": text, **more}
    return await caller.post(f"/api/conversations/{talk.conversation_id}/send", body)


def fields_at_fault(response: httpx2.Response) -> set[str]:
    assert response.status_code == 422, response.text
    return {error["field"] for error in response.json()["errors"]}


async def nothing_left(app: RunningApp) -> bool:
    return await rows(app, "SELECT 1 FROM outbox") == [] == await jobs(app, "deliver_message")


async def test_what_a_chatter_writes_is_sent_and_stands_in_the_conversation_as_theirs(
    app: RunningApp,
) -> None:
    ann = await sign_in(app, Role.CHATTER, name="Ann")
    talk = await conversation(await sign_in(app, Role.MANAGER))

    answer = await send(ann, talk, priceMinor=1500, currency="USD", mediaIds=["m-1"])

    assert answer.status_code == 200
    assert answer.json()["findings"] == []
    [item] = await rows(app, "SELECT * FROM outbox")
    assert str(item["id"]) == answer.json()["messageId"]
    assert (item["author"], item["author_user_id"]) == ("chatter", ann.user_id)
    assert (item["price_minor"], item["media_ids"], item["generation_id"]) == (1500, ["m-1"], None)
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    await rows(app, "UPDATE outbox SET not_before = created_at")
    await run_jobs(app)
    message = (await ann.found(talk.messages))["items"][0]
    assert (message["text"], message["author"]) == ("Hi Tom, it is me.", "chatter")
    assert (message["priceMinor"], message["currency"]) == (1500, "USD")
    talked = await ann.found(f"/api/conversations/{talk.conversation_id}")
    assert talked["waitingSince"] is None
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'message.written'")
    assert (trace["actor_id"], trace["subject_id"]) == (ann.user_id, answer.json()["messageId"])


async def test_what_the_filter_blocks_does_not_leave_and_its_writer_reads_every_finding(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    refused = await send(manager, talk, "Send it by paypal, or call +1 202 555 0147!")
    assert fields_at_fault(refused) == {"text"}
    said = " ".join(error["reason"] for error in refused.json()["errors"]).lower()
    assert "paypal" in said
    assert "202 555 0147" in said
    assert await nothing_left(app)


async def test_what_the_filter_only_wants_looked_at_leaves_and_its_writer_is_told(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    text = "Last chance babe, for you!"
    answer = await send(manager, await conversation(manager), text)
    assert answer.status_code == 200
    [finding] = answer.json()["findings"]
    assert (finding["category"], finding["tier"]) == ("pressure", "review")
    assert text[finding["start"] : finding["end"]].lower() == finding["matched"].lower()
    assert finding["reason"]
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'message.written'")
    assert own_details(trace) == {"findings": [finding["rule"]]}
    assert len(await rows(app, "SELECT 1 FROM outbox")) == 1


async def test_a_word_that_the_creator_never_uses_does_not_leave_either(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    voice = {"creatorId": talk.creator_id, "forbiddenWords": ["darling"]}
    await manager.made("/api/ai/personality", voice)
    assert fields_at_fault(await send(manager, talk, "Hello darling")) == {"text"}
    assert await nothing_left(app)


async def test_an_own_message_takes_what_waited_in_the_conversation_out_of_the_queue(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    first = await drafted(manager, llm, talk)
    [second] = await copies(claude, first, 1)
    elsewhere = await drafted(manager, llm, await conversation(manager, fan="ann"))
    await send(manager, talk)
    assert await waiting(manager) == [elsewhere]
    assert [await status_of(manager, one) for one in (first, second)] == ["expired", "expired"]
    late = await decide(manager, first, "approve", sendAnyway=True)
    assert (late.status_code, late.json()["currentStatus"]) == (409, "expired")


async def test_a_message_that_is_refused_leaves_what_waits_as_it_is(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    draft = await drafted(manager, llm, talk)
    assert (await send(manager, talk, "Call me: +1 202 555 0147")).status_code == 422
    assert await waiting(manager) == [draft]


async def test_a_message_is_stopped_when_the_fan_has_written_while_it_was_composed(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager, said=["Hi!", "How are you?"])
    seen = (await manager.found(talk.messages))["items"][0]["id"]
    for text in ("Wait.", "I meant yesterday."):
        await manager.made(talk.messages, talk.says(text))

    stopped = await send(manager, talk, seenMessageId=seen)

    assert (stopped.status_code, stopped.json()["currentStatus"]) == (409, "stale")
    assert stopped.json()["type"] == "/problems/thread-moved-on"
    newer = stopped.json()["newMessages"]
    assert [one["text"] for one in newer] == ["Wait.", "I meant yesterday."]
    assert await nothing_left(app)
    assert (await send(manager, talk, seenMessageId=newer[-1]["id"])).status_code == 200


async def test_whoever_names_no_message_sends_whatever_was_said_meanwhile(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    await manager.made(talk.messages, talk.says("Wait."))
    assert (await send(manager, talk)).status_code == 200


@pytest.mark.parametrize("more", [{"priceMinor": 500}, {"currency": "USD"}])
async def test_a_price_and_its_currency_go_together(app: RunningApp, more: dict[str, Any]) -> None:
    manager = await sign_in(app, Role.MANAGER)
    refused = await send(manager, await conversation(manager), **more)
    assert fields_at_fault(refused) == {"body"}
    assert "priceMinor and currency" in refused.json()["detail"]
    assert await nothing_left(app)


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (299, "USD", "at least"),
        (20_001, "USD", "at most"),
        (500, "EUR", "in USD"),
    ],
)
async def test_a_price_that_the_channel_does_not_take_is_refused(
    app: RunningApp, minor: int, currency: str, said: str
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    refused = await send(manager, talk, priceMinor=minor, currency=currency)
    assert fields_at_fault(refused) == {"priceMinor"}
    assert said in refused.json()["detail"]
    assert await nothing_left(app)
    for good in (300, 20_000):
        sent = await send(manager, talk, priceMinor=good, currency="USD")
        assert sent.status_code == 200


async def test_nothing_is_sold_where_selling_is_stopped_and_words_still_leave(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager, said=["I want to kill myself tonight."])
    refused = await send(manager, talk, priceMinor=500, currency="USD")
    assert fields_at_fault(refused) == {"priceMinor"}
    assert "selling is stopped" in refused.json()["detail"]
    assert await nothing_left(app)
    assert (await send(manager, talk, "I am here. Please call somebody you trust.")).is_success


async def test_a_channel_without_media_or_prices_is_sent_none(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    await connected(manager, "chatwoot")
    talk = await conversation(manager, channel="chatwoot")
    assert fields_at_fault(await send(manager, talk, mediaIds=["m-1"])) == {"mediaIds"}
    priced = await send(manager, talk, priceMinor=500, currency="USD")
    assert fields_at_fault(priced) == {"priceMinor"}
    assert await nothing_left(app)
    assert (await send(manager, talk)).status_code == 200


async def test_where_a_price_is_for_media_a_price_without_media_is_refused(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    await connected(manager, "fanvue")
    talk = await conversation(manager, channel="fanvue")
    price: dict[str, Any] = {"priceMinor": 500, "currency": "USD"}
    assert fields_at_fault(await send(manager, talk, **price)) == {"mediaIds"}
    assert await nothing_left(app)
    assert (await send(manager, talk, mediaIds=["m-1"], **price)).status_code == 200


async def test_a_text_longer_than_the_channel_takes_is_refused(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    refused = await send(manager, talk, "so " * 700)
    assert fields_at_fault(refused) == {"text"}
    assert "2,000" in refused.json()["detail"]


async def test_an_own_message_waits_as_long_as_the_account_says(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    await connected(manager, "chatwoot", sendDelaySeconds=120)
    talk = await conversation(manager, channel="chatwoot")
    await send(manager, talk)
    [item] = await rows(app, "SELECT not_before - created_at AS delay FROM outbox")
    assert item["delay"].total_seconds() == 120


async def test_nobody_writes_in_a_conversation_that_is_not_theirs_or_not_there(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    theo = await conversation(manager, creator="theo", fan="ann")
    stranger = await sign_in(app, Role.CHATTER, creators=["theo"])
    astray = Talk(theo.creator_id, "theo", theo.fan_id, talk.conversation_id)
    nowhere = Talk(talk.creator_id, "mia", talk.fan_id, NOWHERE)
    assert (await send(stranger, talk)).status_code == 404
    assert (await send(stranger, astray)).status_code == 404
    assert (await send(manager, nowhere)).status_code == 404
    assert await nothing_left(app)
