"""Personalities: how each creator sounds, every version of it, and a trial before it is saved."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.queries import personalities
from vaultcrm.domain.errors import AiDisabled, Conflict, InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Creator, Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText, Pasted
from vaultcrm.entrypoints.api.problems import status_of
from vaultcrm.entrypoints.api.schemas.directory import CreatorIn
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.personalities import view
from vaultcrm.entrypoints.web.personalities.view import Editor, Notice, open_editor
from vaultcrm.pipeline import personality as limits
from vaultcrm.pipeline.personality.differences import rebase
from vaultcrm.workflows.add_creator import add_creator
from vaultcrm.workflows.change_personality import (
    change_personality,
    read_personality,
    read_version,
    roll_back_personality,
)
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.try_personality import TrialRequest, try_personality

router = APIRouter()

Search = Annotated[FreeText, Query(max_length=100)]
Version = Annotated[int, Query(ge=1, le=2**31 - 1)]
SavedVersion = Annotated[int, Form(ge=0, le=2**31 - 1)]

CREATOR_FIELDS: Mapping[str, str] = {
    "handle": "One line of at most 200 characters.",
    "display_name": "One line of at most 200 characters.",
    "language": "Two small letters, such as en.",
    "region": "Two capital letters, such as US.",
}
"""What each field of a new creator must be."""


def typed_fields(
    personality_type: Annotated[Pasted, Form()] = "",
    tone_descriptors: Annotated[Pasted, Form()] = "",
    preferred_phrases: Annotated[Pasted, Form()] = "",
    forbidden_words: Annotated[Pasted, Form()] = "",
    emoji_style: Annotated[FreeText, Form()] = "",
    system_prompt: Annotated[Pasted, Form()] = "",
) -> dict[str, str]:
    """The fields of the editor, with the ends of lines as they are stored."""
    typed = {
        "personality_type": personality_type,
        "tone_descriptors": tone_descriptors,
        "preferred_phrases": preferred_phrases,
        "forbidden_words": forbidden_words,
        "emoji_style": emoji_style,
        "system_prompt": system_prompt,
    }
    return {name: text.replace("\r\n", "\n") for name, text in typed.items()}


TypedDep = Annotated[dict[str, str], Depends(typed_fields)]


@router.get("/personalities")
async def first_personality(desk: DeskDep) -> Response:
    """The first creator's; without any, how to add one."""
    if desk.has_ai and desk.creators:
        return redirect(f"/personalities/{next(iter(desk.creators))}")
    return _page("personalities/personalities.html", desk, None)


