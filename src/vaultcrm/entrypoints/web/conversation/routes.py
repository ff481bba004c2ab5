"""One conversation: read, answered, and what is settled about its fan."""

import json
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.db.pending import Record
from vaultcrm.db.queries import inbox
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.errors import (
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    NotFound,
    ThreadMovedOn,
)
from vaultcrm.domain.safety import Verdict
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.conversation.thread import bubbles_of
from vaultcrm.entrypoints.web.conversation.view import (
    Composed,
    Happened,
    NotesTyped,
    Shown,
    answer,
    find_conversation,
)
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import HEADERS, asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session, SessionDep
from vaultcrm.entrypoints.web.inbox.list_view import FiltersDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.entrypoints.web.text.typed import lines, media_ids, price_of
from vaultcrm.workflows.disclose import send_disclosure
from vaultcrm.workflows.manage_templates import fill_template, find_templates
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.resolve_delivery import Resolution, resolve_delivery
from vaultcrm.workflows.take_back_message import take_back_message
from vaultcrm.workflows.tend_conversation import (
    Tending,
    change_care,
    change_mode,
    change_notes,
    mark_read,
    note_disclosure,
)
from vaultcrm.workflows.undo_decision import undo_decision
from vaultcrm.workflows.write_message import OwnMessage, Written, check_own, write_message

router = APIRouter(prefix="/conversations/{conversation_id}")

LONGEST_NOTES = 4_000
LONGEST_REASON = 200


async def _shown(
    filters: FiltersDep,
    before: Annotated[str | None, Query(max_length=300)] = None,
    draft: UUID | None = None,
    later: bool = False,
    use: Annotated[int | None, Query(ge=0, le=20)] = None,
) -> Shown:
    return Shown(filters, before, draft, later, use)


ShownDep = Annotated[Shown, Depends(_shown)]


@router.get("")
async def conversation(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    conversation_id: UUID,
    shown: ShownDep,
    done: str | None = None,
) -> Response:
    """A conversation, beside the list that it was opened from."""
    happened = Happened(said=words.forms.DONE.get(done or "", ""))
    return await answer(request, parts, desk, conversation_id, shown, happened)


@router.get("/now")
async def now(
    request: Request,
    parts: PartsDep,
    session: SessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    version: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """The parts of the open conversation as they are now; 204 when they are what is shown."""
    row = await find_conversation(parts, session.caller, conversation_id)
    async with parts.pool.connection() as connection:
        sent = await inbox.state(connection, row["creator_id"], conversation_id)
        if await sent.answer() == version:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=dict(HEADERS))
    desk = await open_desk(parts, session)
    return await answer(request, parts, desk, conversation_id, shown, parts_only=True)


@router.post("/read")
async def read(
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    revision: Annotated[int, Form(ge=0)],
) -> Response:
    """Nothing is unread up to what is shown."""
    row = await find_conversation(parts, session.caller, conversation_id)
    await mark_read(parts, session.caller, row["creator_id"], conversation_id, revision)
    # The list beside it shows what is unread.
    headers = {**HEADERS, "HX-Trigger": "read"}
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


# ---- writing


@router.post("/messages")
async def write(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    message: Annotated[FreeText, Form()] = "",
    price: Annotated[FreeText, Form()] = "",
    media: Annotated[FreeText, Form()] = "",
    seen: Annotated[UUID | Literal[""], Form()] = "",
    template: Annotated[UUID | Literal[""], Form()] = "",
    anyway: Annotated[bool, Form()] = False,
) -> Response:
    """Send what was written, unless the fan has said something that the writer has not seen."""
    row = await find_conversation(parts, session.caller, conversation_id)
    typed = Composed(lines(message), price, media, seen or None, template=template or None)
    try:
        wanted = OwnMessage(
            creator_id=row["creator_id"],
            conversation_id=conversation_id,
            text=_text(typed.message),
            price=price_of(price, row["currency"], "priceMinor"),
            media_ids=media_ids(media, "mediaIds"),
            seen_message_id=None if anyway else typed.seen,
            template_id=typed.template,
        )
        written = await write_message(parts, session.caller, wanted)
    except InvalidInput as refused:
        happened = await _refused(parts, session, row, typed, refused)
    except ThreadMovedOn as moved:
        happened = _overtaken(typed, moved, row["fan_display_name"])
    else:
        if not asked_by_htmx(request):
            return redirect(f"/conversations/{conversation_id}", done="written", fragment="latest")
        happened = Happened(said=_on_its_way(written), composed=Composed(report=written.safety))
    desk = await open_desk(parts, session)
    return await answer(request, parts, desk, conversation_id, shown, happened, parts_only=True)


