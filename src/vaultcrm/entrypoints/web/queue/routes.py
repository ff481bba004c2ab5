"""The approval queue: waiting drafts, and the one to decide on.

Over htmx every answer is the whole working area with what comes next, so that to approve and go on
is one request. Without script the same forms lead from page to page.
"""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.domain.approval import DecisionAction, RejectReason
from vaultcrm.domain.errors import (
    Conflict,
    FieldProblem,
    InvalidInput,
    NotFound,
    VaultError,
)
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.queue.view import (
    Attempt,
    Tab,
    creator_with_ai,
    edit_of,
    hold_next,
    let_go,
    open_draft,
    read_still_here,
    read_waiting,
)
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.undo_decision import undo_decision
from vaultcrm.workflows.work_queue import snooze

router = APIRouter()

MOST_AT_ONCE = 50
_PRICE = re.compile(r"\d{1,7}(?:\.\d{1,3}|,\d{1,2})?")

Skip = Annotated[int, Query(ge=0, le=100_000)]
SnoozeMinutes = Annotated[int, Form(ge=1, le=7 * 24 * 60 - 1)]


@router.get("/queue")
async def queue(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    tab: Tab = Tab.ALL,
    draft: UUID | None = None,
    use: Annotated[int | None, Query(ge=0, le=20)] = None,
    done: str | None = None,
    skip: Skip = 0,
    leaves: UUID | None = None,
) -> Response:
    """The waiting drafts with one of them opened, which holds it for five minutes.

    Without `draft` the most urgent one that nobody else reviews is opened. `leaves` is the one that
    was open, and is let go.
    """
    if not desk.has_ai:
        return page("queue/off.html", desk=desk, here="queue")
    if leaves is not None and leaves != draft:
        await let_go(parts, desk, leaves)
    if draft is None and not skip:
        held = await hold_next(parts, desk, await read_waiting(parts, desk, tab, 0))
        if held is not None and not asked_by_htmx(request):
            return redirect("/queue", tab=tab.value, draft=held, done=done)
        draft = held
    return await _show(
        request, parts, desk, tab, draft, use=use, done=words.forms.DONE.get(done or ""), skip=skip
    )


@router.get("/queue/list")
async def waiting_list(
    parts: PartsDep, desk: DeskDep, tab: Tab = Tab.ALL, draft: UUID | None = None, skip: Skip = 0
) -> Response:
    """The cards alone, as they are now."""
    return page(
        "queue/_list.html",
        desk=desk,
        waiting=await read_waiting(parts, desk, tab, skip),
        draft=draft,
        skip=skip,
    )


@router.get("/queue/{generation_id}/state")
async def state(
    parts: PartsDep, desk: DeskDep, generation_id: UUID, tab: Tab = Tab.ALL, busy: bool = False
) -> Response:
    """What has come between since a draft was opened: the fan, or somebody else.

    It is held on only for somebody who is `busy` with it.
    """
    opened = await open_draft(parts, desk, generation_id, hold=busy)
    return page("queue/_state.html", desk=desk, tab=tab, opened=opened, attempt=None)


@router.post("/queue/many")
async def decide_many(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    action: Annotated[Literal["approve", "reject", "snooze"], Form()],
    chosen: Annotated[list[UUID], Form(max_length=MOST_AT_ONCE)],
    tab: Annotated[Tab, Form()] = Tab.ALL,
    reject_reason: Annotated[RejectReason, Form()] = RejectReason.OTHER,
    minutes: SnoozeMinutes = 60,
) -> Response:
    """Decide on several drafts. Each is decided by itself: one that fails stops no other."""
    refused: list[str] = []
    desk = await open_desk(parts, session)
    for generation_id in chosen:
        try:
            await creator_with_ai(parts, desk, generation_id)
            if action == "snooze":
                until = parts.now() + timedelta(minutes=minutes)
                await snooze(parts, session.caller, generation_id, until)
            else:
                wanted = DecisionRequest(
                    generation_id,
                    DecisionAction(action),
                    reject_reason=reject_reason if action == "reject" else None,
                )
                await decide_approval(parts, session.caller, wanted)
        except Conflict as conflict:
            refused.append(words.deciding.conflict(conflict, desk.now))
        except InvalidInput as invalid:
            refused += words.forms.problems(invalid)
        except VaultError as error:
            refused.append(str(error))
    done = words.deciding.decided_many(action, len(chosen) - len(refused), refused)
    return await _go_on(request, parts, await open_desk(parts, session), tab, done=done)


