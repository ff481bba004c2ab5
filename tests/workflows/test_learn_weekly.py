"""Weekly learning: finds what works, says so, proposes it, watches it, and takes it back."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.learning import Written, flat, weeks_of_messages
from tests.support.world import SignedIn, conversation, rows, set_flag, sign_in
from vaultcrm.db.queries import proposals
from vaultcrm.db.queries.learning import start_of
from vaultcrm.db.queries.situations import load_situation
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.learning import Proposal, ProposalStatus, WatchState
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.learning.telling import sentence
from vaultcrm.pipeline.learning.weeks import WEEK
from vaultcrm.workflows.decide_proposal import LEARNING, apply_proposal, dismiss_proposal
from vaultcrm.workflows.erase_fan import carry_on
from vaultcrm.workflows.gather_week import gather
from vaultcrm.workflows.learn_weekly import (
    ask_to_learn,
    last_settled_week,
    learn_now,
    learn_one,
)
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.watch_proposals import watch_proposals

pytestmark = pytest.mark.anyio

OPENERS = ("That sounds like a long day.", "I was at the beach.", "The weather is lovely.")
ENDS = ("Take it easy tonight.", "More soon.", "That made me smile.")


def asks_or_tells(random: Random, name: str) -> Written:
    """Half of the messages ask, and those are answered far more often. People take one phrase out
    of most drafts that have it.
    """
    asks = random.random() < 0.5
    text = f"{random.choice(OPENERS)} {random.choice(ENDS)}"
    text += " How about you, tell me?" if asks else " There we are."
    draft = final = text
    if random.random() < 0.3:
        draft = f"{text} My sweet angel, always."
        final = text if random.random() < 0.8 else draft
    return Written(draft, final, random.random() < (0.6 if asks else 0.25))


def nothing_matters(random: Random, name: str) -> Written:
    text = f"{random.choice(OPENERS)} {random.choice(ENDS)}"
    text += " How about you?" if random.random() < 0.5 else " There."
    return Written(text, text, random.random() < 0.4)


@pytest.fixture
async def admin(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.ADMIN)


@pytest.fixture
async def mia(admin: SignedIn) -> str:
    return (await conversation(admin)).creator_id


def week_end(parts: Parts) -> datetime:
    """The end of the last week that is settled."""
    return start_of(last_settled_week(parts)) + WEEK


async def newest(app: RunningApp, creator_id: str) -> Proposal:
    [one] = await all_of(app, creator_id)
    return one


async def all_of(app: RunningApp, creator_id: str) -> list[Proposal]:
    async with app.parts.pool.connection() as connection:
        return await (await proposals.listed(connection, [UUID(creator_id)], most=9)).answer()


async def test_what_was_answered_more_often_and_what_people_take_out_becomes_a_proposal(
    app: RunningApp, mia: str
) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 900, asks_or_tells, days=14)
    [learned] = await learn_now(app.parts, "mia")
    told = [sentence(one) for one in learned.report.findings]
    assert learned.report.messages == 900
    asked = next(one for one in told if one.startswith("Messages that ask a question"))
    assert "were answered" in asked
    assert "900 messages" in asked
    proposal = learned.proposal
    assert proposal is not None
    changes = flat(proposal.fields)
    assert "Ask the fan one short question." in changes
    assert "sweet angel" in changes
    assert "Do not say" in changes
    finding = next(one for one in proposal.findings if one.arm == "question")
    assert 0 < finding.low < finding.rate - finding.otherwise < finding.high
    assert abs(finding.rate - 0.6) < 0.1
    assert abs(finding.otherwise - 0.25) < 0.1


async def test_a_second_run_reads_nothing_again_and_makes_no_second_proposal(
    app: RunningApp, mia: str
) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    [first] = await learn_now(app.parts, "mia")
    await rows(app, "DELETE FROM message_outcomes")
    [second] = await learn_now(app.parts, "mia")
    assert first == second
    await asyncio.gather(*(learn_one(app.parts, first.creator.id) for _ in range(3)))
    assert await all_of(app, mia) == [first.proposal]


async def test_a_run_that_died_between_two_steps_goes_on_and_comes_to_the_same(
    app: RunningApp, mia: str
) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    week = last_settled_week(app.parts)
    await gather(app.parts, UUID(mia), week)
    [kept] = await rows(app, "SELECT sums FROM learning_weeks")
    await rows(app, "DELETE FROM learning_weeks")
    await gather(app.parts, UUID(mia), week)
    assert await rows(app, "SELECT sums FROM learning_weeks") == [kept]
    [learned] = await learn_now(app.parts, "mia")
    assert learned.proposal is not None
    assert learned.proposal.week == week


async def test_where_nothing_matters_nothing_is_proposed(app: RunningApp, mia: str) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 800, nothing_matters, seed=4)
    [learned] = await learn_now(app.parts, "mia")
    assert learned.report.enough
    assert learned.report.tested > 10
    assert learned.report.findings == ()
    assert learned.proposal is None


async def test_three_messages_are_not_enough_data_yet(app: RunningApp, mia: str) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 3, asks_or_tells)
    [learned] = await learn_now(app.parts, "mia")
    assert learned.report.messages == 3
    assert not learned.report.enough
    assert learned.report.findings == ()
    assert learned.proposal is None


async def test_a_phrase_with_a_fans_name_or_a_number_is_never_kept(
    app: RunningApp, mia: str
) -> None:
    def names(random: Random, name: str) -> Written:
        good = random.random() < 0.5
        text = f"Hey {name}, call my line 555 0199 now" if good else "Hey you, a quiet day here"
        return Written(text, text, random.random() < (0.7 if good else 0.2))

    await weeks_of_messages(app, mia, week_end(app.parts), 350, names)
    await learn_now(app.parts, "mia")
    kept = flat(await rows(app, "SELECT sums::text AS sums FROM learning_weeks"))
    assert "albert" not in kept
    assert "555" not in kept
    [proposal] = await all_of(app, mia)
    assert "555" not in flat(proposal.fields)
    assert "Call the fan by name." in flat(proposal.fields)


async def test_a_creator_of_another_handle_is_not_found(app: RunningApp, mia: str) -> None:
    with pytest.raises(NotFound):
        await learn_now(app.parts, "nobody")


async def test_an_applied_proposal_is_a_new_version_and_is_audited(
    app: RunningApp, mia: str
) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    proposal = await newest(app, mia)
    saved = await apply_proposal(app.parts, LEARNING, proposal.id)
    assert saved.version == proposal.base_version + 1
    assert "Ask the fan one short question." in saved.system_prompt
    applied = await newest(app, mia)
    assert applied.status is ProposalStatus.APPLIED
    assert applied.applied_version == saved.version
    assert applied.watch is not None
    assert applied.watch.state is WatchState.WATCHING
    actions = {one["action"] for one in await rows(app, "SELECT action FROM audit_log")}
    assert {"learning.proposed", "learning.applied", "personality.changed"} <= actions
    with pytest.raises(Conflict, match="has been applied"):
        await apply_proposal(app.parts, LEARNING, proposal.id)


async def test_a_version_that_somebody_saved_meanwhile_is_not_written_over(
    app: RunningApp, admin: SignedIn, mia: str
) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    proposal = await newest(app, mia)
    body = {"creatorId": mia, "systemPrompt": "Our own words."}
    await admin.made("/api/ai/personality", body)
    with pytest.raises(Conflict, match="Another version has been saved"):
        await apply_proposal(app.parts, LEARNING, proposal.id)
    assert (await newest(app, mia)).status is ProposalStatus.SUPERSEDED


async def test_what_was_dismissed_is_not_proposed_again_the_week_after(
    app: RunningApp, mia: str
) -> None:
    end = week_end(app.parts)
    await weeks_of_messages(app, mia, end, 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    proposal = await newest(app, mia)
    await dismiss_proposal(app.parts, LEARNING, proposal.id, "She does not ask.")
    await weeks_of_messages(app, mia, end + WEEK, 350, asks_or_tells, seed=2)
    later = replace(app.parts, now=lambda: datetime.now(UTC) + WEEK)
    await learn_now(later, "mia")
    again = [one for one in await all_of(app, mia) if one.id != proposal.id]
    assert all("Ask the fan one short question." not in flat(one.fields) for one in again)


async def test_with_the_flag_a_proposal_applies_itself_and_is_taken_back_if_it_does_worse(
    app: RunningApp, admin: SignedIn, mia: str
) -> None:
    await set_flag(admin, "AI_LEARNING_APPLIES", True, mia)
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    applied = await newest(app, mia)
    assert applied.status is ProposalStatus.APPLIED
    assert applied.by_itself
    assert applied.decided_at is not None

    await weeks_of_messages(
        app,
        mia,
        applied.decided_at + timedelta(days=5),
        400,
        lambda random, name: Written("Good morning to you.", "Good morning to you.", False),
        days=5,
        seed=3,
    )
    later = replace(app.parts, now=lambda: datetime.now(UTC) + timedelta(days=8))
    await watch_proposals(later, applied.creator_id)
    taken_back = await newest(app, mia)
    assert taken_back.status is ProposalStatus.ROLLED_BACK
    assert taken_back.watch is not None
    assert taken_back.watch.state is WatchState.WORSE
    answered = next(one for one in taken_back.watch.courses if one.name == "replied")
    assert answered.high < 0
    voice = await admin.found("/api/ai/personality", creatorId=mia)
    assert voice["systemPrompt"] == ""


async def test_a_proposal_that_does_well_stays_under_watch(app: RunningApp, mia: str) -> None:
    await weeks_of_messages(app, mia, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    proposal = await newest(app, mia)
    await apply_proposal(app.parts, LEARNING, proposal.id)
    applied = await newest(app, mia)
    assert applied.decided_at is not None
    await weeks_of_messages(
        app, mia, applied.decided_at + timedelta(days=5), 300, asks_or_tells, days=5, seed=3
    )
    later = replace(app.parts, now=lambda: datetime.now(UTC) + timedelta(days=8))
    await watch_proposals(later, applied.creator_id)
    seen = (await newest(app, mia)).watch
    assert seen is not None
    assert seen.state is WatchState.WATCHING
    assert {one.name for one in seen.courses} == {"unchanged", "replied", "revenue"}
    assert all(one.low <= one.after - one.before <= one.high for one in seen.courses)


async def test_examples_are_answered_messages_without_names_and_an_erased_fans_go(
    app: RunningApp, admin: SignedIn, mia: str
) -> None:
    texts = (
        "That sounds like a long week, put your feet up tonight.",
        "I keep thinking about that story with the boat.",
        "Rain here all morning, so I stayed in with a book.",
    )

    def varied(random: Random, name: str) -> Written:
        text = random.choice((*texts, f"Good to hear from you again, {name}, really."))
        return Written(text, text, True)

    await weeks_of_messages(app, mia, week_end(app.parts), 120, varied)
    await learn_now(app.parts, "mia")
    kept = await rows(app, "SELECT text, conversation_id FROM learned_examples")
    assert {one["text"] for one in kept} == set(texts)
    [fan] = await rows(
        app,
        "SELECT fan_id FROM conversations WHERE id = %(id)s",
        id=kept[0]["conversation_id"],
    )
    async with app.parts.pool.connection() as connection:
        sent = await load_situation(
            connection,
            creator_id=UUID(mia),
            conversation_id=kept[0]["conversation_id"],
            fan_id=None,
            now=app.parts.now(),
        )
        situation = await sent.answer()
    assert situation is not None
    assert set(situation.examples) == set(texts)
    [person] = await rows(app, "SELECT handle FROM fans WHERE id = %(id)s", id=fan["fan_id"])
    asked = {"creatorId": mia, "reason": "They asked.", "handle": person["handle"]}
    erasure = (await admin.post(f"/api/fans/{fan['fan_id']}/erasure", asked)).json()
    await carry_on(app.parts, UUID(mia), UUID(erasure["id"]))
    left = await rows(app, "SELECT text FROM learned_examples")
    assert {one["text"] for one in left} == set(texts) - {kept[0]["text"]}


async def test_each_creator_gets_one_job_and_one_that_waits_is_not_doubled(
    app: RunningApp, admin: SignedIn, mia: str
) -> None:
    await conversation(admin, creator="zoe", fan="ben")
    assert await ask_to_learn(app.parts) == 2
    assert await ask_to_learn(app.parts) == 0
