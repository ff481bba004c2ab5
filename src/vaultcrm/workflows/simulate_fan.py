"""Fans of the simulator channel live their own lives: they answer, buy, and write unasked."""

from datetime import timedelta
from uuid import UUID

from vaultcrm.adapters.channels.simulator.fans import (
    FanTraits,
    kind_of,
    open_conversation,
    respond,
    traits_of,
)
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import outbox, situations
from vaultcrm.db.queries.simulation import quiet_conversations
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.situation import Situation
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.receive_message import receive_event

CHANNEL = "simulator"
FANS_AT_ONCE = 2


async def fan_reacts(parts: Parts, creator_id: UUID, item_id: UUID) -> None:
    """What the fan does about a message that was sent: answer, buy, both, or nothing."""
    async with parts.transaction() as connection:
        item = await (await outbox.get(connection, creator_id, item_id)).answer()
        if item is None:
            return
        sent = await situations.load_situation(
            connection,
            creator_id=creator_id,
            conversation_id=item.conversation_id,
            fan_id=None,
            now=parts.now(),
        )
        situation = await sent.answer()
        if situation is None:
            return
        response = respond(_traits(situation), item.text, item.price, seed=item.id.int % 2**32)
        if response.buys:
            await _happens(
                parts, connection, situation, EventKind.PURCHASE, message_ref=item.external_id or ""
            )
        if response.reply_text is not None:
            await _happens(
                parts, connection, situation, EventKind.MESSAGE, text=response.reply_text
            )


async def fan_opens(parts: Parts, seed: int) -> None:
    """A few fans with whom nothing waits may write unasked."""
    async with parts.transaction() as connection:
        quiet = await quiet_conversations(
            connection,
            channel=CHANNEL,
            before=parts.now() - timedelta(minutes=2),
            limit=FANS_AT_ONCE,
        )
        for creator_id, conversation_id in quiet:
            sent = await situations.load_situation(
                connection,
                creator_id=creator_id,
                conversation_id=conversation_id,
                fan_id=None,
                now=parts.now(),
            )
            situation = await sent.answer()
            if situation is None:
                continue
            text = open_conversation(_traits(situation), seed)
            if text is not None:
                await _happens(parts, connection, situation, EventKind.MESSAGE, text=text)


def _traits(situation: Situation) -> FanTraits:
    voice = situation.personality
    described = "" if voice is None else f"{voice.personality_type} {voice.system_prompt}"
    return traits_of(situation.creator.handle, situation.fan.handle, kind_of(described))


async def _happens(
    parts: Parts,
    connection: Connection,
    situation: Situation,
    kind: EventKind,
    *,
    text: str = "",
    message_ref: str = "",
) -> None:
    event = InboundEvent(
        event_id=str(new_id()),
        kind=kind,
        fan_handle=situation.fan.handle,
        fan_display_name=situation.fan.display_name,
        conversation_ref=situation.conversation.external_ref,
        occurred_at=parts.now(),
        message_ref=message_ref,
        text=text,
    )
    await receive_event(parts, connection, CHANNEL, situation.creator.id, event)