@router.post("/personalities")
async def add(
    parts: PartsDep,
    session: FormSessionDep,
    handle: Annotated[FreeText, Form()] = "",
    display_name: Annotated[FreeText, Form()] = "",
    language: Annotated[FreeText, Form()] = "",
    region: Annotated[FreeText, Form()] = "",
    back: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Add a creator, and go on to how they sound."""
    require_role(session.caller, Role.MANAGER, Role.ADMIN)
    typed = {
        "handle": handle.strip(),
        "display_name": display_name.strip(),
        "language": language.strip(),
        "region": region.strip(),
    }
    problems: dict[str, str] = {}
    creator: Creator | None = None
    try:
        wanted = CreatorIn.model_validate(typed)
    except ValidationError as refused:
        wrong = {str(error["loc"][0]) for error in refused.errors()}
        problems = {name: told for name, told in CREATOR_FIELDS.items() if _alias(name) in wrong}
    else:
        async with parts.transaction() as connection:
            creator = await add_creator(
                connection,
                session.caller,
                handle=wanted.handle,
                display_name=wanted.display_name,
                language=wanted.language,
                region=wanted.region,
                now=parts.now(),
            )
        problems = {"handle": f"{wanted.handle} is taken. Choose another one."}
    if creator is not None:
        return redirect(f"/personalities/{creator.id}")
    desk = await open_desk(parts, session)
    editor = None if back is None else await open_editor(parts, desk, back)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return _page(
        "personalities/personalities.html",
        desk,
        editor,
        status,
        adding=typed,
        adding_problems=problems,
    )


def _alias(name: str) -> str:
    """A field's name as the schema reports it."""
    return CreatorIn.model_fields[name].alias or name


@router.get("/personalities/{creator_id}")
async def personality(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    creator_id: UUID,
    version: Version | None = None,
    before: Version | None = None,
    fan: Search = "",
) -> Response:
    """The editor of one creator's voice with its versions; for htmx, the versions alone."""
    require_creator(desk.caller, creator_id)
    editor = await open_editor(
        parts, desk, creator_id, version=version, before=before, search=fan.strip()
    )
    if asked_by_htmx(request):
        return _page("personalities/_versions.html", desk, editor)
    return _page("personalities/personalities.html", desk, editor)


@router.get("/personalities/{creator_id}/conversations")
async def talks(parts: PartsDep, desk: DeskDep, creator_id: UUID, fan: Search = "") -> Response:
    """The conversations to try a voice on whose fan has this in their name."""
    require_creator(desk.caller, creator_id)
    async with parts.pool.connection() as connection:
        sent = await personalities.talks(connection, creator_id, name=fan.strip(), limit=view.TALKS)
        found = view.Talks(await sent.answer(), fan.strip(), None)
    return page("personalities/_talks.html", desk=desk, talks=found)


@router.post("/personalities/{creator_id}")
async def save(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    typed: TypedDep,
    based_on: SavedVersion,
) -> Response:
    """Save the next version; 409 with what was typed kept when somebody has saved another one."""
    require_role(session.caller, Role.MANAGER, Role.ADMIN)
    current = await read_personality(parts, session.caller, creator_id)
    found = view.changes(current, typed)
    if not found and current.version and based_on == current.version:
        notice = Notice("You have changed nothing, so there is no new version.")
    else:
        try:
            saved = await change_personality(
                parts, session.caller, creator_id, found, based_on=based_on
            )
        except InvalidInput as refused:
            desk = await open_desk(parts, session)
            return await _refused(request, parts, desk, creator_id, typed, based_on, refused)
        except Conflict:
            desk = await open_desk(parts, session)
            return await _too_late(request, parts, desk, creator_id, typed, based_on)
        notice = Notice(
            f"Saved as version {saved.version}. It holds from the next draft on.",
            undo=based_on or None,
        )
    desk = await open_desk(parts, session)
    editor = await open_editor(parts, desk, creator_id)
    return _answer(request, desk, replace(editor, notice=notice))


@router.post("/personalities/{creator_id}/roll-back")
async def roll_back(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    version: SavedVersion,
    based_on: SavedVersion,
) -> Response:
    """Save a new version that is equal to an older one."""
    require_role(session.caller, Role.MANAGER, Role.ADMIN)
    caller = session.caller
    try:
        saved = await roll_back_personality(parts, caller, creator_id, version, based_on=based_on)
    except InvalidInput as refused:
        older = (await read_version(parts, caller, creator_id, version)).voice
        desk = await open_desk(parts, session)
        typed = view.written(older)
        return await _refused(request, parts, desk, creator_id, typed, based_on, refused)
    except Conflict:
        desk = await open_desk(parts, session)
        typed = view.written(await view.base_of(parts, caller, creator_id, based_on))
        return await _too_late(request, parts, desk, creator_id, typed, based_on)
    notice = Notice(
        f"Version {saved.version} is saved and equal to version {version}.", undo=based_on
    )
    desk = await open_desk(parts, session)
    editor = await open_editor(parts, desk, creator_id)
    return _answer(request, desk, replace(editor, notice=notice))


@router.post("/personalities/{creator_id}/try")
async def try_it(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    typed: TypedDep,
    based_on: SavedVersion = 0,
    generation_type: Annotated[GenerationType, Form()] = GenerationType.REPLY,
    conversation: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Draft with what is typed beside the voice in force; nothing is saved."""
    require_role(session.caller, Role.MANAGER, Role.ADMIN)
    current = await read_personality(parts, session.caller, creator_id)
    problem, status = "", HTTPStatus.OK
    trial = None
    try:
        if conversation is None:
            raise NotFound("conversation")
        wanted = TrialRequest(
            creator_id, conversation, generation_type, view.changes(current, typed)
        )
        trial = await try_personality(parts, session.caller, wanted)
    except InvalidInput as refused:
        desk = await open_desk(parts, session)
        return await _refused(request, parts, desk, creator_id, typed, based_on, refused)
    except NotFound:
        problem, status = "Choose a conversation first.", HTTPStatus.UNPROCESSABLE_ENTITY
    except AiDisabled as refused:
        problem, status = str(refused), HTTPStatus(status_of(refused))
    desk = await open_desk(parts, session)
    editor = await open_editor(parts, desk, creator_id, conversation_id=conversation)
    editor = replace(
        editor,
        typed=typed,
        based_on=based_on,
        trial=trial,
        trial_problem=problem,
        generation_type=generation_type,
    )
    if asked_by_htmx(request):
        return _page("personalities/_trial.html", desk, editor, status)
    return _page("personalities/personalities.html", desk, editor, status)


async def _refused(
    request: Request,
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    typed: Mapping[str, str],
    based_on: int,
    refused: InvalidInput,
) -> Response:
    """The editor with what was typed and, beside each field, what is wrong with it."""
    editor = replace(
        await open_editor(parts, desk, creator_id),
        typed=typed,
        based_on=based_on,
        problems=view.problems_of(refused, typed),
    )
    return _answer(request, desk, editor, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _too_late(
    request: Request,
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    typed: Mapping[str, str],
    based_on: int,
) -> Response:
    """The editor over the version that somebody else has saved, with what was typed carried over.

    A field that was not touched shows what they wrote; saving again replaces what both changed.
    """
    editor = await open_editor(parts, desk, creator_id)
    base = await view.base_of(parts, desk.caller, creator_id, based_on)
    if not editor.versions.shown:
        raise NotFound("version")
    theirs = editor.versions.shown[0].saved
    editor = replace(
        editor,
        typed=rebase(typed, view.written(base), view.written(theirs.voice)),
        clash=view.clash_of(base, theirs, typed),
    )
    return _answer(request, desk, editor, HTTPStatus.CONFLICT)


def _answer(
    request: Request, desk: Desk, editor: Editor, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """The page, or for htmx the working area, wherever in it the press was."""
    if not asked_by_htmx(request):
        return _page("personalities/personalities.html", desk, editor, status)
    response = _page("personalities/_personality.html", desk, editor, status)
    response.headers["HX-Retarget"] = "#voice"
    return response


def _page(
    template: str,
    desk: Desk,
    editor: Editor | None,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    adding: Mapping[str, str] | None = None,
    adding_problems: Mapping[str, str] | None = None,
) -> Response:
    """One of this page's templates; `adding` is what was typed for a new creator."""
    return page(
        template,
        status,
        desk=desk,
        here="personalities",
        editor=editor,
        view=view,
        limits=limits,
        adding=adding or {},
        adding_problems=adding_problems or {},
    )
