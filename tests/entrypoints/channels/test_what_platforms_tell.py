"""What happens on a platform beside a fan's messages: answers past us, echoes, follows, money."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from stubs import fanvue as fanvue_stub
from stubs.chatwoot import serve_chatwoot_stub
from tests.entrypoints.channels.desk import Desk, open_desk
from tests.entrypoints.channels.platforms import FAN, Chatwoot, Fanvue, Platform, Telegram, Webhook
from tests.support.app import RunningApp
from tests.support.locks import until_waiting
from tests.support.webhooks import purchase_event
from tests.support.world import rows
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.receive_message import process_webhook

pytestmark = pytest.mark.anyio


async def fan_of(desk: Desk) -> tuple[int, str, str]:
    """Lifetime value in minor units, its currency, and the tier of the one fan."""
    [fan] = (await desk.manager.found("/api/fans"))["items"]
    return fan["lifetimeValueMinor"], fan["currency"], fan["tier"]


# --- answers past us, and our own -----------------------------------------------------------------


async def test_what_a_chatter_answers_on_the_platform_ends_the_waiting_draft(
    app: RunningApp, telling: Platform
) -> None:
    desk = await open_desk(app, telling)
    draft = await desk.drafted("Hey, how are you?")
    await desk.works_through(telling.answers("Fine, and you?"))
    assert await desk.waiting() == []
    assert await desk.thread() == [("fan", "Hey, how are you?"), ("chatter", "Fine, and you?")]
    late = await desk.manager.post(
        "/api/ai/approve", {"generationId": draft["generationId"], "action": "approve"}
    )
    assert (late.status_code, late.json()["currentStatus"]) == (409, "expired")
    await desk.deliver()
    assert telling.texts == []
    [talk] = (await desk.manager.found("/api/conversations"))["items"]
    assert talk["waitingSince"] is None


async def test_our_own_message_told_after_its_receipt_is_not_counted_twice(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    await desk.approve(draft)
    await desk.deliver()
    [taken] = fanvue.stub.accepted
    echo = fanvue.answers(draft["message"], taken.uuid)
    await desk.works_through(echo, echo)
    assert (await desk.thread())[1:] == [("ai_approved", draft["message"])]


async def test_our_own_message_told_before_its_receipt_is_ours_all_the_same(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    reference = str(uuid4())
    fanvue.stub.behave(fanvue_stub.TakeAndAnswer(201, {"messageUuid": reference}))
    await desk.approve(draft)
    await desk.works_through(fanvue.answers(draft["message"], reference))
    await desk.deliver()
    assert (await desk.thread())[1:] == [("ai_approved", draft["message"])]
    [stored] = await rows(app, "SELECT * FROM messages WHERE sender = 'creator'")
    assert str(stored["generation_id"]) == draft["generationId"]
    assert stored["author_user_id"] == desk.manager.user_id


@pytest.mark.parametrize("author", ["ai_approved", "disclosure"])
async def test_our_own_message_told_while_its_receipt_is_kept_makes_neither_fail(
    app: RunningApp, fanvue: Fanvue, author: str
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    if author != "disclosure":
        await desk.is_told()
    approval = {"generationId": draft["generationId"], "action": "approve"}
    await desk.manager.made("/api/ai/approve", approval)
    [item] = await rows(app, "SELECT * FROM outbox WHERE author = %(who)s", who=author)
    reference = str(uuid4())
    fanvue.stub.behave(fanvue_stub.TakeAndAnswer(201, {"messageUuid": reference}))
    await desk.hears(fanvue.answers(item["text"], reference))
    [event] = await rows(app, "SELECT id FROM inbound_events WHERE processed_at IS NULL")
    holding = await psycopg.AsyncConnection.connect(app.parts.database_url)
    async with holding, asyncio.TaskGroup() as both:
        await holding.execute("SELECT FROM conversations FOR UPDATE")
        both.create_task(process_webhook(app.parts, item["creator_id"], event["id"]))
        await until_waiting(app, 1)
        both.create_task(deliver_message(app.parts, item["creator_id"], item["id"]))
        await until_waiting(app, 2)
        await holding.commit()
    assert (await desk.thread())[1:] == [(author, item["text"])]
    [left] = await rows(
        app, "SELECT delivery_status FROM outbox WHERE author = %(who)s", who=author
    )
    assert left["delivery_status"] == "sent"


async def test_our_own_message_told_while_it_leaves_ends_no_draft_that_waits(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    sent = await desk.drafted()
    await desk.approve(sent)
    await rows(app, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
    await desk.works_through(fanvue.says("And one more thing", later=5))
    [waiting] = await desk.waiting()
    await desk.works_through(fanvue.answers(sent["message"]))
    assert [draft["generationId"] for draft in await desk.waiting()] == [waiting["generationId"]]


async def test_an_uncertain_message_that_the_platform_has_told_of_is_not_counted_twice(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    fanvue.drops_after()
    await desk.approve(draft)
    await desk.deliver()
    [taken] = fanvue.stub.accepted
    await desk.works_through(fanvue.answers(draft["message"], taken.uuid))
    [delivery] = await desk.deliveries()
    assert delivery["status"] == "uncertain"
    assert (await desk.settle(delivery, "sent")).status_code == 200
    assert (await desk.thread())[1:] == [("ai_approved", draft["message"])]
    [stored] = await rows(app, "SELECT external_id FROM messages WHERE sender = 'creator'")
    assert stored["external_id"] == taken.uuid


async def test_chatwoots_echo_of_our_message_is_left_out_before_and_after_its_receipt(
    app: RunningApp,
) -> None:
    with serve_chatwoot_stub() as stub:
        chatwoot = Chatwoot(stub)
        desk = await open_desk(app, chatwoot)
        draft = await desk.drafted()
        await desk.approve(draft)
        mark = {"vaultcrm_message_id": (await desk.deliveries())[0]["id"]}
        early = chatwoot.answers(draft["message"], content_attributes=mark)
        await desk.works_through(early)
        await desk.deliver()
        [taken] = stub.accepted
        assert taken["content_attributes"] == mark
        echo = chatwoot.answers(
            draft["message"], str(taken["id"]), content_attributes=taken["content_attributes"]
        )
        await desk.works_through(echo)
        assert (await desk.thread())[1:] == [("ai_approved", draft["message"])]
        assert await desk.kept() == 1


# --- follows and money ----------------------------------------------------------------------------


async def test_a_new_follower_is_welcomed_once_a_person_agrees(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    event = fanvue.follows()
    await desk.works_through(event, event)
    [draft] = await desk.waiting()
    assert draft["generationType"] == "welcome"
    assert fanvue.texts == []
    await desk.approve(draft)
    await desk.deliver()
    assert fanvue.texts == [draft["message"]]


async def test_a_follower_one_has_talked_with_is_not_welcomed(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    await desk.works_through(fanvue.says("Hello"), fanvue.follows())
    assert [draft["generationType"] for draft in await desk.waiting()] == ["reply"]


async def test_a_tip_counts_in_cents_once_and_is_thanked_for(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    tip = fanvue.pays(5_099, "tip")
    await desk.works_through(tip, tip)
    assert await fan_of(desk) == (5_099, "USD", "medium")
    [draft] = await desk.waiting()
    assert draft["generationType"] == "thank_you"


@pytest.mark.parametrize("source", ["renewal", "post"])
async def test_what_a_fan_pays_beside_messages_counts_in_cents(
    app: RunningApp, fanvue: Fanvue, source: str
) -> None:
    desk = await open_desk(app, fanvue)
    await desk.works_through(fanvue.says("Hello"))
    for draft in await desk.waiting():
        await desk.approve(draft)
    payment = fanvue.pays(101_000, source)
    await desk.works_through(payment, payment)
    assert await fan_of(desk) == (101_000, "USD", "whale")
    assert await desk.waiting() == []


async def test_a_bought_offer_is_the_outcome_of_its_draft_to_the_cent(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    body = {
        "generationId": draft["generationId"],
        "action": "modify",
        "modifiedMessage": "New photos from today, do you want to see them?",
        "modifiedPrice": 12.99,
    }
    without = await desk.manager.post("/api/ai/approve", body)
    assert without.status_code == 422
    assert without.json()["errors"][0]["field"] == "mediaIds"
    await desk.is_told()
    await desk.manager.made("/api/ai/approve", body | {"mediaIds": [str(uuid4())]})
    await desk.deliver()
    [taken] = fanvue.stub.accepted
    assert taken.body["price"] == 1299

    bought = fanvue.pays(1299, "message", message=taken.uuid)
    again = fanvue.pays(1299, "message", message=taken.uuid)
    await desk.works_through(bought, bought, again)
    await attribute_outcomes(app.parts)

    assert await fan_of(desk) == (1299, "USD", "low")
    [outcome] = await rows(app, "SELECT performance_data FROM ai_message_feedback")
    assert outcome["performance_data"] == {
        "purchased": True,
        "revenue": 1299,
        "currency": "USD",
    }


async def test_paid_media_on_telegram_cost_stars_all_the_way(
    app: RunningApp, telegram: Telegram
) -> None:
    desk = await open_desk(app, telegram)
    await desk.works_through(telegram.says("Hello"))
    media = {"mediaIds": ["photo:AgACAgIAAx"], "priceMinor": 350}
    refused = await desk.write("New photos", **media, currency="USD")
    assert refused.status_code == 422
    assert "XTR" in refused.json()["detail"]
    await desk.wrote("New photos", **media, currency="XTR")
    await desk.deliver()
    [taken] = telegram.stub.accepted
    assert (taken.method, taken.parameters["star_count"]) == ("sendPaidMedia", 350)
    assert taken.parameters["chat_id"] == FAN
    purchase = telegram.stub.purchase(taken)
    await desk.works_through(purchase, purchase)
    value, currency, _ = await fan_of(desk)
    assert (value, currency) == (350, "XTR")
    [message] = await rows(app, "SELECT * FROM messages WHERE sender = 'creator'")
    assert (message["price_minor"], message["currency"]) == (350, "XTR")
    assert message["purchased_at"] is not None


async def test_a_purchase_over_the_generic_webhook_is_in_minor_units_of_its_currency(
    app: RunningApp, webhook: Webhook
) -> None:
    desk = await open_desk(app, webhook)
    await desk.works_through(webhook.says("Hello"))
    await desk.wrote("New photos", priceMinor=1250, currency="EUR")
    await desk.deliver()
    [delivery] = await desk.deliveries()
    bought = purchase_event(delivery["externalId"], 1250, currency="EUR")
    await desk.works_through(bought, bought)
    assert await fan_of(desk) == (1250, "EUR", "low")
    [message] = await rows(app, "SELECT purchased_at FROM messages WHERE sender = 'creator'")
    assert message["purchased_at"] <= datetime.now(UTC)
