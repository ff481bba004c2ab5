"""What leaves for a model's provider: the conversation, without anybody's personal data."""

import json
from uuid import UUID

import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.world import WARM, conversation, rows, set_flag, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows.answer_fan import answer_fan

pytestmark = pytest.mark.anyio

PHONE = "415-555-2671"
EMAIL = "tom.berger@gmail.com"
IBAN = "DE89 3704 0044 0532 0130 00"


async def test_no_personal_data_of_a_conversation_or_its_notes_reaches_the_model(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(
        admin, said=(f"call me at {PHONE}", f"or write to {EMAIL}, my account is {IBAN}")
    )
    await rows(
        claude, "UPDATE fans SET notes = 'his private mail is old.tom@gmail.com' RETURNING 1"
    )
    llm.script([Reply(candidates=WARM)])

    await admin.made("/api/ai/generate", talk.asks())

    sent = json.dumps([request.body for request in llm.requests])
    for secret in (PHONE, EMAIL, IBAN, "old.tom"):
        assert secret not in sent
    for placeholder in ("[phone]", "[email]", "[iban]"):
        assert placeholder in sent


async def test_no_personal_data_reaches_the_model_from_before_the_last_ten_messages(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    said = [f"message number {number}" for number in range(15)]
    said[4] = f"call me at {PHONE}"
    talk = await conversation(admin, said=said)
    llm.script([Reply(candidates=WARM)])

    await admin.made("/api/ai/generate", talk.asks())

    sent = json.dumps([request.body for request in llm.requests])
    assert "message number 3" in sent
    assert "[phone]" in sent
    assert PHONE not in sent


async def test_what_the_fan_wrote_is_kept_as_it_is_for_the_people_who_answer(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=(f"call me at {PHONE}",))
    llm.script([Reply(candidates=WARM)])
    await admin.made("/api/ai/generate", talk.asks())

    shown = await admin.found(talk.messages)
    assert PHONE in [message["text"] for message in shown["items"]][-1]


async def test_only_the_beginning_of_a_very_long_message_is_shown_to_the_model(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=("hello " * 1_200 + PHONE,))
    llm.script([Reply(candidates=WARM)])

    await admin.made("/api/ai/generate", talk.asks())

    sent = json.dumps([request.body for request in llm.requests])
    assert "hello hello" in sent
    assert PHONE not in sent
    assert len(sent) < 16_000


async def test_no_personal_data_reaches_the_model_that_reads_what_a_fan_wrote(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    talk = await conversation(admin, said=(f"call me at {PHONE}", f"or write to {EMAIL}"))

    await answer_fan(claude.parts, UUID(talk.creator_id), UUID(talk.conversation_id))

    read, drafted = (json.dumps(request.body) for request in llm.requests[:2])
    for sent in (read, drafted):
        assert PHONE not in sent
        assert EMAIL not in sent
        assert "[phone]" in sent
        assert "[email]" in sent
