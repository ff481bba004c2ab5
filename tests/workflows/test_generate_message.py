"""Drafting: everything of one draft is saved, or nothing, and what was used is always counted."""

from itertools import pairwise
from uuid import UUID

import psycopg
import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.world import WARM, conversation, counters, rows, set_flag, sign_in
from vaultcrm.domain.errors import LimitExceeded, NotFound, Unauthenticated
from vaultcrm.domain.generation import GenerationStatus, GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential, Role
from vaultcrm.workflows.answer_fan import answer_fan
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message

pytestmark = pytest.mark.anyio

SYSTEM = Credential(user_id=SYSTEM_USER_ID)


async def test_a_draft_that_cannot_be_handed_on_is_not_saved_but_its_tokens_count(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    llm.script([Reply(candidates=WARM)])
    await rows(claude, "DROP TABLE procrastinate_jobs CASCADE")

    with pytest.raises(psycopg.Error):
        await admin.post("/api/ai/generate", talk.asks())

    for table in (
        "SELECT 1 FROM ai_message_generations",
        "SELECT 1 FROM usage WHERE purpose = 'draft'",
        "SELECT 1 FROM outbox",
        "SELECT 1 FROM ai_message_feedback",
        "SELECT 1 FROM audit_log WHERE action = 'generation.created'",
    ):
        assert await rows(claude, table) == []
    used = (await counters(claude))["tokens_per_day", "all"]
    [request] = llm.drafted
    assert 0 < used < 4_000
    assert request.body["max_tokens"] == 512


async def test_automatic_drafts_are_counted_for_their_creator_and_nobody_else(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin)
    theo = await conversation(admin, creator="theo")
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 1)

    async def drafted(creator_id: str, conversation_id: str) -> GenerationStatus:
        wanted = GenerateRequest(UUID(creator_id), UUID(conversation_id), GenerationType.REPLY)
        record = await generate_message(claude.parts, SYSTEM, wanted)
        assert record.chatter_id is None
        return record.status

    assert await drafted(mia.creator_id, mia.conversation_id) is GenerationStatus.QUEUED
    with pytest.raises(LimitExceeded):
        await drafted(mia.creator_id, mia.conversation_id)
    assert await drafted(theo.creator_id, theo.conversation_id) is GenerationStatus.QUEUED
    used = await counters(claude)
    assert used["requests_per_hour", mia.creator_id] == 1
    assert used["requests_per_hour", theo.creator_id] == 1


async def test_nobody_drafts_without_being_known_or_for_what_is_not_there(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    creator_id = UUID(talk.creator_id)
    known = GenerateRequest(creator_id, UUID(talk.conversation_id), GenerationType.REPLY)
    unknown = GenerateRequest(creator_id, new_id(), GenerationType.REPLY)
    with pytest.raises(Unauthenticated):
        await generate_message(claude.parts, Credential(user_id=new_id()), known)
    with pytest.raises(NotFound):
        await generate_message(claude.parts, SYSTEM, unknown)
    assert llm.requests == []
    assert await counters(claude) == {}


async def test_a_fan_is_answered_once_they_wait_and_not_when_they_do_not(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=())
    creator_id, conversation_id = UUID(talk.creator_id), UUID(talk.conversation_id)
    assert await answer_fan(claude.parts, creator_id, conversation_id) is None
    await admin.made(talk.messages, talk.says("Hello?"))
    drafted = await answer_fan(claude.parts, creator_id, conversation_id)
    assert drafted is not None
    await admin.made(talk.messages, talk.says("Hi!", **{"from": "creator"}))
    assert await answer_fan(claude.parts, creator_id, conversation_id) is None
    await admin.made(talk.messages, talk.says("Hello again"))
    await set_flag(admin, "ENABLE_AI_CHAT", value=False)
    assert await answer_fan(claude.parts, creator_id, conversation_id) is None
    assert len(await rows(claude, "SELECT 1 FROM ai_message_generations")) == 1


async def test_what_the_model_is_asked_names_neither_the_fan_nor_any_id(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await admin.made("/api/ai/generate", talk.asks())
    [request] = llm.requests
    hashed = request.body["metadata"]["user_id"]
    assert hashed not in {talk.fan_id, "tom88"}
    for known in (talk.fan_id, talk.creator_id, talk.conversation_id):
        assert known not in str(request.body)


async def test_a_watched_draft_is_told_as_it_grows_and_is_the_same_draft(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    wanted = GenerateRequest(
        UUID(talk.creator_id), UUID(talk.conversation_id), GenerationType.REPLY
    )
    told: list[str] = []
    llm.script([Reply(candidates=WARM), Reply(candidates=WARM)])

    watched = await generate_message(claude.parts, SYSTEM, wanted, watcher=told.append)
    plain = await generate_message(claude.parts, SYSTEM, wanted)

    assert told[-1] == WARM[0]["message"]
    assert all(later.startswith(earlier) for earlier, later in pairwise(told))
    assert (watched.message, watched.confidence, watched.approval_reasons) == (
        plain.message,
        plain.confidence,
        plain.approval_reasons,
    )
    assert [request.body.get("stream", False) for request in llm.requests] == [True, False]
    [used] = await rows(
        claude, "SELECT sum(input_tokens + output_tokens + cached_tokens) AS n FROM usage"
    )
    assert (await counters(claude))["tokens_per_day", "all"] == used["n"]
