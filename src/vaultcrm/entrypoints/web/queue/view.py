"""What the queue's page shows: the cards, one draft opened, and what can still be taken back."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from vaultcrm.db.queries import cards as card_queries
from vaultcrm.db.queries import console, disclosures, generations, inbox, outbox, situations
from vaultcrm.db.queries.cards import CardList, QueueCard
from vaultcrm.db.queries.inbox import Bought
from vaultcrm.db.queries.outbox import StillHere
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import Verdict
from vaultcrm.domain.situation import Situation
from vaultcrm.entrypoints.web.care.beside import Beside, read_beside
from vaultcrm.entrypoints.web.conversation.spending import LAST_BOUGHT, by_week
from vaultcrm.entrypoints.web.conversation.thread import Bubble, bubbles
from vaultcrm.entrypoints.web.disclosure.view import SHOWN, ShownDisclosure, shown_disclosure
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.text import words
from vaultcrm.pipeline.context import engagement_score
from vaultcrm.workflows.find_draft import too_late
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.work_queue import claim, release

CARDS = 50
TAIL = 6
"""Messages that are shown above a draft."""
MOST_UNDONE = 3


class Tab(StrEnum):
    ALL = "all"
    HIGH_VALUE = "high-value"
    CARE = "care"
    MINE = "mine"
    SNOOZED = "snoozed"


_LISTS = {
    Tab.ALL: CardList.ALL,
    Tab.HIGH_VALUE: CardList.HIGH_VALUE,
    Tab.CARE: CardList.CARE,
    Tab.MINE: CardList.MINE,
    Tab.SNOOZED: CardList.SNOOZED,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page of cards; `next_skip` is where the one after begins."""

    tab: Tab
    cards: tuple[QueueCard, ...]
    next_skip: int | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The draft that is being looked at. `weeks` are what the fan has bought in each of the last
    twelve; `conflict` says who was first, where somebody was.
    """

    record: GenerationRecord
    situation: Situation
    bubbles: tuple[Bubble, ...]
    engagement: int
    bought: tuple[Bought, ...]
    weeks: tuple[Money, ...]
    conflict: Conflict | None
    beside: Beside
    disclosure: ShownDisclosure

    @property
    def may_be_decided(self) -> bool:
        return self.conflict is None and self.record.status is GenerationStatus.QUEUED

    @property
    def is_stale(self) -> bool:
        return self.may_be_decided and self.record.stale_at is not None

    @property
    def is_stopped(self) -> bool:
        return self.record.safety.verdict is Verdict.BLOCK

    @property
    def selling_is_stopped(self) -> bool:
        return self.situation.conversation.care is not None

    @property
    def may_go_as_it_is(self) -> bool:
        """False without a text, and for an offer in a conversation where selling is stopped."""
        record = self.record
        sells = record.suggested_price is not None or record.generation_type.sells
        return bool(record.message) and not (sells and self.selling_is_stopped)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody sent that did not go through, so that none of it has to be typed again."""

    action: DecisionAction
    message: str
    price: str
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the form for editing, and whether it is open from the start."""

    message: str
    price: str
    is_open: bool


async def read_waiting(parts: Parts, desk: Desk, tab: Tab, skip: int) -> Waiting:
    async with parts.pool.connection() as connection:
        found = await card_queries.queue_cards(
            connection,
            desk.ai_creator_ids,
            desk.caller.user_id,
            cards=_LISTS[tab],
            now=desk.now,
            limit=CARDS + 1,
            offset=skip,
        )
    return Waiting(tab, found[:CARDS], skip + CARDS if len(found) > CARDS else None)


async def hold_next(parts: Parts, desk: Desk, waiting: Waiting) -> UUID | None:
    """Hold the first draft of a list that nobody else holds; None when there is none."""
    if waiting.tab is Tab.SNOOZED:
        return None
    for card in waiting.cards:
        if card.held_by in {None, desk.caller.user_id} and await _hold(parts, desk, card.id):
            return card.id
    return None


async def _hold(parts: Parts, desk: Desk, generation_id: UUID) -> bool:
    try:
        await claim(parts, desk.caller, generation_id)
    except (Conflict, NotFound):
        return False
    return True


async def let_go(parts: Parts, desk: Desk, generation_id: UUID) -> None:
    """Hold a draft no longer; one that is gone or somebody else's by now needs nothing."""
    with contextlib.suppress(Conflict, NotFound):
        await release(parts, desk.caller, generation_id)


