"""AI beside people, time saved and engagement: counted from what happened, or not told."""

from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.outcomes import attribute_all
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.effects import EngagementTally, engagement_change
from vaultcrm.domain.estimates import mean_of, share_of
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.domain.time_saved import WorkKind, WorkTally, time_saved
from vaultcrm.workflows.measure_work import measure_work
from vaultcrm.workflows.roll_up import roll_up

pytestmark = pytest.mark.anyio


async def sent(
    app: RunningApp,
    talk: Talk,
    ago: timedelta,
    *,
    author: str = "chatter",
    answered: bool = False,
    price: int | None = None,
    currency: str = "USD",
    bought: bool = False,
) -> None:
    """A message of the creator's so long ago, and the fan's answer a minute later."""
    at = app.parts.now() - ago
    said: list[tuple[str, str, Any, Any]] = [("creator", author, at, price)]
    if answered:
        said.append(("fan", "fan", at + timedelta(minutes=1), None))
    for sender, by, moment, costs in said:
        await rows(
            app,
            """INSERT INTO messages (creator_id, id, conversation_id, sender, author, external_id,
                                      text, price_minor, currency, purchased_at, sent_at)
               VALUES (%(creator)s, %(id)s, %(talk)s, %(sender)s, %(by)s, %(ref)s, 'Hello',
                       %(price)s, %(currency)s, %(bought)s, %(at)s)""",
            creator=talk.creator_id,
            id=new_id(),
            talk=talk.conversation_id,
            sender=sender,
            by=by,
            ref=new_id().hex,
            price=costs,
            currency=None if costs is None else currency,
            bought=moment if bought and costs is not None else None,
            at=moment,
        )


async def compared(app: RunningApp) -> tuple[SignedIn, Talk]:
    """Forty messages of AI's and thirty of people's over three days, and one that is too new."""
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary, said=())
    for number in range(40):
        await sent(
            app, talk, timedelta(hours=40 + number), author="ai_approved",
            answered=number % 2 == 0, price=1_000, bought=number < 10,
        )  # fmt: skip
        if number < 30:
            euros = number < 3
            await sent(
                app, talk, timedelta(hours=40 + number, minutes=30), answered=number % 3 == 0,
                price=500 if euros else None, currency="EUR", bought=euros,
            )  # fmt: skip
    await sent(app, talk, timedelta(hours=2), author="ai_automatic", answered=True)
    await attribute_all(app)
    return mary, talk


async def test_messages_of_ai_stand_beside_those_of_people_with_intervals_and_by_currency(
    app: RunningApp,
) -> None:
    mary, talk = await compared(app)
    live = await mary.found("/api/ai/metrics/effect", creatorId=talk.creator_id)
    while await roll_up(app.parts):
        pass
    rolled = await mary.found("/api/ai/metrics/effect", creatorId=talk.creator_id)

    for told in (live, rolled):
        ai, people = told["ai"], told["byHand"]
        assert [ai[name] for name in ("messages", "replied", "offers", "bought")] == [
            40, 20, 40, 10,
        ]  # fmt: skip
        assert ai["replyRate"] == pytest.approx(
            {"value": 0.5, "low": 0.352, "high": 0.648}, abs=1e-3
        )
        [dollars] = ai["revenue"]
        assert (dollars["currency"], dollars["minor"]) == ("USD", 10_000)
        assert dollars["perMessageMinor"] == pytest.approx(
            {"value": 250, "low": 114.1, "high": 385.9}, abs=0.1
        )
        assert (people["messages"], people["replied"], people["bought"]) == (30, 10, 3)
        assert people["conversion"] is None  # three offers tell nothing
        assert [one["currency"] for one in people["revenue"]] == ["EUR"]
        assert "Not an experiment" in told["note"]


