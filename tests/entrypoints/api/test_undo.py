"""POST /api/ai/undo: an approval is taken back while its message waits, and never half of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.adapters.channels.platform import Answer, Platform, serve_platform
from tests.entrypoints.api.documented import hold_to_document
from tests.support.app import RunningApp, running_app
from tests.support.drafts import NOWHERE, UNDO, copies, decide, status_of, waiting
from tests.support.fixtures import settings
from tests.support.webhooks import SECRET
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import Delivery, deliver_message

pytestmark = pytest.mark.anyio

TEXT = "Hello Tom!"
UNDONE = "SELECT * FROM audit_log WHERE action = 'generation.decision_undone'"


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serve_platform() as served:
        yield served


@pytest.fixture
async def slow(database_url: str, home: Path, platform: Platform) -> AsyncIterator[RunningApp]:
    """Messages go to the platform, ten minutes after their approval."""
    own = settings(
        database_url,
        home,
        webhook_secret=SECRET,
        webhook_target_url=platform.url,
        send_delay_seconds=600,
    )
    async with running_app(own) as running:
        hold_to_document(running)
        yield running


async def talk_of(manager: SignedIn) -> tuple[Talk, str]:
    """A conversation over the platform and a draft that waits in it."""
    talk = await conversation(manager, channel="webhook")
    draft = await manager.made("/api/ai/generate", talk.asks())
    return talk, str(draft["generationId"])


async def approve(caller: SignedIn, draft: str, text: str = TEXT, **more: Any) -> dict[str, Any]:
    answer = await decide(caller, draft, "modify", modifiedMessage=text, **more)
    assert answer.status_code == 200, answer.text
    generation: dict[str, Any] = answer.json()["generation"]
    return generation


async def undo(caller: SignedIn, draft: str) -> Any:
    return await caller.post(UNDO, {"generationId": draft})


def delay_of(generation: dict[str, Any]) -> float:
    leaves = datetime.fromisoformat(generation["leavesAt"])
    return (leaves - datetime.fromisoformat(generation["approvedAt"])).total_seconds()


async def test_what_is_taken_back_waits_again_as_it_was_drafted_and_nothing_is_sent(
    slow: RunningApp, platform: Platform
) -> None:
    ann = await sign_in(slow, Role.CHATTER, name="Ann")
    talk, draft = await talk_of(await sign_in(slow, Role.MANAGER))
    before = await ann.found(f"/api/ai/generations/{draft}")
    approved = await approve(ann, draft, modifiedPrice=20)
    assert delay_of(approved) == 600

    back = (await undo(ann, draft)).json()

    assert (back["status"], back["deliveryStatus"], back["leavesAt"]) == ("queued", None, None)
    assert (back["message"], back["suggestedPrice"]) == (
        before["message"],
        before["suggestedPrice"],
    )
    assert (back["finalMessage"], back["finalPrice"], back["approvedBy"]) == (None, None, None)
    assert back["claimedBy"] == str(ann.user_id)
    assert await waiting(ann) == [draft]
    await time_has_come(slow)
    await run_jobs(slow)
    assert platform.taken == []
    assert await rows(slow, "SELECT 1 FROM messages WHERE sender = 'creator'") == []
    assert await rows(slow, "SELECT 1 FROM ai_message_feedback") == []
    [trace] = await rows(
        slow, "SELECT * FROM audit_log WHERE action = 'generation.decision_undone'"
    )
    assert (trace["actor_id"], trace["subject_id"]) == (ann.user_id, draft)
    assert (await undo(ann, draft)).json()["currentStatus"] == "queued"
    assert talk.conversation_id == back["conversationId"]


async def test_what_was_taken_back_can_be_decided_anew_and_leaves_as_decided_then(
    slow: RunningApp, platform: Platform
) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    await approve(manager, draft, "too soon")
    await undo(manager, draft)
    await approve(manager, draft, "much better")
    await time_has_come(slow)
    await run_jobs(slow)
    assert [one.json["data"]["message"]["text"] for one in platform.taken] == ["much better"]
    [kept] = await rows(slow, "SELECT * FROM ai_message_feedback")
    assert kept["final_message"] == "much better"


async def test_it_is_too_late_when_the_message_has_left_or_is_leaving(
    slow: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(seconds=3.0), Answer()]
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    await approve(manager, draft)
    await time_has_come(slow)
    sending = asyncio.create_task(run_jobs(slow))
    async with asyncio.timeout(60):
        while not platform.taken:  # noqa: ASYNC110 - the platform runs in a thread
            await asyncio.sleep(0.01)
    leaving = await undo(manager, draft)
    await sending
    left = await undo(manager, draft)
    for refused, status in ((leaving, "sending"), (left, "sent")):
        assert (refused.status_code, refused.json()["currentStatus"]) == (409, status)
        assert "too late" in refused.json()["detail"]
    assert await status_of(manager, draft) == "approved"
    assert len(platform.taken) == 1


@pytest.mark.parametrize(("answer", "status"), [(429, "pending"), (503, "sending")])
async def test_a_message_that_was_tried_and_must_wait_cannot_be_taken_back(
    slow: RunningApp, platform: Platform, answer: int, status: str
) -> None:
    """The platform may have taken it although it said no."""
    platform.answers = [Answer(answer)]
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    await approve(manager, draft)
    await time_has_come(slow)
    await run_jobs(slow)
    refused = await undo(manager, draft)
    assert (refused.status_code, refused.json()["currentStatus"]) == (409, status)
    assert await status_of(manager, draft) == "approved"


async def test_another_chatters_approval_is_theirs_to_take_back_or_a_managers(
    slow: RunningApp,
) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    ann, ben = [await sign_in(slow, Role.CHATTER, name=name) for name in ("Ann", "Ben")]
    _, draft = await talk_of(manager)
    await approve(ann, draft)

    refused = await undo(ben, draft)

    assert refused.status_code == 403
    assert "manager" in refused.json()["detail"]
    assert await status_of(ben, draft) == "approved"
    taken = await undo(manager, draft)
    assert (taken.status_code, taken.json()["claimedBy"]) == (200, str(manager.user_id))


@pytest.mark.parametrize("state", ["queued", "rejected", "expired"])
async def test_only_an_approval_can_be_taken_back(slow: RunningApp, state: str) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    if state == "rejected":
        await decide(manager, draft, "reject")
    if state == "expired":
        await rows(slow, "UPDATE ai_message_generations SET status = 'expired'")
    refused = await undo(manager, draft)
    assert (refused.status_code, refused.json()["currentStatus"]) == (409, state)
    assert await status_of(manager, draft) == state
    assert (await undo(manager, NOWHERE)).status_code == 404


async def test_what_the_fan_has_overtaken_since_it_was_approved_comes_back_as_overtaken(
    slow: RunningApp,
) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    talk, draft = await talk_of(manager)
    await approve(manager, draft)
    await manager.made(talk.messages, talk.says("Wait, something else!"))

    back = (await undo(manager, draft)).json()
    again = await decide(manager, draft, "modify", modifiedMessage=TEXT)

    assert back["stale"] is True
    assert (again.status_code, again.json()["currentStatus"]) == (409, "stale")
    assert [one["text"] for one in again.json()["newMessages"]] == ["Wait, something else!"]


async def test_a_paid_message_can_be_taken_back_for_ten_seconds_and_a_free_one_not_at_all(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    first = (await manager.made("/api/ai/generate", talk.asks()))["generationId"]
    [second] = await copies(app, first, 1)
    assert delay_of(await approve(manager, first, modifiedPrice=20)) == 10
    assert delay_of(await approve(manager, second)) == 0


@pytest.mark.parametrize("price", [None, 20])
async def test_the_delay_of_an_account_goes_before_that_of_the_installation(
    slow: RunningApp, price: int | None
) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    await rows(
        slow,
        """INSERT INTO channel_accounts (creator_id, id, channel, config, send_delay_seconds,
                                         created_at, updated_at)
           SELECT creator_id, gen_random_uuid(), 'webhook', '{}', 45, now(), now()
           FROM ai_message_generations""",
    )
    assert delay_of(await approve(manager, draft, modifiedPrice=price)) == 45


async def test_of_an_undo_and_the_sending_at_the_same_moment_only_one_happens(
    slow: RunningApp, platform: Platform
) -> None:
    """Sixty rounds, four at a time, in which sometimes one and sometimes the other is started
    first.
    """
    manager = await sign_in(slow, Role.MANAGER)
    talk, first = await talk_of(manager)
    drafts = [first, *await copies(slow, first, 59)]
    # Not by their ids, whose digits may look like a telephone number to the filter.
    texts = {draft: f"text {number}" for number, draft in enumerate(drafts)}
    outcomes: Counter[str] = Counter()

    async def attempt(talk: Talk, item_id: UUID) -> Delivery | None:
        return await deliver_message(slow.parts, UUID(talk.creator_id), item_id)

    async def race(number: int, draft: str) -> None:
        await approve(manager, draft, texts[draft])
        [item] = await rows(
            slow,
            """UPDATE outbox SET not_before = created_at WHERE generation_id = %(id)s
               RETURNING id""",
            id=draft,
        )
        undoing, sending = undo(manager, draft), attempt(talk, item["id"])
        if number % 2:
            delivered, undone = await asyncio.gather(sending, undoing)
        else:
            undone, delivered = await asyncio.gather(undoing, sending)
        sent = await rows(slow, "SELECT 1 FROM messages WHERE generation_id = %(id)s", id=draft)
        if undone.status_code == 200:
            assert delivered is None or delivered.status is DeliveryStatus.PENDING
            assert (await status_of(manager, draft), sent) == ("queued", [])
            outcomes["undone"] += 1
        else:
            assert undone.status_code == 409
            assert delivered is not None
            assert delivered.status is DeliveryStatus.SENT
            assert (await status_of(manager, draft), len(sent)) == ("approved", 1)
            outcomes["sent"] += 1

    for start in range(0, len(drafts), 4):
        await asyncio.gather(
            *(race(start + i, draft) for i, draft in enumerate(drafts[start : start + 4]))
        )
    assert outcomes.total() == 60
    assert len(platform.taken) == outcomes["sent"]

    for draft in await waiting(manager, limit=100):
        await approve(manager, draft, texts[draft])
    await time_has_come(slow)
    await run_jobs(slow)
    seen = Counter(taken.json["data"]["message"]["text"] for taken in platform.taken)
    assert seen == Counter(texts.values())


async def test_of_two_who_take_the_same_approval_back_one_does(slow: RunningApp) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    _, draft = await talk_of(manager)
    await approve(manager, draft)
    answers = await asyncio.gather(*(undo(manager, draft) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert len(await rows(slow, UNDONE)) == 1


async def test_a_draft_that_came_back_is_held_for_five_minutes_by_whoever_took_it_back(
    slow: RunningApp,
) -> None:
    manager = await sign_in(slow, Role.MANAGER)
    ben = await sign_in(slow, Role.CHATTER, name="Ben")
    _, draft = await talk_of(manager)
    await approve(manager, draft)
    back = (await undo(manager, draft)).json()
    held_until = datetime.fromisoformat(back["claimedUntil"])
    assert timedelta(minutes=4) < held_until - datetime.now(UTC) <= timedelta(minutes=5)
    assert (await decide(ben, draft, "reject")).status_code == 409
