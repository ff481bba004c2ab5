"""Learning: what the last week has shown for a creator, what is proposed, and how it does.

For managers. Over htmx everything answers with the working area.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import Pasted
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session
from vaultcrm.entrypoints.web.learning import view
from vaultcrm.workflows.decide_proposal import (
    LONGEST_REASON,
    apply_proposal,
    dismiss_proposal,
    find_proposal,
    roll_back_proposal,
)
from vaultcrm.workflows.parts import Parts

router = APIRouter()

PATH = "/learning"
DONE = {
    "applied": "The proposal holds from the next draft on. It is watched from now.",
    "dismissed": "The proposal is dismissed. The same is not proposed again for 12 weeks.",
    "rolled_back": "The change is taken back. It holds from the next draft on.",
}
"""What the page says after a form has done its work."""


@router.get(PATH)
async def learning(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | Literal[""] = "",
    done: str = "",
) -> Response:
    """What was learned for one creator."""
    part = asked_by_htmx(request)
    return await _page(parts, desk, creator or None, part=part, done=DONE.get(done, ""))


@router.post(f"{PATH}/{{proposal_id}}/apply")
async def apply(
    request: Request, parts: PartsDep, session: FormSessionDep, proposal_id: UUID
) -> Response:
    """Save what is proposed as the next version."""
    return await _decided(request, parts, session, proposal_id, apply_proposal, "applied")


@router.post(f"{PATH}/{{proposal_id}}/dismiss")
async def dismiss(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    proposal_id: UUID,
    reason: Annotated[Pasted, Form()] = "",
) -> Response:
    """Let a proposal go, with a reason."""
    proposal = await find_proposal(parts, session.caller, proposal_id)
    problem, beside, status = "", "", HTTPStatus.OK
    try:
        await dismiss_proposal(parts, session.caller, proposal_id, reason)
    except InvalidInput:
        beside = f"Say why, in at most {LONGEST_REASON} characters."
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict as refused:
        problem, status = str(refused), HTTPStatus.CONFLICT
    desk = await open_desk(parts, session)
    return await _answer(
        request,
        parts,
        desk,
        proposal.creator_id,
        "dismissed",
        problem=problem,
        beside=beside,
        typed=reason,
        status=status,
    )


@router.post(f"{PATH}/{{proposal_id}}/roll-back")
async def roll_back(
    request: Request, parts: PartsDep, session: FormSessionDep, proposal_id: UUID
) -> Response:
    """Save a version as it was before the proposal."""
    return await _decided(request, parts, session, proposal_id, roll_back_proposal, "rolled_back")


async def _decided(
    request: Request,
    parts: Parts,
    session: Session,
    proposal_id: UUID,
    decide: Callable[[Parts, Caller, UUID], Awaitable[object]],
    done: str,
) -> Response:
    """Decide on a proposal in a way that takes no words; `done` is one of `DONE`."""
    proposal = await find_proposal(parts, session.caller, proposal_id)
    problem, status = "", HTTPStatus.OK
    try:
        await decide(parts, session.caller, proposal_id)
    except (Conflict, InvalidInput) as refused:
        problem, status = str(refused), HTTPStatus.CONFLICT
    desk = await open_desk(parts, session)
    return await _answer(
        request, parts, desk, proposal.creator_id, done, problem=problem, status=status
    )


async def _answer(
    request: Request,
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    done: str,
    *,
    problem: str = "",
    beside: str = "",
    typed: str = "",
    status: HTTPStatus,
) -> Response:
    """The working area; a browser without script is sent on to the page when all went well."""
    failed = bool(problem or beside)
    if not failed and not asked_by_htmx(request):
        return redirect(PATH, creator=creator_id, done=done)
    return await _page(
        parts,
        desk,
        creator_id,
        part=asked_by_htmx(request),
        done="" if failed else DONE[done],
        problem=problem,
        beside=beside,
        typed=typed,
        status=status,
    )


async def _page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    *,
    part: bool = False,
    done: str = "",
    problem: str = "",
    beside: str = "",
    typed: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    chosen = creator_id or next(iter(desk.creators), None)
    shown = None if chosen is None else await view.open_learning(parts, desk, chosen)
    return page(
        "learning/_learning.html" if part else "learning/learning.html",
        status,
        desk=desk,
        here="learning",
        creator_id=chosen,
        learned=shown,
        view=view,
        done=done,
        problem=problem,
        beside=beside,
        typed=typed,
        longest_reason=LONGEST_REASON,
    )