async def test_an_outcome_that_comes_late_changes_the_hour_that_was_rolled_up(
    app: RunningApp,
) -> None:
    mary, talk = await compared(app)
    while await roll_up(app.parts):
        pass
    await rows(
        app,
        """UPDATE messages SET purchased_at = sent_at
           WHERE author = 'ai_approved' AND purchased_at IS NULL""",
    )
    await attribute_all(app)
    await roll_up(app.parts)
    told = await mary.found("/api/ai/metrics/effect", creatorId=talk.creator_id)
    assert told["ai"]["bought"] == 40


async def test_the_outcome_of_one_message_can_be_asked_for(app: RunningApp) -> None:
    mary, talk = await compared(app)
    [message] = await rows(
        app, "SELECT id FROM messages WHERE author = 'chatter' ORDER BY sent_at DESC LIMIT 1"
    )
    told = await mary.found(f"/api/messages/{message['id']}/outcome")
    assert (told["settled"], told["replied"], told["timeToReply"]) == (True, True, 60)
    assert (told["creatorId"], told["author"]) == (talk.creator_id, "chatter")
    missing = await mary.get(f"/api/messages/{new_id()}/outcome")
    assert missing.status_code == 404
    assert "outcome of a message" in missing.json()["detail"]


async def test_a_year_of_effect_is_read_from_as_few_rows_as_there_are_days(app: RunningApp) -> None:
    mary, _ = await compared(app)
    while await roll_up(app.parts):
        pass
    [days] = await rows(app, "SELECT count(*) AS n FROM rollup_outcomes WHERE span = 24")
    assert 0 < days["n"] <= 12
    page = (await app.client.get("/metrics")).text
    assert 'vaultcrm_compared_messages{written_by="ai"} 40' in page
    assert 'vaultcrm_reply_ratio{written_by="ai",bound="value"} 0.5' in page
    assert "vaultcrm_time_saved_seconds" not in page
    assert mary.user_id.hex not in page


async def acts(
    app: RunningApp, talk: Talk, user_id: UUID, at: datetime, text: str, draft: str | None = None
) -> None:
    """Somebody finishes a message of their own, or decides on a draft."""
    known = {"creator": talk.creator_id, "id": new_id(), "talk": talk.conversation_id}
    known |= {"user": user_id, "text": text, "at": at}
    if draft is None:
        await rows(
            app,
            """INSERT INTO outbox (creator_id, id, conversation_id, author, author_user_id, text,
                   bound_hash, delivery_status, attempts, not_before, created_at, updated_at)
               VALUES (%(creator)s, %(id)s, %(talk)s, 'chatter', %(user)s, %(text)s, 'x', 'sent',
                       1, %(at)s, %(at)s, %(at)s)""",
            **known,
        )
        return
    await rows(
        app,
        """INSERT INTO ai_message_generations (creator_id, id, conversation_id, fan_id,
               generation_type, status, currency, confidence_score, reasoning, note,
               approval_reasons, safety, priority, model, prompt_version, personality_version,
               input_tokens, output_tokens, cached_tokens, cost_micro_usd, created_at)
           VALUES (%(creator)s, %(id)s, %(talk)s, %(fan)s, 'reply', 'approved', 'USD', 80, '', '',
                   '{}', '{"findings": []}', 0, 'm', 'p', 1, 0, 0, 0, 0, %(at)s)""",
        **known,
        fan=talk.fan_id,
    )
    await rows(
        app,
        """INSERT INTO ai_message_feedback (creator_id, id, generation_id, feedback_type,
               final_message, performance_data, user_id, created_at, updated_at)
           VALUES (%(creator)s, %(id)s, %(id)s, %(kind)s, %(text)s, '{}', %(user)s, %(at)s,
                   %(at)s)""",
        **known,
        kind=draft,
    )


