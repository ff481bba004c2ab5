"""Templates: the list with its filters, an editor, and a preview for a real fan.

Everybody reads them; managers write them. Over htmx a row or a form answers with the whole working
area, a filter with the list alone, and what is typed with the preview alone.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import templates
from vaultcrm.db.queries.templates import TemplateFilter
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.estimates import LEAST_FOR_SHARE
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.template import VARIABLES, place_of
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import EARLIEST, FreeText
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor, moment
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session
from vaultcrm.entrypoints.web.message_templates.view import (
    Editor,
    Typed,
    Wanted,
    chart_of,
    interval,
    mean,
    new_template,
    open_template,
    read_fans,
    read_listed,
    share,
    show_preview,
)
from vaultcrm.workflows import manage_templates
from vaultcrm.workflows.manage_templates import MANAGERS
from vaultcrm.workflows.parts import Parts

router = APIRouter()

Search = Annotated[FreeText, Query(max_length=100)]
LIST = "#template-list"

DONE = {
    "added": "The template is there.",
    "changed": "Saved.",
    "archived": "Archived. It is not found or suggested any more.",
    "restored": "The template is back.",
}
"""What the page says after a form has done its work."""


async def wanted_of(
    creator: str = "",
    category: str = "",
    language: Annotated[str, Query(max_length=2)] = "",
    search: Search = "",
    archived: bool = False,
) -> Wanted:
    """What the filters ask for; raises NotFound for what no filter offers."""
    try:
        return Wanted(
            creator_id=UUID(creator) if creator else None,
            filter=TemplateFilter(
                search=search.strip(),
                category=GenerationType(category) if category else None,
                language=language or None,
                archived=archived,
            ),
        )
    except ValueError:
        raise NotFound("list of templates") from None


WantedDep = Annotated[Wanted, Depends(wanted_of)]


async def typed_in(
    name: Annotated[FreeText, Form()] = "",
    category: Annotated[GenerationType, Form()] = GenerationType.REPLY,
    language: Annotated[FreeText, Form()] = "",
    text: Annotated[FreeText, Form()] = "",
    price: Annotated[FreeText, Form()] = "",
) -> Typed:
    return Typed(name, category, language, text.replace("\r\n", "\n"), price)


TypedDep = Annotated[Typed, Depends(typed_in)]


@router.get("/templates")
async def all_templates(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    wanted: WantedDep,
    cursor: str | None = None,
    opened: Annotated[str, Query(alias="open")] = "",
) -> Response:
    """The list, and beside it the template that was open when it was narrowed."""
    template_id = _id_or_none(opened)
    editor = None
    if template_id is not None:
        async with parts.pool.connection() as connection:
            editor = await open_template(connection, desk, template_id)
    return await _show(request, parts, desk, wanted, editor, cursor=cursor)


@router.get("/templates/new")
async def empty_template(
    request: Request, parts: PartsDep, desk: DeskDep, wanted: WantedDep, copy: UUID | None = None
) -> Response:
    """A form for a new template, or for a copy of another one, which is saved by nobody yet."""
    require_role(desk.caller, *MANAGERS)
    async with parts.pool.connection() as connection:
        editor = await new_template(connection, desk, wanted.creator_id, copy)
    return await _show(request, parts, desk, wanted, editor)


@router.get("/templates/fans")
async def fans(parts: PartsDep, desk: DeskDep, creator: UUID, fan_search: Search = "") -> Response:
    """Fans of a creator to preview a template for, as the options of a field."""
    if creator not in desk.creators:
        raise NotFound("creator")
    async with parts.pool.connection() as connection:
        found = await read_fans(connection, creator, fan_search, None)
    return page("message_templates/_fans.html", fans=found, chosen=None, fan_search=fan_search)


@router.get("/templates/{template_id}")
async def one_template(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    wanted: WantedDep,
    template_id: UUID,
    cursor: str | None = None,
    done: str = "",
) -> Response:
    """One template in the editor, with its preview and how it does."""
    async with parts.pool.connection() as connection:
        editor = await open_template(connection, desk, template_id)
    return await _show(
        request,
        parts,
        desk,
        wanted,
        editor,
        cursor=cursor,
        done=DONE.get(done, ""),
    )


@router.post("/templates/preview")
async def preview(
    parts: PartsDep,
    session: FormSessionDep,
    creator: Annotated[UUID, Form()],
    text: Annotated[FreeText, Form()] = "",
    price: Annotated[FreeText, Form()] = "",
    conversation: Annotated[str, Form()] = "",
    key: Annotated[str, Form(pattern="^[a-z0-9-]{1,64}$")] = "new",
) -> Response:
    """What was typed as one fan would read it. Nothing is saved."""
    desk = await open_desk(parts, session)
    if creator not in desk.creators:
        raise NotFound("creator")
    async with parts.pool.connection() as connection:
        currency = await (await templates.currency_of(connection, creator)).answer()
        shown = await show_preview(
            parts, connection, creator, text, price, currency, _id_or_none(conversation)
        )
    return page(
        "message_templates/_typed.html",
        shown=shown,
        desk=desk,
        key=key,
        typed_text=text.replace("\r\n", "\n"),
        variables=VARIABLES,
        place_of=place_of,
    )


@router.post("/templates")
async def add(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    wanted: WantedDep,
    typed: TypedDep,
    creator: Annotated[UUID, Form()],
    key: Annotated[FreeText, Form()] = "new",
) -> Response:
    """Add a template and open it."""
    require_role(session.caller, *MANAGERS)
    desk = await open_desk(parts, session)
    async with parts.pool.connection() as connection:
        editor = await new_template(connection, desk, creator, None)
    editor = Editor(key if key.startswith("copy-") else "new", creator, editor.currency, typed)
    try:
        async with parts.transaction() as connection:
            record = await manage_templates.add_template(
                connection, session.caller, creator, typed.draft(editor.currency), parts.now()
            )
    except (InvalidInput, Conflict) as refused:
        return await _refused(request, parts, desk, wanted, editor, typed, refused)
    return await _done(request, parts, session, wanted, record["id"], "added")


@router.post("/templates/{template_id}")
async def change(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    wanted: WantedDep,
    typed: TypedDep,
    template_id: UUID,
    seen: Annotated[FreeText, Form()],
) -> Response:
    """Save a template, unless somebody else has saved it since the form was opened."""
    require_role(session.caller, *MANAGERS)
    desk = await open_desk(parts, session)
    async with parts.pool.connection() as connection:
        editor = await open_template(connection, desk, template_id)
    try:
        async with parts.transaction() as connection:
            await manage_templates.change_template(
                connection,
                session.caller,
                editor.creator_id,
                template_id,
                typed.draft(editor.currency),
                seen=_moment(seen),
                now=parts.now(),
            )
    except (InvalidInput, Conflict) as refused:
        async with parts.pool.connection() as connection:
            editor = await open_template(connection, desk, template_id)
        return await _refused(request, parts, desk, wanted, editor, typed, refused, seen=seen)
    return await _done(request, parts, session, wanted, template_id, "changed")


@router.post("/templates/{template_id}/archive")
async def archive(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    wanted: WantedDep,
    template_id: UUID,
    archived: Annotated[bool, Form()] = True,
) -> Response:
    """Put a template away, or take it back."""
    require_role(session.caller, *MANAGERS)
    desk = await open_desk(parts, session)
    async with parts.transaction() as connection:
        editor = await open_template(connection, desk, template_id)
        await manage_templates.archive_template(
            connection, session.caller, editor.creator_id, template_id, archived, parts.now()
        )
    done = "archived" if archived else "restored"
    return await _done(request, parts, session, wanted, template_id, done)


async def _refused(
    request: Request,
    parts: Parts,
    desk: Desk,
    wanted: Wanted,
    editor: Editor,
    typed: Typed,
    refused: InvalidInput | Conflict,
    *,
    seen: str = "",
) -> Response:
    """The form again with all that was typed, and why it was not saved."""
    if isinstance(refused, InvalidInput):
        shown = editor.with_problems(typed, refused.problems).as_seen(seen)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    elif refused.status == "changed" and editor.template is not None:
        shown = editor.against(typed)
        status = HTTPStatus.CONFLICT
    else:
        problem = FieldProblem("name", str(refused))
        shown = editor.with_problems(typed, [problem]).as_seen(seen)
        status = HTTPStatus.CONFLICT
    return await _show(request, parts, desk, wanted, shown, status=status)


async def _done(
    request: Request, parts: Parts, session: Session, wanted: Wanted, template_id: UUID, done: str
) -> Response:
    """The template as it is now: a redirect for a browser, the working area for htmx."""
    path = f"/templates/{template_id}"
    if not asked_by_htmx(request):
        return redirect(path + wanted.query(done=done))
    desk = await open_desk(parts, session)
    async with parts.pool.connection() as connection:
        editor = await open_template(connection, desk, template_id)
    return await _show(
        request,
        parts,
        desk,
        wanted,
        editor,
        done=DONE[done],
        headers={"HX-Push-Url": path + wanted.query()},
    )


async def _show(
    request: Request,
    parts: Parts,
    desk: Desk,
    wanted: Wanted,
    editor: Editor | None,
    *,
    cursor: str | None = None,
    done: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> Response:
    after = decode_cursor(cursor, UUID, UUID)
    list_alone = asked_by_htmx(request) and request.headers.get("hx-target", "").endswith(LIST)
    fans_found, shown, chart = None, None, None
    async with parts.pool.connection() as connection:
        listed = await read_listed(
            connection, desk, wanted, (after[0], after[1]) if after else None
        )
        if editor is not None and not list_alone:
            shown = await show_preview(
                parts,
                connection,
                editor.creator_id,
                editor.typed.text,
                editor.typed.price,
                editor.currency,
                None,
            )
            chosen = shown.preview.conversation_id
            fans_found = await read_fans(connection, editor.creator_id, "", chosen)
    if editor is not None and editor.template is not None:
        chart = chart_of(editor.template.stats, desk.now)
    template = "message_templates/templates.html"
    if asked_by_htmx(request):
        template = (
            "message_templates/_list.html" if list_alone else "message_templates/_templates.html"
        )
    return page(
        template,
        status,
        headers=headers,
        desk=desk,
        here="templates",
        listed=listed,
        wanted=wanted,
        following=encode_cursor(*listed.following) if listed.following else None,
        first=cursor is None,
        editor=editor,
        shown=shown,
        fans=fans_found,
        fan_search="",
        chosen=None if shown is None else shown.preview.conversation_id,
        chart=chart,
        share=share,
        mean=mean,
        interval=interval,
        least=LEAST_FOR_SHARE,
        typed_text="" if editor is None else editor.typed.text,
        writes=desk.caller.is_one_of(*MANAGERS),
        cursor=cursor,
        variables=VARIABLES,
        place_of=place_of,
        done=done,
    )


def _moment(seen: str) -> datetime:
    """When the form's template was last changed; for what no form of ours tells, never."""
    try:
        return moment(seen)
    except ValueError:
        return EARLIEST


def _id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
