"""The approval queue: waiting drafts, and the one to decide on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from vaultcrm.db.queries import console, generations, situations
from vaultcrm.db.queries.console import CardList, QueueCard
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus
from vaultcrm.domain.safety import Verdict
from vaultcrm.domain.situation import Situation
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web import words
from vaultcrm.entrypoints.web.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.pages import page, redirect
from vaultcrm.entrypoints.web.sessions import FormSessionDep
from vaultcrm.entrypoints.web.thread import Bubble, bubbles
from vaultcrm.pipeline.context import engagement_score
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.work_queue import claim

router = APIRouter()

CARDS = 50
TAIL = 6
"""Messages that are shown above a draft."""

_PRICE = re.compile(r"\d{1,7}(?:\.\d{1,3}|,\d{1,2})?")


class Tab(StrEnum):
    ALL = "all"
    HIGH_VALUE = "high-value"
    CARE = "care"
    MINE = "mine"


LISTS = {
    Tab.ALL: CardList.ALL,
    Tab.HIGH_VALUE: CardList.HIGH_VALUE,
    Tab.CARE: CardList.CARE,
    Tab.MINE: CardList.MINE,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """The draft that is being looked at. `conflict` says who was first, where somebody was."""

    record: GenerationRecord
    situation: Situation
    bubbles: tuple[Bubble, ...]
    engagement: int
    conflict: Conflict | None

    @property
    def may_be_decided(self) -> bool:
        return self.conflict is None and self.record.status is GenerationStatus.QUEUED

    @property
    def selling_is_stopped(self) -> bool:
        return self.situation.conversation.care is not None

    @property
    def may_go_as_it_is(self) -> bool:
        """False without a text, and for an offer in a conversation where selling is stopped."""
        priced = self.record.suggested_price is not None
        return bool(self.record.message) and not (priced and self.selling_is_stopped)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody sent that did not go through, so that none of it has to be typed again."""

    action: DecisionAction
    message: str
    price: str
    problems: Sequence[str] = ()


