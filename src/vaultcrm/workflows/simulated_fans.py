"""What a simulated creator's fans do, as the platform tells of it: they come, write, buy, tip."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from vaultcrm.adapters.worlds import fans
from vaultcrm.adapters.worlds.chance import share
from vaultcrm.adapters.worlds.fans import DAY_MINUTES
from vaultcrm.db.queries import conversations
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.money import Money
from vaultcrm.workflows.receive_message import receive_event
from vaultcrm.workflows.simulated_life import CHANNEL, TOLD_TWICE, Life, Talk


async def begin_day(life: Life, about: Mapping[str, Any]) -> None:
    """Draw when fans write unasked on a day, and put the next day on the agenda."""
    day = about["day"]
    life.agenda.add((day + 1.0) * DAY_MINUTES, "day", day=day + 1)
    for fan in life.creator.fans:
        for minute in fans.opening_minutes(life.world, life.creator, fan, day):
            life.agenda.add(minute, "open", fan=fan.handle)


async def open_talk(life: Life, about: Mapping[str, Any]) -> None:
    """A fan writes unasked, unless they wait for an answer already, or have not come yet."""
    talk = life.talks[about["fan"]]
    if talk.gone or talk.conversation_id is None or talk.unanswered:
        return
    number = life.tally.counts["opened"]
    life.tally.counts["opened"] += 1
    text = fans.opening(life.world, life.creator, talk.fan, number)
    await _say(life, talk, text)


async def reply(life: Life, about: Mapping[str, Any]) -> None:
    """A fan answers a message of ours."""
    talk = life.talks[about["fan"]]
    life.tally.replies.append(life.agenda.minute)
    await _say(life, talk, about["text"])


async def _say(life: Life, talk: Talk, text: str) -> None:
    number = len(life.fan_refs)
    reference = f"w-{life.creator.handle}-{number}"
    life.fan_refs.append(reference)
    if not talk.unanswered:
        talk.waits_since = life.agenda.minute
    talk.unanswered.append(text)
    talk.last_said = text
    await _happens(life, talk, EventKind.MESSAGE, reference, reference, text=text)


async def follow(life: Life, about: Mapping[str, Any]) -> None:
    """A new fan comes, with a conversation of their own."""
    talk = life.talks[about["fan"]]
    await _happens(life, talk, EventKind.FOLLOW, f"follow-{talk.fan.handle}", "")
    talk.conversation_id = await _find(life, talk)
    life.by_conversation[talk.conversation_id] = talk


async def buy(life: Life, about: Mapping[str, Any]) -> None:
    """A fan pays for an offer."""
    talk, paid = life.talks[about["fan"]], about["minor"]
    life.tally.purchases.append((life.agenda.minute, paid))
    event = f"bought-{about['ref']}"
    await _happens(life, talk, EventKind.PURCHASE, event, about["ref"], amount=Money(paid))


async def tip(life: Life, about: Mapping[str, Any]) -> None:
    """A fan gives money for nothing; the platform has no id of a message for it."""
    talk, paid = life.talks[about["fan"]], about["minor"]
    life.tally.tips.append((life.agenda.minute, paid))
    event = f"tip-{talk.fan.handle}-{len(life.tally.tips)}"
    await _happens(life, talk, EventKind.TIP, event, "", amount=Money(paid), once=True)


async def refund(life: Life, about: Mapping[str, Any]) -> None:
    """Money for an offer goes back to the fan."""
    talk, paid = life.talks[about["fan"]], about["minor"]
    life.tally.refunds.append((life.agenda.minute, paid))
    event = f"refund-{about['ref']}"
    await _happens(life, talk, EventKind.REFUND, event, about["ref"], amount=Money(paid))


async def _happens(
    life: Life,
    talk: Talk,
    kind: EventKind,
    event_id: str,
    reference: str,
    *,
    text: str = "",
    amount: Money | None = None,
    once: bool = False,
) -> None:
    """The platform tells of something, now and then twice."""
    event = InboundEvent(
        event_id=event_id,
        kind=kind,
        fan_handle=talk.fan.handle,
        fan_display_name=talk.fan.name,
        conversation_ref=talk.fan.handle,
        occurred_at=life.parts.now(),
        message_ref=reference,
        text=text,
        amount=amount,
    )
    await _tell(life, event)
    told = life.tally.counts["told"]
    life.tally.counts["told"] += 1
    drawn = share(life.world.spec.seed, "twice", life.creator.handle, told)
    if not once and drawn < TOLD_TWICE:
        life.tally.counts["told twice"] += 1
        life.agenda.add(life.agenda.minute + 1.0, "again", event=event)


async def tell_again(life: Life, about: Mapping[str, Any]) -> None:
    """The platform tells of something a second time."""
    await _tell(life, about["event"])


async def _tell(life: Life, event: InboundEvent) -> None:
    async with life.parts.transaction() as connection:
        await receive_event(life.parts, connection, CHANNEL, life.creator_id, event)


async def _find(life: Life, talk: Talk) -> UUID:
    async with life.parts.pool.connection() as connection:
        sent = await conversations.conversation_of(connection, life.creator.handle, talk.fan.handle)
        found = await sent.answer()
    return UUID(str(found[0]["id"]))
