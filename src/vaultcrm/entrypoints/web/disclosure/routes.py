"""The page of what fans are told about AI, by creator and language."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.domain.disclosure import Wording
from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import Pasted
from vaultcrm.entrypoints.web.disclosure.view import Typed, WordingPage, open_wordings
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.word_disclosure import MANAGERS, check_text, set_wording

router = APIRouter()

Language = Annotated[str | None, Query(max_length=8)]


@router.get("/disclosure")
async def wordings(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | None = None,
    language: Language = None,
    done: str | None = None,
) -> Response:
    """What fans are told, in one language of one creator."""
    if creator is None:
        creator = next(iter(desk.creators), None)
    if creator is None:
        return page("disclosure/disclosure.html", desk=desk, here="disclosure", shown=None)
    require_creator(desk.caller, creator)
    said = words.forms.DONE["worded"] if done == "worded" else ""
    shown = await open_wordings(parts, desk, creator, language, said=said)
    return _answer(request, desk, shown)


@router.post("/disclosure")
async def save(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    creator: Annotated[UUID, Form()],
    language: Annotated[str, Form(max_length=8)],
    version: Annotated[int, Form(ge=0, le=2**31 - 2)],
    text: Annotated[Pasted, Form()] = "",
    shipped: Annotated[bool, Form()] = False,
) -> Response:
    """Set a wording, or with `shipped` the one of the product again."""
    require_role(session.caller, *MANAGERS)
    desk = await open_desk(parts, session)
    before = await open_wordings(parts, desk, creator, language)
    wanted = before.opened.shipped if shipped else text
    try:
        async with parts.transaction() as connection:
            await set_wording(
                parts,
                connection,
                session.caller,
                creator,
                Wording(language, version, wanted),
                parts.now(),
            )
    except InvalidInput as refused:
        return await _refused(
            request,
            parts,
            desk,
            creator,
            language,
            Typed(text, tuple(problem.reason for problem in refused.problems)),
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    except Conflict:
        told = "Somebody else has changed this wording meanwhile. Yours stands here: save it again"
        typed = Typed(text, (f"{told} to replace theirs.",))
        return await _refused(request, parts, desk, creator, language, typed, HTTPStatus.CONFLICT)
    if not asked_by_htmx(request):
        return redirect("/disclosure", creator=creator, language=language, done="worded")
    desk = await open_desk(parts, session)
    shown = await open_wordings(parts, desk, creator, language, said=words.forms.DONE["worded"])
    return _answer(request, desk, shown)


@router.post("/disclosure/preview")
async def preview(
    parts: PartsDep,
    session: FormSessionDep,
    creator: Annotated[UUID, Form()],
    language: Annotated[str, Form(max_length=8)],
    text: Annotated[Pasted, Form()] = "",
) -> Response:
    """What a fan would read, and what keeps it from being saved."""
    require_creator(session.caller, creator)
    desk = await open_desk(parts, session)
    problems: tuple[str, ...] = ()
    try:
        await check_text(parts, session.caller, creator, language, text)
    except InvalidInput as refused:
        problems = tuple(problem.reason for problem in refused.problems)
    shown = await open_wordings(parts, desk, creator, language, typed=Typed(text, problems))
    return page("disclosure/_preview.html", desk=desk, shown=shown)


async def _refused(
    request: Request,
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    language: str,
    typed: Typed,
    status: HTTPStatus,
) -> Response:
    shown = await open_wordings(parts, desk, creator_id, language, typed=typed)
    return _answer(request, desk, shown, status)


def _answer(
    request: Request, desk: Desk, shown: WordingPage, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    template = "_wordings.html" if asked_by_htmx(request) else "disclosure.html"
    return page(f"disclosure/{template}", status, desk=desk, here="disclosure", shown=shown)