@router.get("/queue")
async def queue(
    parts: PartsDep,
    desk: DeskDep,
    tab: Tab = Tab.ALL,
    draft: UUID | None = None,
    use: Annotated[int | None, Query(ge=0, le=20)] = None,
    done: str | None = None,
    skip: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Response:
    """The waiting drafts with one of them opened, which holds it for five minutes.

    Without `draft` the most urgent one that nobody else reviews is opened.
    """
    if not desk.has_ai:
        return page("queue_off.html", desk=desk, here="queue")
    if draft is None and not skip:
        for card in await _cards(parts, desk, tab, 0):
            if card.held_by in {None, desk.caller.user_id} and await _hold(parts, desk, card):
                return redirect("/queue", tab=tab.value, draft=card.id, done=done)
    return await _queue_page(parts, desk, tab, draft, use=use, done=done, skip=skip)


async def _hold(parts: Parts, desk: Desk, card: QueueCard) -> bool:
    try:
        await claim(parts, desk.caller, card.id)
    except Conflict:
        return False
    return True


@router.post("/queue/{generation_id}")
async def decide(
    parts: PartsDep,
    session: FormSessionDep,
    generation_id: UUID,
    action: Annotated[DecisionAction, Form()],
    tab: Annotated[Tab, Form()] = Tab.ALL,
    message: Annotated[FreeText, Form()] = "",
    price: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    although_stale: Annotated[bool, Form()] = False,
) -> Response:
    """Approve, modify or reject, and go on to the next draft."""
    message = message.replace("\r\n", "\n")
    attempt = Attempt(action, message, price)
    try:
        wanted = _decision(generation_id, attempt, reason, although_stale)
        await _creator_with_ai(parts, await open_desk(parts, session), generation_id)
        await decide_approval(parts, session.caller, wanted)
    except InvalidInput as refused:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        attempt = Attempt(action, message, price, words.problems(refused))
    except Conflict:
        status = HTTPStatus.CONFLICT
    else:
        return redirect("/queue", tab=tab.value, done=action.value)
    desk = await open_desk(parts, session)
    return await _queue_page(parts, desk, tab, generation_id, attempt=attempt, status=status)


def _decision(
    generation_id: UUID, attempt: Attempt, reason: str, although_stale: bool
) -> DecisionRequest:
    """What the form asks for; raises InvalidInput for a price or a reason that cannot be read."""
    if attempt.action is DecisionAction.REJECT and not reason.strip():
        raise InvalidInput(FieldProblem("reason", "say in a few words why"))
    modifies = attempt.action is DecisionAction.MODIFY
    return DecisionRequest(
        generation_id=generation_id,
        action=attempt.action,
        modified_message=attempt.message if modifies else None,
        modified_price=_price(attempt.price) if modifies else None,
        reason=reason.strip() or None,
        although_stale=although_stale,
    )


def _price(text: str) -> float:
    """A price in whole units; an empty field takes the price away."""
    text = text.strip()
    if not text:
        return 0.0
    if not _PRICE.fullmatch(text):
        raise InvalidInput(FieldProblem("modifiedPrice", "write it like 25 or 25.50"))
    return float(text.replace(",", "."))


async def _creator_with_ai(parts: Parts, desk: Desk, generation_id: UUID) -> UUID:
    """Whose draft it is; raises NotFound too where AI is off, as the queue hides those."""
    async with parts.pool.connection() as connection:
        creator_id = await generations.find_creator(connection, generation_id)
    if creator_id is None or not desk.ai_is_on_for(creator_id):
        raise NotFound("draft")
    return creator_id


async def _cards(parts: Parts, desk: Desk, tab: Tab, skip: int) -> tuple[QueueCard, ...]:
    """One card more than a page has, where there are as many."""
    async with parts.pool.connection() as connection:
        return await console.queue_cards(
            connection,
            desk.ai_creator_ids,
            desk.caller.user_id,
            cards=LISTS[tab],
            now=desk.now,
            limit=CARDS + 1,
            offset=skip,
        )


async def _open(parts: Parts, desk: Desk, generation_id: UUID) -> Opened:
    """Hold a draft and read what is known around it; raises NotFound."""
    creator_id = await _creator_with_ai(parts, desk, generation_id)
    conflict = None
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
        situation = await situation_sent.answer()
        newest_first = await thread_sent.answer()
    if situation is None:
        raise NotFound("draft")
    return Opened(
        record=record,
        situation=situation,
        bubbles=bubbles(
            newest_first,
            fan_name=situation.fan.display_name,
            creator_name=situation.creator.display_name,
        ),
        engagement=engagement_score(situation.activity, desk.now),
        conflict=conflict,
    )


async def _queue_page(
    parts: Parts,
    desk: Desk,
    tab: Tab,
    draft_id: UUID | None,
    *,
    use: int | None = None,
    done: str | None = None,
    skip: int = 0,
    attempt: Attempt | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    opened = None if draft_id is None else await _open(parts, desk, draft_id)
    cards = await _cards(parts, desk, tab, skip)
    return page(
        "queue.html",
        status,
        desk=desk,
        here="queue",
        tab=tab,
        cards=cards[:CARDS],
        next_skip=skip + CARDS if len(cards) > CARDS else None,
        opened=opened,
        attempt=attempt,
        edit=None if opened is None else _edit(opened, attempt, use),
        done=words.DONE.get(done or ""),
    )


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the form for editing, and whether it is open from the start."""

    message: str
    price: str
    is_open: bool


def _edit(opened: Opened, attempt: Attempt | None, use: int | None) -> Edit:
    record = opened.record
    price = "" if opened.selling_is_stopped else words.price_field(record.suggested_price)
    if attempt is not None and attempt.action is DecisionAction.MODIFY:
        return Edit(attempt.message, attempt.price, is_open=True)
    stopped = record.safety.verdict is Verdict.BLOCK
    if use is not None and use < len(record.alternatives) and not stopped:
        return Edit(record.alternatives[use], price, is_open=True)
    return Edit(record.message or "", price, is_open=not opened.may_go_as_it_is)
