"""One creator's share of a simulated world: what happens, one thing after the other.

Fans, chatters and the clock are made up. What they meet is real: events go through
`receive_event`, drafts through `answer_fan` and `generate_message`, decisions through
`decide_approval`, sends through `deliver_message`, on a real database.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any
from uuid import UUID

from vaultcrm.adapters.worlds import chatters, fans
from vaultcrm.adapters.worlds.chance import chance, share
from vaultcrm.adapters.worlds.fans import DAY_MINUTES
from vaultcrm.adapters.worlds.people import World, WorldChatter, WorldCreator, WorldFan
from vaultcrm.adapters.worlds.platform import Taken, WorldPlatform
from vaultcrm.adapters.worlds.texts import Flaw, Reading, read_text, topic_of_fan
from vaultcrm.db.jobs import ANSWER_FAN, DELIVER_MESSAGE
from vaultcrm.db.queries import conversations
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.errors import Conflict, InvalidInput, VaultError
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.ids import ids_made_by
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Credential
from vaultcrm.workflows.answer_fan import answer_fan
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.receive_message import receive_event
from vaultcrm.workflows.simulated_facts import (
    CreatorRun,
    Done,
    DraftSeen,
    Fate,
    LogEntry,
    SentSeen,
    Work,
)
from vaultcrm.workflows.simulated_time import Agenda, minute_of
from vaultcrm.workflows.write_message import OwnMessage, write_message

CHANNEL = "simulator"
TOLD_TWICE = 0.02
"""How often the platform tells of something twice, and how often a delivery's job runs twice."""
OFFERS = 0.08
"""How often a chatter follows a reply up with an offer."""
OFFER_AFTER_MINUTES = 20.0
USUAL_PRICE_MINOR = 1500
"""What an offer costs that is made by hand."""


@dataclass(slots=True)
class _Talk:
    """One conversation as the world sees it. `unanswered` is what the fan said since our last
    message, `waits_since` the minute of the first of it.
    """

    fan: WorldFan
    conversation_id: UUID | None = None
    unanswered: list[str] = field(default_factory=list)
    last_said: str = ""
    waits_since: float | None = None
    got: int = 0
    gone: bool = False

    @property
    def topic(self) -> str | None:
        return topic_of_fan("\n".join(self.unanswered) or self.last_said)