def _text(text: str) -> str:
    if not text.strip():
        raise InvalidInput(FieldProblem("text", "Write the message first."))
    return text


def _on_its_way(written: Written) -> str:
    seen = written.safety.findings
    told = "On its way."
    return (
        f"{told} The content filter noticed {words.phrases.count(len(seen), 'thing')}."
        if seen
        else told
    )


async def _refused(
    parts: Parts,
    session: Session,
    row: Record,
    typed: Composed,
    refused: InvalidInput,
) -> Happened:
    """What is wrong, by field; what the filter stops is marked in the text instead."""
    report = await check_own(parts, session.caller, row["creator_id"], row["id"], typed.message)
    stopped = report.verdict is Verdict.BLOCK
    problems: dict[str, tuple[str, ...]] = {}
    for problem in refused.problems:
        name = {"priceMinor": "price", "mediaIds": "media"}.get(problem.field, "message")
        if name == "message" and stopped:
            continue
        problems[name] = (*problems.get(name, ()), problem.reason)
    composed = replace(typed, problems=problems, report=report if stopped else None)
    return Happened(status=HTTPStatus.UNPROCESSABLE_ENTITY, composed=composed)


def _overtaken(typed: Composed, moved: ThreadMovedOn, fan_name: str) -> Happened:
    newer = bubbles_of(moved.messages, fan_name=fan_name)
    seen = moved.messages[-1].id if moved.messages else typed.seen
    composed = replace(typed, seen=seen, newer=newer)
    return Happened(status=HTTPStatus.CONFLICT, composed=composed)


@router.post("/undo")
async def undo(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    message: Annotated[FreeText, Form()] = "",
    item: Annotated[UUID | Literal[""], Form()] = "",
    generation: Annotated[UUID | Literal[""], Form()] = "",
) -> Response:
    """Take back what has not left: an own message into the composer, where `message` is what stands
    there already, a draft into the queue.
    """
    row = await find_conversation(parts, session.caller, conversation_id)
    try:
        if generation:
            await undo_decision(parts, session.caller, generation)
            happened = Happened(said="Taken back. The draft waits again.")
        elif item:
            taken = await take_back_message(parts, session.caller, row["creator_id"], item)
            happened = Happened(
                said="Taken back. Nothing was sent; the text is in the composer.",
                composed=Composed(
                    "\n\n".join(filter(None, (taken.text, lines(message).strip()))),
                    words.forms.price_field(taken.price),
                    " ".join(taken.media_ids),
                    template=taken.template_id,
                ),
            )
        else:
            raise NotFound("message")
    except (Conflict, Forbidden) as late:
        happened = Happened(problem=str(late), status=HTTPStatus.CONFLICT)
    return await _settled(request, parts, session, conversation_id, shown, happened)


@router.post("/deliveries/{item_id}")
async def settle_delivery(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    item_id: UUID,
    shown: ShownDep,
    resolution: Annotated[Resolution, Form()],
) -> Response:
    """Say what became of a message whose fate is not known, or send one again."""
    row = await find_conversation(parts, session.caller, conversation_id)
    told = {
        Resolution.SENT: "Noted as sent.",
        Resolution.NOT_SENT: "Noted as not sent.",
        Resolution.SEND_AGAIN: "It is sent again.",
    }
    try:
        await resolve_delivery(parts, session.caller, row["creator_id"], item_id, resolution)
        happened = Happened(said=told[resolution])
    except Conflict as late:
        happened = Happened(problem=str(late), status=HTTPStatus.CONFLICT)
    return await _settled(request, parts, session, conversation_id, shown, happened)


# ---- templates


@router.get("/templates")
async def templates(
    parts: PartsDep,
    desk: DeskDep,
    conversation_id: UUID,
    search: Annotated[FreeText, Query(max_length=100)] = "",
) -> Response:
    """Templates that fit what was typed after the `/`, as options to choose from."""
    row = await find_conversation(parts, desk.caller, conversation_id)
    found = await find_templates(parts, desk.caller, row["creator_id"], search, 8)
    return page(
        "conversation/_templates.html",
        desk=desk,
        found=found,
        search=search,
        path=f"/conversations/{conversation_id}/templates",
    )


@router.post("/templates/{template_id}")
async def template(
    parts: PartsDep, session: FormSessionDep, conversation_id: UUID, template_id: UUID
) -> Response:
    """A template filled in for this fan: `text`, `price` as it stands in the form or "", `id`."""
    filled = await fill_template(parts, session.caller, template_id, conversation_id)
    price = words.forms.price_field(filled.price)
    body = {"text": filled.text, "price": price, "id": str(template_id)}
    return Response(json.dumps(body), media_type="application/json", headers=dict(HEADERS))