async def creator_with_ai(parts: Parts, desk: Desk, generation_id: UUID) -> UUID:
    """Whose draft it is; raises NotFound too where AI is off, as the queue hides those."""
    async with parts.pool.connection() as connection:
        creator_id = await generations.find_creator(connection, generation_id)
    if creator_id is None or not desk.ai_is_on_for(creator_id):
        raise NotFound("draft")
    return creator_id


async def open_draft(parts: Parts, desk: Desk, generation_id: UUID, *, hold: bool = True) -> Opened:
    """Hold a draft, or only look, and read what is known around it; raises NotFound."""
    creator_id = await creator_with_ai(parts, desk, generation_id)
    conflict = None
    if hold:
        try:
            await claim(parts, desk.caller, generation_id)
        except Conflict as first:
            conflict = first
    async with parts.pool.connection() as connection:
        record = await (await generations.get(connection, creator_id, generation_id)).answer()
        if record is None:
            raise NotFound("draft")
        async with connection.pipeline():
            situation_sent = await situations.load_situation(
                connection,
                creator_id=record.creator_id,
                conversation_id=record.conversation_id,
                fan_id=None,
                now=desk.now,
            )
            thread_sent = await console.thread(
                connection, record.creator_id, record.conversation_id, before=None, limit=TAIL
            )
            bought_sent = await inbox.bought(connection, record.creator_id, record.fan_id)
            told_sent = await disclosures.of_fan(
                connection, record.creator_id, record.fan_id, SHOWN
            )
        situation = await situation_sent.answer()
        newest_first = await thread_sent.answer()
        bought = await bought_sent.answer()
        told = await told_sent.answer()
        if situation is None:
            raise NotFound("draft")
        beside = await read_beside(parts, connection, desk, situation)
    if not hold and _is_somebody_elses(record, desk):
        conflict = await too_late(parts, record)
    return Opened(
        record=record,
        situation=situation,
        bubbles=bubbles(
            newest_first,
            fan_name=situation.fan.display_name,
            creator_name=situation.creator.display_name,
        ),
        engagement=engagement_score(situation.activity, desk.now),
        bought=bought[:LAST_BOUGHT],
        weeks=by_week(bought, situation.fan.lifetime_value.currency, desk.now),
        conflict=conflict,
        beside=beside,
        disclosure=shown_disclosure(parts, situation, told, desk.now),
    )


def _is_somebody_elses(record: GenerationRecord, desk: Desk) -> bool:
    """Whether it has been decided, or somebody else holds it."""
    if record.status is not GenerationStatus.QUEUED:
        return True
    held = record.claimed_until is not None and record.claimed_until > desk.now
    return held and record.claimed_by != desk.caller.user_id


async def read_still_here(parts: Parts, desk: Desk) -> tuple[StillHere, ...]:
    async with parts.pool.connection() as connection:
        sent = await outbox.still_here(
            connection, list(desk.creators), desk.caller.user_id, desk.now, MOST_UNDONE
        )
        return await sent.answer()


def edit_of(opened: Opened, attempt: Attempt | None, use: int | None) -> Edit:
    """The form for editing: what was typed, else the alternative `use`, else the draft."""
    record = opened.record
    price = "" if opened.selling_is_stopped else words.forms.price_field(record.suggested_price)
    if attempt is not None and attempt.action is DecisionAction.MODIFY:
        return Edit(attempt.message, attempt.price, is_open=True)
    if use is not None and use < len(record.alternatives) and not opened.is_stopped:
        return Edit(record.alternatives[use], price, is_open=True)
    return Edit(record.message or "", price, is_open=not opened.may_go_as_it_is)
