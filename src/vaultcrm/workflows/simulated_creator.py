"""One creator's share of a simulated world: what happens, one thing after the other.

Fans, chatters and the clock are made up. What they meet is real: events go through
`receive_event`, drafts through `answer_fan` and `generate_message`, decisions through
`decide_approval`, sends through `deliver_message`, on a real database.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from vaultcrm.adapters.worlds import chatters, fans
from vaultcrm.db.jobs import ANSWER_FAN, DELIVER_MESSAGE
from vaultcrm.domain.errors import VaultError
from vaultcrm.domain.ids import ids_made_by
from vaultcrm.workflows import simulated_fans, simulated_sending, simulated_team
from vaultcrm.workflows.simulated_facts import CreatorRun, Done, LogEntry, Work
from vaultcrm.workflows.simulated_life import Life, Talk

HANDLERS: Mapping[str, Callable[[Life, Mapping[str, Any]], Awaitable[None]]] = {
    "day": simulated_fans.begin_day,
    "open": simulated_fans.open_talk,
    "reply": simulated_fans.reply,
    "follow": simulated_fans.follow,
    "buy": simulated_fans.buy,
    "tip": simulated_fans.tip,
    "refund": simulated_fans.refund,
    "again": simulated_fans.tell_again,
    "offer": simulated_team.offer,
    "decide": simulated_team.decide,
    "write": simulated_team.write,
    ANSWER_FAN: simulated_team.answer,
    DELIVER_MESSAGE: simulated_sending.deliver,
}
"""What happens, by its name on the agenda."""


def begin(life: Life) -> None:
    """Put on the agenda what begins with the world."""
    for fan in life.creator.fans:
        talk = Talk(fan, life.known.get(fan.handle))
        life.talks[fan.handle] = talk
        if talk.conversation_id is not None:
            life.by_conversation[talk.conversation_id] = talk
        if fan.is_new:
            life.agenda.add(
                fans.follows_at(life.world, life.creator, fan), "follow", fan=fan.handle
            )
    life.agenda.add(0.0, "day", day=0)


async def live_until(life: Life, minute: float, stop: asyncio.Event) -> None:
    """Everything before a minute of the world, or until `stop` is set."""
    began = perf_counter()
    with ids_made_by(life.make_id):
        while not stop.is_set():
            due = life.agenda.next(minute)
            if due is None:
                life.agenda.minute = minute
                break
            life.events += 1
            try:
                await HANDLERS[due.what](life, due.about)
            except VaultError as refused:
                life.tally.refused[type(refused).__name__] += 1
    life.seconds += perf_counter() - began


def seen(life: Life) -> CreatorRun:
    """Everything that was seen so far."""
    tally = life.tally
    return CreatorRun(
        handle=life.creator.handle,
        creator_id=life.creator_id,
        until=life.agenda.minute,
        events=life.events,
        seconds=life.seconds,
        drafts=tuple(life.drafts.values()),
        sent=tuple(life.sent),
        done=Done(
            fan_messages=len(life.fan_refs),
            replies=tuple(tally.replies),
            purchases=tuple(tally.purchases),
            tips=tuple(tally.tips),
            refunds=tuple(tally.refunds),
            told_twice=tally.counts["told twice"],
            fans_gone=tally.counts["gone"],
        ),
        work=Work(
            decisions=tally.counts["decided"],
            own_messages=tally.counts["own messages"],
            minutes=tally.minutes,
            minutes_by_hand=chatters.WRITE_MINUTES * len(life.sent),
            deliveries_twice=tally.counts["delivered twice"],
            refused=dict(tally.refused),
        ),
        log=tuple(LogEntry(taken.id, taken.external_id) for taken in life.platform.log),
        fan_refs=tuple(life.fan_refs),
        jobs_waiting=tuple(str(about["item_id"]) for about in life.agenda.waiting(DELIVER_MESSAGE)),
        jobs_left_out=dict(life.agenda.left_out),
        spent_before_minor=sum(fan.spent_minor for fan in life.creator.fans if not fan.is_new),
    )
