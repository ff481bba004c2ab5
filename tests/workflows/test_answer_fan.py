"""A fan has written: what the checker model sees in it, and what comes of that."""

from typing import Any
from uuid import UUID

import pytest

from stubs.llm import Fail, LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    conversation,
    counters,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.generation import GenerationRecord
from vaultcrm.domain.people import Role
from vaultcrm.workflows.answer_fan import answer_fan

pytestmark = pytest.mark.anyio

CALM = {
    "sentiment": "positive",
    "intent": "question",
    "distress": "none",
    "possible_minor": False,
    "language": "en",
}


@pytest.fixture
async def admin(claude: RunningApp) -> SignedIn:
    signed_in = await sign_in(claude, Role.ADMIN)
    await set_flag(signed_in, "AI_ROLLOUT_STAGE", 3)
    await set_flag(signed_in, "AI_AUTO_SEND_THRESHOLD", 50)
    return signed_in


async def answered(app: RunningApp, talk: Talk) -> GenerationRecord:
    record = await answer_fan(app.parts, UUID(talk.creator_id), UUID(talk.conversation_id))
    assert record is not None
    return record


async def care_of(app: RunningApp, talk: Talk) -> str | None:
    found = await rows(
        app, "SELECT care FROM conversations WHERE id = %(id)s", id=talk.conversation_id
    )
    care: str | None = found[0]["care"]
    return care


async def test_a_calm_message_is_read_and_its_answer_leaves_by_itself(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    llm.script([Reply(analysis=CALM), Reply(candidates=WARM)])
    record = await answered(claude, talk)
    assert (record.status, record.approval_reasons) == ("auto_sent", ())
    (message,) = await rows(claude, "SELECT sentiment, intent, language FROM messages")
    assert message == {"sentiment": "positive", "intent": "question", "language": "en"}


async def test_what_reading_cost_is_written_down_and_counts_for_the_day(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    llm.script([Reply(analysis=CALM), Reply(candidates=WARM)])
    await answered(claude, talk)
    used = await rows(
        claude,
        "SELECT purpose, model, input_tokens + output_tokens + cached_tokens AS tokens "
        "FROM usage ORDER BY id",
    )
    assert [row["purpose"] for row in used] == ["analysis", "judge", "draft"]
    assert used[0]["model"] == "claude-haiku-5-5"
    spent = (await counters(claude))["tokens_per_day", "all"]
    assert spent == sum(row["tokens"] for row in used)


@pytest.mark.parametrize(
    ("seen", "care"),
    [
        ({"distress": "possible"}, "distress"),
        ({"distress": "clear"}, "distress"),
        ({"possible_minor": True}, "possible_minor"),
    ],
)
async def test_signs_that_only_the_model_sees_put_a_person_on_the_conversation(
    claude: RunningApp, admin: SignedIn, llm: LlmStub, seen: dict[str, Any], care: str
) -> None:
    talk = await conversation(admin, said=["it all feels so far away lately"])
    llm.script([Reply(analysis=CALM | seen), Reply(candidates=WARM)])
    record = await answered(claude, talk)
    assert record.status == "queued"
    assert await care_of(claude, talk) == care
    offer = await admin.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert (offer["status"], offer["message"]) == ("rejected", None)


async def test_care_that_was_called_for_is_not_taken_away_by_a_calm_message(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin, said=["I'm 15 by the way"])
    assert await care_of(claude, talk) == "possible_minor"
    llm.script([Reply(analysis=CALM), Reply(candidates=WARM)])
    await answered(claude, talk)
    assert await care_of(claude, talk) == "possible_minor"


async def test_a_checker_that_fails_leaves_the_answer_to_a_person(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    llm.script([Fail(500), Reply(candidates=WARM)])
    record = await answered(claude, talk)
    assert (record.status, record.approval_reasons) == ("queued", ("checker_unavailable",))


async def test_nothing_is_read_or_drafted_beyond_the_tokens_of_the_day(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 2_000)
    with pytest.raises(LimitExceeded):
        await answered(claude, talk)
    assert llm.requests == []
    assert await counters(claude) == {}


async def test_nothing_is_read_while_ai_is_off(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    await set_flag(admin, "ENABLE_AI_CHAT", value=False)
    creator_id, conversation_id = UUID(talk.creator_id), UUID(talk.conversation_id)
    assert await answer_fan(claude.parts, creator_id, conversation_id) is None
    assert llm.requests == []
