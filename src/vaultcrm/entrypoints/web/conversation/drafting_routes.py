"""Drafts in the conversation: asked for, shown while they are written, decided on."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response, StreamingResponse

from vaultcrm.db.queries import generations
from vaultcrm.domain.approval import DecisionAction, RejectReason
from vaultcrm.domain.draft_options import DraftOptions, Length, Tone
from vaultcrm.domain.errors import (
    AiDisabled,
    Conflict,
    DrafterError,
    DrafterRateLimited,
    FieldProblem,
    InvalidInput,
    LimitExceeded,
    NotFound,
    VaultError,
)
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Credential
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.api.problems import status_of
from vaultcrm.entrypoints.web.conversation.routes import ShownDep
from vaultcrm.entrypoints.web.conversation.view import (
    Decided,
    Happened,
    Shown,
    answer,
    find_conversation,
    open_conversation,
    values_of,
)
from vaultcrm.entrypoints.web.frame.desk import open_desk
from vaultcrm.entrypoints.web.frame.pages import HEADERS, asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session
from vaultcrm.entrypoints.web.text import words
from vaultcrm.entrypoints.web.text.typed import lines, price_of
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Parts

router = APIRouter(prefix="/conversations/{conversation_id}/drafts")

LONGEST_REASON = 200
REFUSALS = (LimitExceeded, AiDisabled, DrafterError, InvalidInput)

# A task that nobody refers to may be thrown away before it has ended.
_under_way: set[asyncio.Task[GenerationRecord]] = set()


async def finish_drafts(seconds: float) -> None:
    """Wait for the drafts that nobody watches any more, when the server stops."""
    loop = asyncio.get_running_loop()
    if ours := [task for task in _under_way if task.get_loop() is loop]:
        await asyncio.wait(ours, timeout=seconds)


def _options(
    tone: Annotated[Tone | Literal[""], Form()] = "",
    length: Annotated[Length | Literal[""], Form()] = "",
    hint: Annotated[FreeText, Form()] = "",
    begin: Annotated[bool, Form()] = False,
    message: Annotated[FreeText, Form()] = "",
) -> DraftOptions:
    """What was asked for beside the type; `message` stands in the composer."""
    return DraftOptions(
        tone=tone or None,
        length=length or None,
        hint=" ".join(hint.split()),
        begin_from=lines(message).strip() if begin else "",
    )


OptionsDep = Annotated[DraftOptions, Depends(_options)]


@router.post("")
async def make_draft(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    generation_type: Annotated[GenerationType, Form()],
    options: OptionsDep,
    back: Annotated[Literal["conversation", "queue"], Form()] = "conversation",
) -> Response:
    """Draft a message, and show it where it was asked for; to htmx while it is written."""
    row = await find_conversation(parts, session.caller, conversation_id)
    wanted = GenerateRequest(row["creator_id"], conversation_id, generation_type, options=options)
    if asked_by_htmx(request) and back == "conversation":
        return StreamingResponse(
            _told(parts, session, wanted, shown),
            media_type="text/event-stream",
            headers={**HEADERS, "X-Accel-Buffering": "no"},
        )
    try:
        credential = Credential(user_id=session.caller.user_id)
        record = await generate_message(parts, credential, wanted)
    except REFUSALS as refused:
        desk = await open_desk(parts, session)
        return await answer(request, parts, desk, conversation_id, shown, _not_made(refused))
    if back == "queue" and record.status is GenerationStatus.QUEUED:
        return redirect("/queue", draft=record.id)
    return redirect(f"/conversations/{conversation_id}", draft=record.id, fragment="draft")


def _not_made(refused: VaultError) -> Happened:
    headers = {}
    if isinstance(refused, LimitExceeded | DrafterRateLimited):
        headers["Retry-After"] = str(refused.retry_after)
    problem = f"No draft was made. {refused}"
    if isinstance(refused, InvalidInput):
        told = " ".join(problem.reason for problem in refused.problems)
        problem = f"No draft was made: what you ask for is not allowed. {told}"
    return Happened(problem=problem, status=status_of(refused), headers=headers)


async def _told(
    parts: Parts, session: Session, wanted: GenerateRequest, shown: Shown
) -> AsyncIterator[str]:
    """The text as it is written, then the page's parts with the checked draft.

    The draft is made beside the answer: whoever stops looking stops neither it nor its keeping.
    """
    newest = _Newest()
    credential = Credential(user_id=session.caller.user_id)
    drafting = asyncio.create_task(
        generate_message(parts, credential, wanted, watcher=newest.grows)
    )
    _under_way.add(drafting)
    drafting.add_done_callback(_under_way.discard)
    drafting.add_done_callback(lambda _: newest.ends())
    yield _writing("", wanted.generation_type)
    async for text in newest.texts():
        yield _writing(text, wanted.generation_type)
    happened = Happened()
    try:
        record = await asyncio.shield(drafting)
    except REFUSALS as refused:
        happened = _not_made(refused)
    else:
        shown = Shown(shown.filters, draft=record.id)
    desk = await open_desk(parts, session)
    opened = await open_conversation(parts, desk, wanted.conversation_id)
    values = values_of(opened, desk, shown, happened)
    yield _event(page("conversation/_written.html", HTTPStatus.OK, headers=None, **values))


class _Newest:
    """The text as far as it is written. Whoever reads slowly leaves out what was in between."""

    def __init__(self) -> None:
        self._text = ""
        self._ended = False
        self._changed = asyncio.Event()

    def grows(self, text: str) -> None:
        self._text = text
        self._changed.set()

    def ends(self) -> None:
        self._ended = True
        self._changed.set()

    async def texts(self) -> AsyncIterator[str]:
        """Each newest text, until there are no more."""
        while not self._ended:
            await self._changed.wait()
            self._changed.clear()
            if self._text and not self._ended:
                yield self._text


def _writing(text: str, generation_type: GenerationType) -> str:
    told = words.drafts.TYPES[generation_type]
    return _event(page("conversation/_writing.html", text=text, told=told))


def _event(rendered: Response) -> str:
    """A message without a name, which htmx swaps in."""
    # A carriage return would end the line in the stream, as it does in HTML.
    body = bytes(rendered.body).decode().replace("\r\n", "\n").replace("\r", "\n")
    return "".join(f"data: {line}\n" for line in body.split("\n")) + "\n"


@router.post("/{generation_id}")
async def decide(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    generation_id: UUID,
    shown: ShownDep,
    action: Annotated[Literal["send", "reject"], Form()],
    message: Annotated[FreeText | None, Form()] = None,
    price: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    reject_reason: Annotated[RejectReason | Literal[""], Form()] = "",
    although_stale: Annotated[bool, Form()] = False,
) -> Response:
    """Send a draft as it is, or as it was edited, or reject it."""
    row = await find_conversation(parts, session.caller, conversation_id)
    async with parts.pool.connection() as connection:
        sent = await generations.get(connection, row["creator_id"], generation_id)
        record = await sent.answer()
    if record is None or record.conversation_id != conversation_id:
        raise NotFound("draft")
    typed = None if message is None else lines(message)
    try:
        if action == "reject":
            wanted = _rejection(record, reason, reject_reason or None)
        else:
            asked = None if typed is None else price_of(price, record.currency, "modifiedPrice")
            wanted = _sending(record, typed, asked, although_stale)
        await decide_approval(parts, session.caller, wanted)
    except InvalidInput as refused:
        problems = tuple(problem.reason for problem in refused.problems)
        decided = Decided(generation_id, typed, price, problems)
        happened = Happened(decided=decided, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Conflict as first:
        told = words.deciding.conflict(first, (await open_desk(parts, session)).now)
        decided = Decided(generation_id, typed, price, conflict=told)
        happened = Happened(decided=decided, status=HTTPStatus.CONFLICT)
    else:
        done = wanted.action.value
        if not asked_by_htmx(request):
            return redirect(f"/conversations/{conversation_id}", done=done, fragment="latest")
        shown = Shown(shown.filters, shown.before)
        happened = Happened(said=words.forms.DONE[done])
    if happened.decided is not None:
        shown = Shown(shown.filters, shown.before, draft=generation_id)
    desk = await open_desk(parts, session)
    return await answer(request, parts, desk, conversation_id, shown, happened, parts_only=True)


def _rejection(
    record: GenerationRecord, reason: str, reject_reason: RejectReason | None
) -> DecisionRequest:
    reason = reason.strip()[:LONGEST_REASON]
    if not reason and reject_reason is None:
        raise InvalidInput(FieldProblem("reason", "Say in a few words why."))
    return DecisionRequest(
        record.id, DecisionAction.REJECT, reason=reason or None, reject_reason=reject_reason
    )


def _sending(
    record: GenerationRecord, message: str | None, price: Money | None, although_stale: bool
) -> DecisionRequest:
    """Approves a draft that nobody has changed, and modifies any other."""
    as_it_is = message is None or (message == record.message and price == record.suggested_price)
    if as_it_is:
        return DecisionRequest(record.id, DecisionAction.APPROVE, although_stale=although_stale)
    return DecisionRequest(
        record.id,
        DecisionAction.MODIFY,
        modified_message=message,
        modified_price=0.0 if price is None else price.major,
        although_stale=although_stale,
    )
