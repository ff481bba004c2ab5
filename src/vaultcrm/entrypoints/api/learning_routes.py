"""`/api/ai/learning`: proposals of the weekly learning, applied, dismissed, taken back."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import proposals
from vaultcrm.domain.learning import Proposal, ProposalStatus
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Listing, Page, Place, as_sent
from vaultcrm.entrypoints.api.schemas.learning import DismissIn, ProposalOut, proposal_out
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.decide_proposal import (
    MANAGERS,
    apply_proposal,
    dismiss_proposal,
    find_proposal,
    roll_back_proposal,
)
from vaultcrm.workflows.parts import Parts, Receipt

router = APIRouter(prefix="/api/ai/learning", tags=["Learning"])

_PROPOSALS: Listing[Proposal] = Listing(
    show=lambda one: as_sent(proposal_out(one)),
    place_of=lambda one: (one.id,),
    kinds=(UUID,),
)


@router.get("/proposals", response_model=Page[ProposalOut])
async def list_proposals(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
    status: Annotated[ProposalStatus | None, Query()] = None,
) -> Response:
    """Proposed personalities with their evidence, the newest first."""
    require_role(caller, *MANAGERS)

    async def read(before: Place | None, most: int) -> list[Proposal]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            sent = await proposals.listed(
                connection,
                creator_ids,
                most=most,
                before=before[0] if before else None,
                status=status,
            )
            return await sent.answer()

    return await _PROPOSALS.page(limit, cursor, read)


@router.post("/proposals/{proposal_id}/apply", response_model=ProposalOut)
async def apply(
    request: Request, proposal_id: UUID, parts: PartsDep, caller: CallerDep
) -> Response:
    """Save what is proposed as the next version of the personality; it is watched from then on."""

    async def work() -> object:
        return await apply_proposal(parts, caller, proposal_id)

    return await _decide(request, parts, caller, proposal_id, work)


@router.post("/proposals/{proposal_id}/dismiss", response_model=ProposalOut)
async def dismiss(
    request: Request, proposal_id: UUID, body: DismissIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Let a proposal go, with a reason. The same is not proposed again for 12 weeks."""

    async def work() -> object:
        return await dismiss_proposal(parts, caller, proposal_id, body.reason)

    return await _decide(request, parts, caller, proposal_id, work)


@router.post("/proposals/{proposal_id}/roll-back", response_model=ProposalOut)
async def roll_back(
    request: Request, proposal_id: UUID, parts: PartsDep, caller: CallerDep
) -> Response:
    """Save a version with what an applied proposal changed as it was before."""

    async def work() -> object:
        return await roll_back_proposal(parts, caller, proposal_id)

    return await _decide(request, parts, caller, proposal_id, work)


async def _decide(
    request: Request,
    parts: Parts,
    caller: Caller,
    proposal_id: UUID,
    work: Callable[[], Awaitable[object]],
) -> Response:
    """The proposal as it is afterwards, at most once for an `Idempotency-Key`."""

    async def done(receipt: Receipt | None) -> Response:
        await work()
        answer = proposal_out(await find_proposal(parts, caller, proposal_id))
        body = answer.model_dump_json(by_alias=True)
        # A decision is made once whatever happens here: asked again, it says what was decided.
        if receipt is not None:
            async with parts.transaction() as connection:
                await receipt.store(connection, body)
        return json_response(body)

    return await once(request, parts, caller.user_id, done)
