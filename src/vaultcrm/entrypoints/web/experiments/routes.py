"""A/B tests: listed, added, started and ended, and what each has come to. For managers."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.queries import ab_tests
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.experiments import AbTestStatus, Allocation, Metric, VariantKind
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText, Pasted
from vaultcrm.entrypoints.web.experiments.view import (
    ALLOCATIONS,
    GUARDRAILS,
    KINDS,
    METRICS,
    MOST_ROWS,
    Row,
    Typed,
    choices_of,
    creators_shown,
    shown,
)
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.run_ab_tests import add_ab_test, change_ab_test_status

router = APIRouter()

PATH = "/experiments"
MANAGERS = (Role.MANAGER, Role.ADMIN)
MOST_LISTED = 100
LONGEST_NAME = 200
Several = Annotated[tuple[Pasted, ...], Form()]
SeveralAsked = Annotated[tuple[FreeText, ...], Query()]


async def typed_in(
    kind: Annotated[VariantKind, Form()] = VariantKind.PROMPT,
    name: Annotated[Pasted, Form()] = "",
    metric: Annotated[Metric, Form()] = Metric.REPLY_RATE,
    effect: Annotated[Pasted, Form()] = "",
    allocation: Annotated[Allocation, Form()] = Allocation.FIXED,
    variant: Several = (),
    reference: Several = (),
    weight: Several = (),
) -> Typed:
    rows = _rows(variant, reference, weight)
    return Typed(kind, " ".join(name.split()), metric, effect.strip(), allocation, rows)


async def asked_for(
    kind: VariantKind = VariantKind.PROMPT,
    metric: Metric = Metric.REPLY_RATE,
    name: FreeText = "",
    variant: SeveralAsked = (),
    reference: SeveralAsked = (),
    weight: SeveralAsked = (),
) -> Typed:
    """The form as an address asks for it: another kind or metric takes over what was typed."""
    rows = _rows(variant, reference, weight)
    return Typed(kind=kind, metric=metric, name=name[:LONGEST_NAME], rows=rows)


def _rows(
    names: tuple[str, ...], references: tuple[str, ...], weights: tuple[str, ...]
) -> list[Row]:
    return [
        Row(
            names[place] if place < len(names) else "",
            one,
            weights[place] if place < len(weights) else "1",
        )
        for place, one in enumerate(references[:MOST_ROWS])
    ]


TypedDep = Annotated[Typed, Depends(typed_in)]
AskedDep = Annotated[Typed, Depends(asked_for)]


@router.get(PATH)
async def experiments(
    request: Request, parts: PartsDep, desk: DeskDep, creator: UUID | Literal[""] = ""
) -> Response:
    """The tests of one creator, or of all, the newest first."""
    require_role(desk.caller, *MANAGERS)
    creator_id = creator or None
    _require_own(desk, creator_id)
    async with parts.pool.connection() as connection:
        sent = await ab_tests.list_ab_tests(
            connection, creators_shown(desk, creator_id), before=None, limit=MOST_LISTED
        )
        tests = [shown(one, {}) for one in await sent.answer()]
    template = "_list" if asked_by_htmx(request) else "experiments"
    return page(
        f"experiments/{template}.html",
        desk=desk,
        here="experiments",
        creator_id=creator_id,
        tests=tests,
        no_model=parts.drafter.reads_repertoire,
    )


@router.get(f"{PATH}/new")
async def new(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    typed: AskedDep,
    creator: UUID | Literal[""] = "",
) -> Response:
    """The form, with what this creator has to compare."""
    require_role(desk.caller, *MANAGERS)
    _require_own(desk, creator or None)
    return await _form(parts, desk, creator or None, typed, part=asked_by_htmx(request))


@router.post(PATH)
async def add(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    typed: TypedDep,
    creator: Annotated[UUID, Form()],
) -> Response:
    """Add a test as a draft."""
    require_role(session.caller, *MANAGERS)
    require_creator(session.caller, creator)
    try:
        if not 0 < len(typed.name) <= LONGEST_NAME or not typed.name.isprintable():
            reason = f"must be one line of 1 to {LONGEST_NAME} characters"
            raise InvalidInput(FieldProblem("name", reason))
        variants, design = typed.variants(), typed.design()
        async with parts.transaction() as connection:
            test = await add_ab_test(
                connection, session.caller, creator, typed.name, variants, parts.now(), design
            )
    except InvalidInput as refused:
        typed = typed.with_problems(refused.problems)
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict as refused:
        typed = typed.with_problems([FieldProblem("name", str(refused))])
        status = HTTPStatus.CONFLICT
    else:
        return redirect(f"{PATH}/{test['id']}")
    desk = await open_desk(parts, session)
    return await _form(parts, desk, creator, typed, status=status, part=asked_by_htmx(request))


@router.get(f"{PATH}/{{test_id}}")
async def result(request: Request, parts: PartsDep, desk: DeskDep, test_id: UUID) -> Response:
    """What one test has come to."""
    require_role(desk.caller, *MANAGERS)
    return await _result(parts, desk, test_id, part=asked_by_htmx(request))


@router.post(f"{PATH}/{{test_id}}/status")
async def change(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    test_id: UUID,
    status: Annotated[AbTestStatus, Form()],
) -> Response:
    """Start a test or end it."""
    require_role(session.caller, *MANAGERS)
    problem, code = "", HTTPStatus.OK
    try:
        async with parts.transaction() as connection:
            creator_ids = await visible_creators(connection, session.caller)
            found = await (await ab_tests.find_ab_test(connection, creator_ids, test_id)).answer()
            if not found:
                raise NotFound("A/B test")
            await change_ab_test_status(
                connection,
                session.caller,
                found[0]["creator_id"],
                test_id,
                status,
                parts.now(),
            )
    except (Conflict, InvalidInput) as refused:
        problem, code = str(refused), HTTPStatus.CONFLICT
    if not problem and not asked_by_htmx(request):
        return redirect(f"{PATH}/{test_id}")
    desk = await open_desk(parts, session)
    return await _result(
        parts, desk, test_id, part=asked_by_htmx(request), problem=problem, status=code
    )


def _require_own(desk: Desk, creator_id: UUID | None) -> None:
    if creator_id is not None and creator_id not in desk.creators:
        raise NotFound("creator")


async def _form(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    typed: Typed,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    part: bool = False,
) -> Response:
    creator_id = creator_id or next(iter(desk.creators), None)
    choices = [] if creator_id is None else await choices_of(parts, creator_id, typed.kind)
    return page(
        "experiments/_form.html" if part else "experiments/new.html",
        status,
        desk=desk,
        here="experiments",
        creator_id=creator_id,
        typed=typed,
        choices=choices,
        kinds=KINDS,
        metrics=METRICS,
        allocations=ALLOCATIONS,
        no_model=parts.drafter.reads_repertoire,
    )


async def _result(
    parts: Parts,
    desk: Desk,
    test_id: UUID,
    *,
    part: bool,
    problem: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    async with parts.pool.connection() as connection:
        sent = await ab_tests.find_ab_test(connection, list(desk.creators), test_id)
        found = await sent.answer()
    if not found:
        raise NotFound("A/B test")
    [test] = found
    choices = await choices_of(parts, test["creator_id"], VariantKind(test["kind"]))
    return page(
        "experiments/_result.html" if part else "experiments/experiment.html",
        status,
        desk=desk,
        here="experiments",
        shown=shown(test, {one.value: one.label for one in choices}),
        guardrails=GUARDRAILS,
        problem=problem,
        no_model=parts.drafter.reads_repertoire,
    )