@router.post("/queue/{generation_id}")
async def decide(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    generation_id: UUID,
    action: Annotated[DecisionAction, Form()],
    tab: Annotated[Tab, Form()] = Tab.ALL,
    message: Annotated[FreeText, Form()] = "",
    price: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    reject_reason: Annotated[RejectReason | None, Form()] = None,
    although_stale: Annotated[bool, Form()] = False,
) -> Response:
    """Approve, modify or reject, and go on to the next draft."""
    message = message.replace("\r\n", "\n")
    attempt = Attempt(action, message, price)
    try:
        wanted = _decision(generation_id, attempt, reason, reject_reason, although_stale)
        await creator_with_ai(parts, await open_desk(parts, session), generation_id)
        await decide_approval(parts, session.caller, wanted)
    except InvalidInput as refused:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        attempt = Attempt(action, message, price, words.forms.problems(refused))
    except Conflict:
        status = HTTPStatus.CONFLICT
    else:
        if not asked_by_htmx(request):
            return redirect("/queue", tab=tab.value, done=action.value)
        desk = await open_desk(parts, session)
        return await _go_on(request, parts, desk, tab, done=words.forms.DONE[action.value])
    desk = await open_desk(parts, session)
    return await _show(request, parts, desk, tab, generation_id, attempt=attempt, status=status)


@router.post("/queue/{generation_id}/snooze")
async def put_off(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    generation_id: UUID,
    minutes: SnoozeMinutes,
    tab: Annotated[Tab, Form()] = Tab.ALL,
) -> Response:
    """Take a draft out of the queue for a while, and go on to the next one."""
    desk = await open_desk(parts, session)
    await creator_with_ai(parts, desk, generation_id)
    until = parts.now() + timedelta(minutes=minutes)
    try:
        await snooze(parts, session.caller, generation_id, until)
    except Conflict:
        return await _show(request, parts, desk, tab, generation_id, status=HTTPStatus.CONFLICT)
    if not asked_by_htmx(request):
        return redirect("/queue", tab=tab.value, done="snoozed")
    desk = await open_desk(parts, session)
    return await _go_on(request, parts, desk, tab, done=words.forms.DONE["snoozed"])


@router.post("/queue/{generation_id}/wake")
async def bring_back(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    generation_id: UUID,
) -> Response:
    """Bring a snoozed draft back, opened."""
    await creator_with_ai(parts, await open_desk(parts, session), generation_id)
    await snooze(parts, session.caller, generation_id, None)
    if not asked_by_htmx(request):
        return redirect("/queue", draft=generation_id, done="woken")
    desk = await open_desk(parts, session)
    return await _show(request, parts, desk, Tab.ALL, generation_id, done=words.forms.DONE["woken"])


@router.post("/queue/{generation_id}/undo")
async def undo(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    generation_id: UUID,
    tab: Annotated[Tab, Form()] = Tab.ALL,
) -> Response:
    """Take an approval back while its message waits to leave, and open the draft again."""
    try:
        await undo_decision(parts, session.caller, generation_id)
    except Conflict as late:
        desk = await open_desk(parts, session)
        return await _go_on(request, parts, desk, tab, done=str(late), status=HTTPStatus.CONFLICT)
    if not asked_by_htmx(request):
        return redirect("/queue", tab=tab.value, draft=generation_id, done="undone")
    desk = await open_desk(parts, session)
    return await _show(request, parts, desk, tab, generation_id, done=words.forms.DONE["undone"])


def _decision(
    generation_id: UUID,
    attempt: Attempt,
    reason: str,
    reject_reason: RejectReason | None,
    although_stale: bool,
) -> DecisionRequest:
    """What the form asks for; raises InvalidInput for a price or a reason that cannot be read."""
    unsaid = reject_reason in {None, RejectReason.OTHER} and not reason.strip()
    if attempt.action is DecisionAction.REJECT and unsaid:
        raise InvalidInput(FieldProblem("reason", "say in a few words why"))
    modifies = attempt.action is DecisionAction.MODIFY
    return DecisionRequest(
        generation_id=generation_id,
        action=attempt.action,
        modified_message=attempt.message if modifies else None,
        modified_price=_price(attempt.price) if modifies else None,
        reason=reason.strip() or None,
        reject_reason=reject_reason,
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


async def _go_on(
    request: Request,
    parts: Parts,
    desk: Desk,
    tab: Tab,
    *,
    done: str,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """The next draft of a list, held."""
    draft = await hold_next(parts, desk, await read_waiting(parts, desk, tab, 0))
    return await _show(request, parts, desk, tab, draft, done=done, status=status)


async def _show(
    request: Request,
    parts: Parts,
    desk: Desk,
    tab: Tab,
    draft: UUID | None,
    *,
    use: int | None = None,
    done: str | None = None,
    skip: int = 0,
    attempt: Attempt | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """The page, or over htmx its working area with the address that it has as a page."""
    try:
        opened = None if draft is None else await open_draft(parts, desk, draft)
    except NotFound:
        if not asked_by_htmx(request):
            raise
        opened, draft, done = None, None, done or "This draft is gone."
    part = asked_by_htmx(request)
    query = {"tab": tab.value} | ({"draft": str(draft)} if draft else {})
    return page(
        "queue/_queue.html" if part else "queue/queue.html",
        status,
        headers={"HX-Push-Url": f"/queue?{urlencode(query)}"} if part else {},
        desk=desk,
        here="queue",
        tab=tab,
        waiting=await read_waiting(parts, desk, tab, skip),
        still_here=await read_still_here(parts, desk),
        draft=draft,
        skip=skip,
        opened=opened,
        attempt=attempt,
        edit=None if opened is None else edit_of(opened, attempt, use),
        done=done,
    )