@dataclass(slots=True)
class _Tally:
    """`Done` and `Work` while they grow."""

    replies: list[float] = field(default_factory=list)
    purchases: list[tuple[float, int]] = field(default_factory=list)
    tips: list[tuple[float, int]] = field(default_factory=list)
    refunds: list[tuple[float, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    minutes: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Life:
    """What goes on around one creator. `parts` have the agenda's clock and jobs."""

    parts: Parts
    world: World
    creator: WorldCreator
    creator_id: UUID
    callers: Mapping[str, Caller]
    platform: WorldPlatform
    agenda: Agenda
    make_id: Callable[[], UUID]
    known: Mapping[str, UUID]
    """Conversations that were there before, by the fan's handle."""
    talks: dict[str, _Talk] = field(default_factory=dict)
    by_conversation: dict[UUID, _Talk] = field(default_factory=dict)
    drafts: dict[UUID, DraftSeen] = field(default_factory=dict)
    sent: list[SentSeen] = field(default_factory=list)
    fan_refs: list[str] = field(default_factory=list)
    tally: _Tally = field(default_factory=_Tally)
    events: int = 0
    seconds: float = 0.0

    def begin(self) -> None:
        """Put on the agenda what begins with the world."""
        for fan in self.creator.fans:
            talk = _Talk(fan, self.known.get(fan.handle))
            self.talks[fan.handle] = talk
            if talk.conversation_id is not None:
                self.by_conversation[talk.conversation_id] = talk
            if fan.is_new:
                self.agenda.add(
                    fans.follows_at(self.world, self.creator, fan), "follow", fan=fan.handle
                )
        self.agenda.add(0.0, "day", day=0)

    async def live_until(self, minute: float, stop: asyncio.Event) -> None:
        """Everything before a minute of the world, or until `stop` is set."""
        began = perf_counter()
        with ids_made_by(self.make_id):
            while not stop.is_set():
                due = self.agenda.next(minute)
                if due is None:
                    self.agenda.minute = minute
                    break
                self.events += 1
                try:
                    await _HANDLERS[due.what](self, due.about)
                except VaultError as refused:
                    self.tally.refused[type(refused).__name__] += 1
        self.seconds += perf_counter() - began

    # ---- fans

    async def _day(self, about: Mapping[str, Any]) -> None:
        day = about["day"]
        self.agenda.add((day + 1.0) * DAY_MINUTES, "day", day=day + 1)
        for fan in self.creator.fans:
            for minute in fans.opening_minutes(self.world, self.creator, fan, day):
                self.agenda.add(minute, "open", fan=fan.handle)

    async def _open(self, about: Mapping[str, Any]) -> None:
        """A fan writes unasked, unless they wait for an answer already, or have not come yet."""
        talk = self.talks[about["fan"]]
        if talk.gone or talk.conversation_id is None or talk.unanswered:
            return
        number = self.tally.counts["opened"]
        self.tally.counts["opened"] += 1
        text = fans.opening(self.world, self.creator, talk.fan, number)
        await self._say(talk, text)

    async def _reply(self, about: Mapping[str, Any]) -> None:
        talk = self.talks[about["fan"]]
        self.tally.replies.append(self.agenda.minute)
        await self._say(talk, about["text"])

    async def _say(self, talk: _Talk, text: str) -> None:
        number = len(self.fan_refs)
        reference = f"w-{self.creator.handle}-{number}"
        self.fan_refs.append(reference)
        if not talk.unanswered:
            talk.waits_since = self.agenda.minute
        talk.unanswered.append(text)
        talk.last_said = text
        await self._happens(talk, EventKind.MESSAGE, reference, reference, text=text)

    async def _follow(self, about: Mapping[str, Any]) -> None:
        talk = self.talks[about["fan"]]
        await self._happens(talk, EventKind.FOLLOW, f"follow-{talk.fan.handle}", "")
        talk.conversation_id = await self._find(talk)
        self.by_conversation[talk.conversation_id] = talk

    async def _buy(self, about: Mapping[str, Any]) -> None:
        talk, paid = self.talks[about["fan"]], about["minor"]
        self.tally.purchases.append((self.agenda.minute, paid))
        event = f"bought-{about['ref']}"
        await self._happens(talk, EventKind.PURCHASE, event, about["ref"], amount=Money(paid))

    async def _tip(self, about: Mapping[str, Any]) -> None:
        talk, paid = self.talks[about["fan"]], about["minor"]
        self.tally.tips.append((self.agenda.minute, paid))
        event = f"tip-{talk.fan.handle}-{len(self.tally.tips)}"
        await self._happens(talk, EventKind.TIP, event, "", amount=Money(paid), once=True)

    async def _refund(self, about: Mapping[str, Any]) -> None:
        talk, paid = self.talks[about["fan"]], about["minor"]
        self.tally.refunds.append((self.agenda.minute, paid))
        event = f"refund-{about['ref']}"
        await self._happens(talk, EventKind.REFUND, event, about["ref"], amount=Money(paid))

    async def _happens(
        self,
        talk: _Talk,
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
            occurred_at=self.parts.now(),
            message_ref=reference,
            text=text,
            amount=amount,
        )
        await self._receive({"event": event})
        told = self.tally.counts["told"]
        self.tally.counts["told"] += 1
        drawn = share(self.world.spec.seed, "twice", self.creator.handle, told)
        if not once and drawn < TOLD_TWICE:
            self.tally.counts["told twice"] += 1
            self.agenda.add(self.agenda.minute + 1.0, "again", event=event)

    async def _receive(self, about: Mapping[str, Any]) -> None:
        async with self.parts.transaction() as connection:
            await receive_event(self.parts, connection, CHANNEL, self.creator_id, about["event"])

    async def _find(self, talk: _Talk) -> UUID:
        async with self.parts.pool.connection() as connection:
            sent = await conversations.conversation_of(
                connection, self.creator.handle, talk.fan.handle
            )
            found = await sent.answer()
        return UUID(str(found[0]["id"]))

    # ---- drafts

    async def _answer(self, about: Mapping[str, Any]) -> None:
        kind = GenerationType(about["generation_type"])
        conversation_id = UUID(about["conversation_id"])
        began = perf_counter()
        record = await answer_fan(self.parts, self.creator_id, conversation_id, kind)
        if record is not None:
            await self._note_draft(record, perf_counter() - began)

    async def _offer(self, about: Mapping[str, Any]) -> None:
        """A chatter asks for an offer, unless the fan waits for an answer."""
        talk = self.talks[about["fan"]]
        if talk.gone or talk.unanswered or talk.conversation_id is None:
            return
        caller = self.callers[about["chatter"]]
        request = GenerateRequest(self.creator_id, talk.conversation_id, GenerationType.PPV_OFFER)
        began = perf_counter()
        record = await generate_message(self.parts, Credential(user_id=caller.user_id), request)
        await self._note_draft(record, perf_counter() - began)

    async def _note_draft(self, record: GenerationRecord, seconds: float) -> None:
        talk = self.by_conversation[record.conversation_id]
        topic = self._asked(talk, record.generation_type)
        reading = read_text(record.message or "")
        flaws = chatters.flaws_seen(self.creator, reading, topic)
        attempts = (record.message or "", *(attempt.message for attempt in record.attempts))
        findings = [record.safety, *(attempt.safety for attempt in record.attempts)]
        fate = {
            GenerationStatus.AUTO_SENT: Fate.AUTOMATIC,
            GenerationStatus.REJECTED: Fate.BLOCKED,
        }.get(record.status, Fate.WAITING)
        no_text = not record.message
        self.drafts[record.id] = DraftSeen(
            minute=self.agenda.minute,
            generation_type=record.generation_type,
            confidence=record.confidence,
            true_chance=0.0 if no_text else chatters.unchanged_by_team(self.creator, flaws),
            read_chance=0.0 if no_text else chatters.unchanged_if_team_reads(self.creator, flaws),
            flaws=tuple(sorted(flaws)),
            found=any(report.findings for report in findings),
            unsafe=any(_harmful(read_text(text)) for text in attempts),
            cost_micro_usd=record.cost_micro_usd,
            seconds=seconds,
            fate=fate,
        )
        if record.status is GenerationStatus.QUEUED:
            chatter, at = chatters.comes_to_it(
                self.creator.chatters,
                self.agenda.minute,
                self.world.spec.seed,
                self.creator.handle,
                len(self.drafts),
            )
            self.agenda.add(at, "decide", record=record, chatter=chatter, number=len(self.drafts))
        elif record.status is GenerationStatus.REJECTED and talk.unanswered:
            self._write_later(talk, self.agenda.minute, len(self.drafts))

    def _asked(self, talk: _Talk, kind: GenerationType) -> str | None:
        """What a draft of this kind is to be about; None where anything will do."""
        return talk.topic if kind is GenerationType.REPLY else None

    # ---- chatters

    async def _decide(self, about: Mapping[str, Any]) -> None:
        record: GenerationRecord = about["record"]
        chatter: WorldChatter = about["chatter"]
        talk = self.by_conversation[record.conversation_id]
        ruling = chatters.rule(
            self.creator,
            chatter,
            record.message or "",
            self._asked(talk, record.generation_type),
            None if record.suggested_price is None else record.suggested_price.minor,
            self.world.spec.seed,
            about["number"],
        )
        if not record.message:
            ruling = chatters.Ruling(DecisionAction.REJECT, writes_instead=True)
        request = DecisionRequest(
            record.id,
            ruling.action,
            modified_message=ruling.text,
            modified_price=None if ruling.price_minor is None else ruling.price_minor / 100,
            reject_reason=ruling.reason,
        )
        action = ruling.action
        caller = self.callers[chatter.handle]
        try:
            await decide_approval(self.parts, caller, request)
        except Conflict:
            self._becomes(record.id, Fate.OVERTAKEN)
            return
        except InvalidInput:
            # What may not leave as it is: blocked by the filter, over a cap, or selling is stopped.
            self.tally.refused["InvalidInput"] += 1
            action = DecisionAction.REJECT
            await decide_approval(self.parts, caller, DecisionRequest(record.id, action))
        self.tally.counts["decided"] += 1
        self.tally.minutes += chatters.WRITE_MINUTES * _EFFORT[action]
        self._becomes(record.id, _FATES[action])
        if action is DecisionAction.REJECT and ruling.writes_instead:
            self._write_later(talk, self.agenda.minute, about["number"], chatter)

    def _becomes(self, generation_id: UUID, fate: Fate) -> None:
        self.drafts[generation_id] = replace(self.drafts[generation_id], fate=fate)

    def _write_later(
        self, talk: _Talk, minute: float, number: int, chatter: WorldChatter | None = None
    ) -> None:
        if chatter is None:
            chatter, minute = chatters.comes_to_it(
                self.creator.chatters, minute, self.world.spec.seed, self.creator.handle, number
            )
        self.agenda.add(
            minute + chatters.WRITE_MINUTES,
            "write",
            fan=talk.fan.handle,
            chatter=chatter,
            number=number,
        )

    async def _write(self, about: Mapping[str, Any]) -> None:
        """A chatter answers by hand, if the fan still waits."""
        talk = self.talks[about["fan"]]
        if not talk.unanswered or talk.conversation_id is None:
            return
        text = chatters.by_hand(
            self.creator, talk.topic, self.world.spec.seed, talk.fan.handle, about["number"]
        )
        wanted = OwnMessage(self.creator_id, talk.conversation_id, text)
        await write_message(self.parts, self.callers[about["chatter"].handle], wanted)
        self.tally.counts["own messages"] += 1
        self.tally.minutes += chatters.WRITE_MINUTES

    # ---- sending

    async def _deliver(self, about: Mapping[str, Any]) -> None:
        known = len(self.platform.log)
        item_id = UUID(about["item_id"])
        delivery = await deliver_message(self.parts, self.creator_id, item_id)
        if delivery is None:
            return
        if delivery.retry_at is not None:
            self.agenda.add(minute_of(delivery.retry_at), DELIVER_MESSAGE, **about)
            return
        self.tally.counts["deliveries"] += 1
        drawn = share(
            self.world.spec.seed, "job", self.creator.handle, self.tally.counts["deliveries"]
        )
        if drawn < TOLD_TWICE:
            self.tally.counts["delivered twice"] += 1
            self.agenda.add(self.agenda.minute, DELIVER_MESSAGE, **about)
        for taken in self.platform.log[known:]:
            if taken.id == item_id:
                self._arrives(taken, delivery.item.author)

    def _arrives(self, taken: Taken, author: Author) -> None:
        """A message has reached its fan: what it is worth, and what they do about it."""
        talk = self.by_conversation[taken.conversation_id]
        minute = self.agenda.minute
        waited = 0.0 if talk.waits_since is None else (minute - talk.waits_since) / 60.0
        reading = read_text(taken.text)
        topic = talk.topic if talk.unanswered else None
        off_topic = Flaw.OFF_TOPIC in chatters.flaws_seen(self.creator, reading, topic)
        self.sent.append(self._worth(talk, taken, author, reading, off_topic, waited))
        talk.got += 1
        talk.unanswered.clear()
        talk.waits_since = None
        if talk.gone:
            return
        reaction = fans.react(
            self.world,
            self.creator,
            talk.fan,
            reading,
            off_topic=off_topic,
            price_minor=taken.price_minor,
            minute=minute,
            waited_hours=waited,
            number=talk.got,
        )
        name, at = talk.fan.handle, minute + reaction.minutes
        if reaction.buys:
            price, ref = taken.price_minor, taken.external_id
            self.agenda.add(at, "buy", fan=name, ref=ref, minor=price)
            if reaction.refunds_after is not None:
                later = at + reaction.refunds_after
                self.agenda.add(later, "refund", fan=name, ref=ref, minor=price)
        if reaction.tip_minor:
            self.agenda.add(at, "tip", fan=name, minor=reaction.tip_minor)
        if reaction.reply is not None:
            self.agenda.add(at, "reply", fan=name, text=reaction.reply)
        if reaction.goes_silent:
            talk.gone = True
            self.tally.counts["gone"] += 1
        self._maybe_offer(talk, author, taken)

    def _worth(
        self,
        talk: _Talk,
        taken: Taken,
        author: Author,
        reading: Reading,
        off_topic: bool,
        waited: float,
    ) -> SentSeen:
        """What the message is worth on average, and what two others would have been."""
        preset, fan, minute = self.world.preset, talk.fan, self.agenda.minute
        week, day = minute / (7 * DAY_MINUTES), int(minute // DAY_MINUTES)
        found = fans.appeal(preset, self.creator, fan, reading, off_topic=off_topic, week=week)
        best = fans.best_appeal(preset, self.creator, fan, week)
        plain = fans.plain_appeal(preset, self.creator, fan, week)
        drafted = author in {Author.AI_APPROVED, Author.AI_AUTOMATIC}
        price = taken.price_minor
        if price is not None:
            ideal = fans.best_price(preset, fan, best)
            worth = [
                asked * fans.purchase_probability(preset, fan, asked, appealing)
                for asked, appealing in (
                    (price, found),
                    (ideal, best),
                    (USUAL_PRICE_MINOR, plain),
                )
            ]
        else:
            mood = fans.mood(self.world, self.creator, fan, day)
            began = minute if talk.waits_since is None else talk.waits_since
            by_hand = chatters.waits_by_hand(self.creator.chatters, began) / 60.0
            worth = [
                fans.reply_probability(fan, appealing, mood=mood, waited_hours=hours)
                for appealing, hours in ((found, waited), (best, 0.0), (plain, by_hand))
            ]
        return SentSeen(minute, drafted, author is Author.AI_AUTOMATIC, price is not None, *worth)

    def _maybe_offer(self, talk: _Talk, author: Author, taken: Taken) -> None:
        random = chance("offer", self.world.spec.seed, self.creator.handle, len(self.sent))
        if author is Author.DISCLOSURE or taken.price_minor is not None:
            return
        if random.random() < OFFERS:
            at = self.agenda.minute + OFFER_AFTER_MINUTES
            on_shift = [one for one in self.creator.chatters if chatters.waits_for(one, at) == 0.0]
            if on_shift:
                who = random.choice(on_shift).handle
                self.agenda.add(at, "offer", fan=talk.fan.handle, chatter=who)

    # ---- the end

    def seen(self) -> CreatorRun:
        """Everything that was seen so far."""
        tally = self.tally
        return CreatorRun(
            handle=self.creator.handle,
            creator_id=self.creator_id,
            until=self.agenda.minute,
            events=self.events,
            seconds=self.seconds,
            drafts=tuple(self.drafts.values()),
            sent=tuple(self.sent),
            done=Done(
                fan_messages=len(self.fan_refs),
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
                minutes_by_hand=chatters.WRITE_MINUTES * len(self.sent),
                deliveries_twice=tally.counts["delivered twice"],
                refused=dict(tally.refused),
            ),
            log=tuple(LogEntry(taken.id, taken.external_id) for taken in self.platform.log),
            fan_refs=tuple(self.fan_refs),
            jobs_waiting=tuple(
                str(about["item_id"]) for about in self.agenda.waiting(DELIVER_MESSAGE)
            ),
            jobs_left_out=dict(self.agenda.left_out),
            spent_before_minor=sum(fan.spent_minor for fan in self.creator.fans if not fan.is_new),
        )


_FATES = {
    DecisionAction.APPROVE: Fate.APPROVED,
    DecisionAction.MODIFY: Fate.MODIFIED,
    DecisionAction.REJECT: Fate.REJECTED,
}
_EFFORT = {
    DecisionAction.APPROVE: 1 / 12,
    DecisionAction.MODIFY: 1 / 3,
    DecisionAction.REJECT: 1 / 12,
}
"""What a decision takes, as a share of writing a message by hand."""

_HARMFUL = frozenset({Flaw.UNSAFE, Flaw.PUSHY})


def _harmful(reading: Reading) -> bool:
    return bool(reading.flaws & _HARMFUL)


_HANDLERS = {
    "day": Life._day,
    "open": Life._open,
    "reply": Life._reply,
    "follow": Life._follow,
    "buy": Life._buy,
    "tip": Life._tip,
    "refund": Life._refund,
    "again": Life._receive,
    "offer": Life._offer,
    "decide": Life._decide,
    "write": Life._write,
    ANSWER_FAN: Life._answer,
    DELIVER_MESSAGE: Life._deliver,
}
