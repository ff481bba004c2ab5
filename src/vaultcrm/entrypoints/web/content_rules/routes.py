"""Content rules of one creator: listed by kind, added, removed with an undo, and tried on a text.

For managers. Over htmx everything answers with the working area, but a tried text with what is
said of it and another kind of rule with the form alone.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.content_rules import MOST_RULES, RuleKind
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput
from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText, Pasted
from vaultcrm.entrypoints.web.content_rules.view import (
    LONGEST_SAMPLE,
    Sample,
    Typed,
    creator_of,
    is_own,
    may_be_excepted,
    read_listed,
    sample_of,
)
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.workflows.manage_content_rules import MANAGERS, add_rule, remove_rule, restore_rule
from vaultcrm.workflows.manage_content_rules import try_text as try_on
from vaultcrm.workflows.parts import Parts

router = APIRouter()

PATH = "/content-rules"
DONE = {
    "added": "The rule is in force.",
    "removed": "The rule is removed.",
    "restored": "The rule is in force again.",
}
"""What the page says after a form has done its work."""


async def typed_in(
    kind: Annotated[RuleKind, Form()] = RuleKind.PHRASE,
    text: Annotated[Pasted, Form()] = "",
    category: Annotated[Category | Literal[""], Form()] = "",
    tier: Annotated[FindingTier, Form()] = FindingTier.BLOCK,
    scopes: Annotated[tuple[Scope, ...], Form()] = (),
    reason: Annotated[Pasted, Form()] = "",
    key: Annotated[str, Form(pattern="^[0-9a-f]{8}$")] = "00000000",
) -> Typed:
    return Typed(kind, text, category or None, tier, scopes, reason, key)


async def asked_for(
    kind: RuleKind = RuleKind.PHRASE,
    text: Annotated[FreeText, Query()] = "",
    category: Category | Literal[""] = "",
    tier: FindingTier = FindingTier.BLOCK,
    scopes: Annotated[tuple[Scope, ...], Query()] = (Scope.DRAFT, Scope.CHATTER),
    reason: Annotated[FreeText, Query()] = "",
) -> Typed:
    """The form as an address asks for it: another kind takes over what was typed."""
    typed = Typed(kind, text, category or None, tier, scopes, reason)
    return replace(
        typed,
        category=typed.category if typed.category in typed.categories else None,
        scopes=tuple(scope for scope in typed.offered_scopes if scope in scopes),
    )


async def sample_in(
    sample: Annotated[Pasted, Form()] = "", whose: Annotated[Scope, Form()] = Scope.CHATTER
) -> Sample:
    return Sample(sample.replace("\r\n", "\n")[:LONGEST_SAMPLE], whose)


TypedDep = Annotated[Typed, Depends(typed_in)]
AskedDep = Annotated[Typed, Depends(asked_for)]
SampleDep = Annotated[Sample, Depends(sample_in)]


@router.get(PATH)
async def rules(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    typed: AskedDep,
    creator: UUID | Literal[""] = "",
    done: str = "",
    removed: UUID | Literal[""] = "",
) -> Response:
    """All rules of one creator, with the form for one more."""
    require_role(desk.caller, *MANAGERS)
    return await _page(
        parts,
        desk,
        creator or None,
        typed,
        part=asked_by_htmx(request),
        done=DONE.get(done, ""),
        removed=removed or None,
    )


@router.get(f"{PATH}/form")
async def form(desk: DeskDep, typed: AskedDep, creator: UUID) -> Response:
    """The form for one kind of rule, with what was typed in the other."""
    require_role(desk.caller, *MANAGERS)
    return page(
        "content_rules/_form.html", desk=desk, creator_id=creator_of(desk, creator), typed=typed
    )


@router.post(f"{PATH}/try")
async def try_text(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    sample: SampleDep,
    creator: Annotated[UUID, Form()],
) -> Response:
    """What the filter says about a text, with the rules of a creator. Nothing is saved."""
    require_role(session.caller, *MANAGERS)
    desk = await open_desk(parts, session)
    tried = await _tried(parts, desk, creator, sample)
    if asked_by_htmx(request):
        return page(
            "content_rules/_tried.html",
            desk=desk,
            creator_id=creator,
            sample=tried,
            is_own=is_own,
            may_be_excepted=may_be_excepted,
        )
    return await _page(parts, desk, creator, Typed(), sample=tried)


@router.post(PATH)
async def add(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    typed: TypedDep,
    sample: SampleDep,
    creator: Annotated[UUID, Form()],
) -> Response:
    """Add a rule."""
    require_role(session.caller, *MANAGERS)
    try:
        async with parts.transaction() as connection:
            await add_rule(connection, session.caller, creator, typed.draft(), parts.now())
    except InvalidInput as refused:
        typed = typed.with_problems(refused.problems)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict as refused:
        typed = typed.with_problems([FieldProblem("text", str(refused))])
        status = HTTPStatus.CONFLICT
    else:
        if not asked_by_htmx(request):
            return redirect(PATH, creator=creator, kind=typed.kind.value, done="added")
        typed, status = Typed(kind=typed.kind), HTTPStatus.OK
    desk = await open_desk(parts, session)
    return await _page(
        parts,
        desk,
        creator,
        typed,
        status=status,
        part=asked_by_htmx(request),
        sample=sample,
        done="" if typed.problems else DONE["added"],
    )


@router.post(f"{PATH}/{{rule_id}}/remove")
async def remove(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    sample: SampleDep,
    rule_id: UUID,
) -> Response:
    """Take a rule out of force; the page offers to undo it."""
    async with parts.transaction() as connection:
        rule = await remove_rule(connection, session.caller, rule_id, parts.now())
    if not asked_by_htmx(request):
        return redirect(PATH, creator=rule["creator_id"], done="removed", removed=rule_id)
    desk = await open_desk(parts, session)
    return await _page(
        parts,
        desk,
        rule["creator_id"],
        Typed(),
        part=True,
        sample=sample,
        done=DONE["removed"],
        removed=rule_id,
    )


@router.post(f"{PATH}/{{rule_id}}/restore")
async def restore(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    sample: SampleDep,
    rule_id: UUID,
    creator: Annotated[UUID, Form()],
) -> Response:
    """Put a removed rule in force again."""
    problem, status = "", HTTPStatus.OK
    try:
        async with parts.transaction() as connection:
            rule = await restore_rule(connection, session.caller, rule_id, parts.now())
            creator = rule["creator_id"]
    except (Conflict, InvalidInput) as refused:
        problem, status = str(refused), HTTPStatus.CONFLICT
    if not problem and not asked_by_htmx(request):
        return redirect(PATH, creator=creator, done="restored")
    desk = await open_desk(parts, session)
    return await _page(
        parts,
        desk,
        creator,
        Typed(),
        status=status,
        part=asked_by_htmx(request),
        sample=sample,
        done="" if problem else DONE["restored"],
        problem=problem,
    )


async def _tried(parts: Parts, desk: Desk, creator_id: UUID, sample: Sample) -> Sample:
    """The sample with what the filter says about it; an empty one says nothing."""
    if not sample.text.strip():
        return sample
    tried = await try_on(parts, desk.caller, creator_id, sample.text, sample.scope)
    return sample_of(sample.text, sample.scope, tried)


async def _page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    typed: Typed,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    part: bool = False,
    sample: Sample | None = None,
    done: str = "",
    problem: str = "",
    removed: UUID | None = None,
) -> Response:
    """The page, or its working area alone, with the sample tried anew."""
    creator_id = creator_of(desk, creator_id)
    listed, tried = None, Sample()
    if creator_id is not None:
        listed = await read_listed(parts, creator_id)
        tried = await _tried(parts, desk, creator_id, sample or Sample())
    return page(
        "content_rules/_rules.html" if part else "content_rules/content_rules.html",
        status,
        desk=desk,
        here="content_rules",
        creator_id=creator_id,
        listed=listed,
        typed=typed,
        sample=tried,
        done=done,
        problem=problem,
        removed=removed,
        most=MOST_RULES,
        longest_sample=LONGEST_SAMPLE,
        is_own=is_own,
        may_be_excepted=may_be_excepted,
    )
