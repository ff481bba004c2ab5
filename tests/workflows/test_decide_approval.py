"""Deciding: all of a decision happens, or none of it."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from tests.support.app import RunningApp
from tests.support.channels import only
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.db.queries import access
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.generation import GenerationStatus
from vaultcrm.domain.people import Caller, Credential, Role
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.work_queue import claim

pytestmark = pytest.mark.anyio


async def as_caller(person: SignedIn) -> Caller:
    parts = person.app.parts
    async with parts.pool.connection() as connection:
        credential = Credential(user_id=person.user_id)
        caller = await (await access.find_caller(connection, credential, parts.now())).answer()
    assert caller is not None
    return caller


async def waiting(manager: SignedIn) -> UUID:
    talk = await conversation(manager)
    draft = await manager.made("/api/ai/generate", talk.asks())
    return UUID(draft["generationId"])


async def test_a_decision_that_cannot_be_handed_on_is_not_made(claude: RunningApp) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    caller = await as_caller(manager)
    generation_id = await waiting(manager)
    await rows(claude, "DROP TABLE procrastinate_jobs CASCADE")

    with pytest.raises(psycopg.Error):
        await decide_approval(
            claude.parts, caller, DecisionRequest(generation_id, DecisionAction.APPROVE)
        )

    [draft] = await rows(claude, "SELECT * FROM ai_message_generations")
    assert (draft["status"], draft["approved_by"]) == ("queued", None)
    assert await rows(claude, "SELECT 1 FROM outbox") == []
    assert await rows(claude, "SELECT 1 FROM ai_message_feedback") == []
    rejected = await decide_approval(
        claude.parts, caller, DecisionRequest(generation_id, DecisionAction.REJECT)
    )
    assert rejected.status is GenerationStatus.REJECTED


async def test_nothing_is_approved_for_a_channel_that_is_not_set_up(claude: RunningApp) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    caller = await as_caller(manager)
    generation_id = await waiting(manager)
    parts = replace(claude.parts, channels=only())
    with pytest.raises(InvalidInput, match="the channel simulator is not set up here"):
        await decide_approval(parts, caller, DecisionRequest(generation_id, DecisionAction.APPROVE))
    rejected = await decide_approval(
        parts, caller, DecisionRequest(generation_id, DecisionAction.REJECT)
    )
    assert rejected.status is GenerationStatus.REJECTED


async def test_a_phone_number_as_the_creators_country_writes_it_does_not_leave(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    caller = await as_caller(manager)
    generation_id = await waiting(manager)
    await rows(claude, "UPDATE creators SET region = 'GB'")
    request = DecisionRequest(
        generation_id, DecisionAction.MODIFY, modified_message="Call me: 020 7946 0958"
    )
    with pytest.raises(InvalidInput):
        await decide_approval(claude.parts, caller, request)


async def test_a_claim_holds_until_its_time_is_over_and_may_be_renewed(
    claude: RunningApp,
) -> None:
    ann, ben = [await sign_in(claude, Role.CHATTER) for _ in range(2)]
    generation_id = await waiting(await sign_in(claude, Role.MANAGER))
    ann_asks, ben_asks = await as_caller(ann), await as_caller(ben)
    now = claude.parts.now()

    await claim(claude.parts, ann_asks, generation_id)
    later = replace(claude.parts, now=lambda: now + timedelta(minutes=3))
    renewed = await claim(later, ann_asks, generation_id)
    assert renewed.claimed_until == now + timedelta(minutes=8)
    after_the_first = replace(claude.parts, now=lambda: now + timedelta(minutes=7))
    with pytest.raises(Conflict) as refused:
        await claim(after_the_first, ben_asks, generation_id)
    assert refused.value.decided_by == ann_asks.name
    after_both = replace(claude.parts, now=lambda: now + timedelta(minutes=9))
    held = await claim(after_both, ben_asks, generation_id)
    assert held.claimed_by == ben.user_id