async def test_time_saved_is_what_messages_by_hand_take_less_what_deciding_took(
    app: RunningApp,
) -> None:
    """Jo writes for one creator and decides for another; a break counts for nothing."""
    mary = await sign_in(app, Role.MANAGER)
    jo = (await sign_in(app, Role.CHATTER, name="Jo")).user_id
    mia, theo = await conversation(mary), await conversation(mary, creator="theo")
    clock = app.parts.now() - timedelta(days=3)
    for number in range(25):
        clock += timedelta(seconds=60)
        await acts(app, mia, jo, clock, "x" * 50)
        kind = "rejected" if number % 5 == 0 else "approved"
        clock += timedelta(seconds=10)
        await acts(app, theo, jo, clock, "y" * 50, kind)
    await acts(app, mia, jo, clock + timedelta(hours=1), "after a long break")

    assert await measure_work(app.parts) == 49
    assert await measure_work(app.parts) == 0
    told = await mary.found("/api/ai/metrics/effect")

    [saved] = told["timeSaved"]
    assert (saved["userId"], saved["decisions"]) == (str(jo), 25)
    assert (saved["byHandSeconds"], saved["decidingSeconds"]) == (20 * 60, 250)
    assert saved["seconds"] == told["timeSavedSeconds"] == 950


async def test_while_too_few_messages_are_written_by_hand_no_time_is_told(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    talk = await conversation(mary)
    jo = (await sign_in(app, Role.CHATTER, name="Jo")).user_id
    began = app.parts.now() - timedelta(days=3)
    for number in range(30):
        at = began + timedelta(seconds=10 * number)
        await acts(app, talk, jo, at, "y" * 50, "approved")
    await measure_work(app.parts)
    told = await mary.found("/api/ai/metrics/effect")
    assert told["timeSavedSeconds"] is None
    assert told["timeSaved"][0]["uncompared"] == 29


async def test_engagement_is_counted_where_there_were_two_weeks_before_and_after(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER)
    for number in range(31):
        talk = await conversation(mary, fan=f"fan{number}", said=())
        old = timedelta(days=40 if number else 17)
        await sent(app, talk, old, answered=True)
        await sent(app, talk, timedelta(days=16), author="ai_approved", answered=True)
        await sent(app, talk, timedelta(days=10), answered=True)
    await attribute_all(app)
    told = (await mary.found("/api/ai/metrics/effect"))["engagement"]
    assert (told["conversations"], told["tooNew"]) == (30, 1)
    assert (told["beforePerDay"], told["afterPerDay"]) == pytest.approx((0, 2 / 14))
    assert told["change"]["value"] == pytest.approx(2 / 14)


def test_a_share_of_few_messages_is_not_told_and_wilsons_interval_is_around_the_others() -> None:
    assert share_of(19, 19) is None
    none = share_of(0, 20)
    assert none is not None
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(0.1611, abs=1e-4)  # z² / (n + z²)
    assert mean_of(29, 1, 1) is None


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    random = Random(5)  # noqa: S311 -- no secret
    shares = [share_of(sum(random.random() < 0.3 for _ in range(60)), 60) for _ in range(400)]
    assert sum(one is not None and one.low <= 0.3 <= one.high for one in shares) / 400 >= 0.92
    means = []
    for _ in range(400):
        drawn = [random.gauss(10, 4) for _ in range(60)]
        means.append(mean_of(60, sum(drawn), sum(value * value for value in drawn)))
    assert sum(one is not None and one.low <= 10 <= one.high for one in means) / 400 >= 0.91


def test_time_that_decisions_cost_is_told_as_a_loss() -> None:
    jo, ann = new_id(), new_id()
    tallies = [
        WorkTally(ann, WorkKind.BY_HAND, 0, 10, 20, 20 * 5_000),
        WorkTally(jo, WorkKind.SENT, 0, 20, 20, 20 * 30_000),
        WorkTally(jo, WorkKind.SENT, 2, 20, 3, 3 * 30_000),
    ]
    [found] = time_saved(tallies)
    assert (found.seconds, found.uncompared) == (20 * 5 - 20 * 30, 3)


def test_a_change_in_engagement_of_a_few_conversations_is_not_told() -> None:
    found = engagement_change([EngagementTally(True, 29, 10, 90, 4_000)])
    assert (found.conversations, found.change) == (29, None)