# ---- what is settled about the fan


@router.post("/disclosure")
async def disclose(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
) -> Response:
    """Note that the fan was told, just now, that AI helps to write."""
    row = await find_conversation(parts, session.caller, conversation_id)
    async with parts.transaction() as connection:
        tending = Tending(connection, session.caller, row["creator_id"], parts.now())
        await note_disclosure(tending, row["fan_id"], tending.now)
    happened = Happened(said=words.forms.DONE["disclosed"])
    return await _settled(request, parts, session, conversation_id, shown, happened)


@router.post("/disclosure/send")
async def tell(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    back: Annotated[Literal["queue", ""], Form()] = "",
) -> Response:
    """Tell the fan now that AI helps to write; from the queue, go `back` there."""
    row = await find_conversation(parts, session.caller, conversation_id)
    try:
        await send_disclosure(parts, session.caller, row["creator_id"], conversation_id)
        happened = Happened(said=words.forms.DONE["told"])
    except Conflict as late:
        happened = Happened(problem=str(late), status=HTTPStatus.CONFLICT)
    except InvalidInput as refused:
        problem = words.phrases.sentence(f"{refused.problems[0].reason}.")
        happened = Happened(problem=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if back and happened.said:
        return redirect("/queue", done="told")
    return await _settled(request, parts, session, conversation_id, shown, happened)


@router.post("/mode")
async def switch_mode(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    mode: Annotated[Mode, Form()],
) -> Response:
    """Change what AI does in this conversation by itself."""
    row = await find_conversation(parts, session.caller, conversation_id)
    async with parts.transaction() as connection:
        tending = Tending(connection, session.caller, row["creator_id"], parts.now())
        await change_mode(tending, conversation_id, mode)
    happened = Happened(said=words.forms.DONE["mode"])
    return await _settled(request, parts, session, conversation_id, shown, happened)


@router.post("/care")
async def take_care(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    care: Annotated[Care | Literal["none"], Form()],
    reason: Annotated[FreeText, Form()] = "",
) -> Response:
    """Stop selling and automation here, or, with `none`, let them go on."""
    row = await find_conversation(parts, session.caller, conversation_id)
    stops = None if care == "none" else care
    told = "Selling and automatic sending are stopped here." if stops else "Selling can go on here."
    try:
        async with parts.transaction() as connection:
            tending = Tending(connection, session.caller, row["creator_id"], parts.now())
            await change_care(parts, tending, conversation_id, stops, _reason(reason))
        happened = Happened(said=told)
    except InvalidInput as refused:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        happened = Happened(problem=refused.problems[0].reason, status=status)
    return await _settled(request, parts, session, conversation_id, shown, happened)


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidInput(FieldProblem("reason", "Say in a few words why: it is kept."))
    if len(text) > LONGEST_REASON:
        raise InvalidInput(FieldProblem("reason", f"At most {LONGEST_REASON} characters."))
    return text


@router.post("/notes")
async def keep_notes(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    shown: ShownDep,
    notes: Annotated[FreeText, Form()] = "",
    before: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Change the team's notes on the fan, unless somebody else has in the meantime."""
    row = await find_conversation(parts, session.caller, conversation_id)
    text = lines(notes).strip()
    try:
        if len(text) > LONGEST_NOTES:
            raise InvalidInput(FieldProblem("notes", f"At most {LONGEST_NOTES:,} characters."))
        async with parts.transaction() as connection:
            tending = Tending(connection, session.caller, row["creator_id"], parts.now())
            await change_notes(tending, row["fan_id"], text, before=before)
        happened = Happened(said="Notes saved.")
    except InvalidInput as refused:
        typed = NotesTyped(text, refused.problems[0].reason)
        happened = Happened(notes=typed, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    except Conflict as first:
        typed = NotesTyped(text, f"{first} They stand above; save yours again to replace them.")
        happened = Happened(notes=typed, status=HTTPStatus.CONFLICT)
    return await _settled(request, parts, session, conversation_id, shown, happened)


async def _settled(
    request: Request,
    parts: Parts,
    session: Session,
    conversation_id: UUID,
    shown: Shown,
    happened: Happened,
) -> Response:
    """The page with what has become of a form."""
    desk: Desk = await open_desk(parts, session)
    return await answer(request, parts, desk, conversation_id, shown, happened, parts_only=True)
