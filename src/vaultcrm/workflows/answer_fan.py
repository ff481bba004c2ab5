"""A fan has written: read the message, and draft an answer where AI may."""

from uuid import UUID

from vaultcrm.db.queries import situations
from vaultcrm.domain.conversation import Author, Mode, Sender
from vaultcrm.domain.errors import AiDisabled
from vaultcrm.domain.generation import GenerationRecord, GenerationType
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential
from vaultcrm.domain.situation import Situation
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_message import read_message


async def answer_fan(
    parts: Parts,
    creator_id: UUID,
    conversation_id: UUID,
    generation_type: GenerationType = GenerationType.REPLY,
) -> GenerationRecord | None:
    """Draft an answer to a fan who waits; None when there is nothing to answer or AI is off.

    Other types than a reply (a welcome, a thank-you) are drafted whether or not the fan waits.

    Raises LimitExceeded or a DrafterError, after which the job is tried again later.
    """
    async with parts.pool.connection() as connection:
        sent = await situations.load_situation(
            connection,
            creator_id=creator_id,
            conversation_id=conversation_id,
            fan_id=None,
            now=parts.now(),
        )
        situation = await sent.answer()
    if situation is None or situation.conversation.mode is Mode.OFF:
        return None
    fan_waits = _fan_waits(situation)
    if generation_type is GenerationType.REPLY and not fan_waits:
        return None
    try:
        was_read = not fan_waits or await read_message(parts, situation)
        request = GenerateRequest(
            creator_id, conversation_id, generation_type, fan_was_read=was_read
        )
        return await generate_message(parts, Credential(user_id=SYSTEM_USER_ID), request)
    except AiDisabled:
        return None


def _fan_waits(situation: Situation) -> bool:
    """Whether the fan said the last word. That they were told about AI answers nothing else."""
    said = [one for one in situation.messages if one.author is not Author.DISCLOSURE]
    return bool(said) and said[-1].sender is Sender.FAN
