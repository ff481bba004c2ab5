"""`/api/ai/queue` and decisions: what waits for a person, who holds it, what becomes of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from vaultcrm.db.queries import queue as queries
from vaultcrm.db.queries.queue import Split
from vaultcrm.domain.errors import Conflict, VaultError
from vaultcrm.domain.generation import GenerationRecord
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Listing, Page, Place, moment, place
from vaultcrm.entrypoints.api.schemas.generations import (
    GenerationOut,
    encode_generation,
    show_generation,
)
from vaultcrm.entrypoints.api.schemas.queue import (
    ApproveIn,
    ApproveOut,
    BulkIn,
    BulkItem,
    BulkOut,
    ClaimIn,
    ClaimOut,
    DraftIn,
    HeldOut,
    HeldPage,
    SnoozeIn,
)
from vaultcrm.workflows.decide_approval import DecisionRequest, decide_approval
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.undo_decision import undo_decision
from vaultcrm.workflows.work_queue import QueueView, claim, claim_next, release, select, snooze

router = APIRouter(prefix="/api/ai", tags=["Queue"])

_QUEUE: Listing[GenerationRecord] = Listing(
    show=show_generation,
    place_of=lambda record: (record.priority, record.created_at, record.id),
    kinds=(place, moment, UUID),
)


@router.get("/queue", response_model=Page[GenerationOut])
async def queue(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: Annotated[UUID | None, Query(alias="creatorId")] = None,
    split: Annotated[Split | None, Query(description="a part of the queue")] = None,
    waiting_minutes: Annotated[
        int | None, Query(alias="waitingMinutes", ge=0, le=100_000, description="made before that")
    ] = None,
    unclaimed: Annotated[bool, Query(description="leave out what others hold")] = False,
) -> Response:
    """Waiting drafts, the most urgent first. What is snoozed shows in its own split alone."""
    view = QueueView(creator_id, split, waiting_minutes, unclaimed)

    async def read(after: Place | None, most: int) -> tuple[GenerationRecord, ...]:
        now = parts.now()
        async with parts.pool.connection() as connection:
            await creators_asked_for(connection, caller, creator_id)
            selection = await select(connection, caller, view, now)
            behind = None if after is None else (after[0], after[1], after[2])
            return await queries.page(connection, selection, now=now, limit=most, after=behind)

    return await _QUEUE.page(limit, cursor, read)


@router.get("/queue/claims")
async def claims(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: Annotated[UUID | None, Query(alias="creatorId")] = None,
) -> HeldPage:
    """Who holds what just now."""
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        found = await queries.held(connection, creator_ids, parts.now())
    return HeldPage(
        items=[
            HeldOut(
                creator_id=one.creator_id,
                generation_id=one.generation_id,
                conversation_id=one.conversation_id,
                user_id=one.user_id,
                user_name=one.user_name,
                until=one.until,
            )
            for one in found
        ]
    )


@router.post("/queue/claim", response_model=ClaimOut)
async def claim_draft(
    request: Request, body: ClaimIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Hold a waiting draft for five minutes, so that others leave it alone: a given or the next."""

    def encode(record: GenerationRecord | None) -> str:
        held = "null" if record is None else encode_generation(record)
        return f'{{"generation":{held}}}'

    async def work(receipt: Receipt | None) -> Response:
        held: GenerationRecord | None
        if body.generation_id is not None:
            held = await claim(parts, caller, body.generation_id, receipt=receipt, encode=encode)
        else:
            view = QueueView(body.creator_id, body.split)
            held = await claim_next(parts, caller, view, receipt=receipt, encode=encode)
        return json_response(encode(held))

    return await once(request, parts, caller.user_id, work)


@router.post("/queue/release", response_model=GenerationOut)
async def release_draft(body: DraftIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Let a draft go that one holds, before its claim ends."""
    return json_response(encode_generation(await release(parts, caller, body.generation_id)))


@router.post("/queue/snooze", response_model=GenerationOut)
async def snooze_draft(body: SnoozeIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Take a draft out of the queue for up to seven days, or bring it back."""
    record = await snooze(parts, caller, body.generation_id, body.until)
    return json_response(encode_generation(record))


@router.post("/approve", response_model=ApproveOut)
async def approve(
    request: Request, body: ApproveIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Approve, modify or reject a waiting draft. Of two people at once one wins."""

    def encode(record: GenerationRecord) -> str:
        return f'{{"success":true,"generation":{encode_generation(record)}}}'

    async def work(receipt: Receipt | None) -> Response:
        record = await decide_approval(
            parts, caller, _decision(body), receipt=receipt, encode=encode
        )
        return json_response(encode(record))

    return await once(request, parts, caller.user_id, work)


@router.post("/queue/decide", response_model=BulkOut)
async def decide_many(
    request: Request, body: BulkIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Decide up to 100 drafts. Each is decided by itself: one that fails stops no other."""

    async def work(receipt: Receipt | None) -> Response:
        results = [await _decide_one(parts, caller, decision) for decision in body.decisions]
        succeeded = sum(result.success for result in results)
        answer = BulkOut(
            succeeded=succeeded, failed=len(results) - succeeded, results=results
        ).model_dump_json(by_alias=True)
        if receipt is not None:
            async with parts.transaction() as connection:
                await receipt.store(connection, answer)
        return json_response(answer)

    return await once(request, parts, caller.user_id, work)


async def _decide_one(parts: Parts, caller: Caller, decision: ApproveIn) -> BulkItem:
    try:
        record = await decide_approval(parts, caller, _decision(decision))
    except VaultError as error:
        return BulkItem(
            generation_id=decision.generation_id,
            success=False,
            problem=str(error),
            current_status=error.status if isinstance(error, Conflict) else None,
        )
    except (OperationalError, PoolTimeout):
        # What was decided before stands, so the whole must not be answered as if it had not been.
        return BulkItem(
            generation_id=decision.generation_id,
            success=False,
            problem="The database could not be reached. Nothing was changed; try this one again.",
        )
    return BulkItem(generation_id=record.id, success=True, generation=GenerationOut.of(record))


def _decision(body: ApproveIn) -> DecisionRequest:
    return DecisionRequest(
        generation_id=body.generation_id,
        action=body.action,
        modified_message=body.modified_message,
        modified_price=body.modified_price,
        media_ids=body.media_ids,
        reason=body.reason,
        reject_reason=body.reject_reason,
        although_stale=body.send_anyway,
    )


@router.post("/undo", response_model=GenerationOut)
async def undo(request: Request, body: DraftIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Take an approval back while its message waits to leave; the draft waits again."""

    async def work(receipt: Receipt | None) -> Response:
        record = await undo_decision(
            parts, caller, body.generation_id, receipt=receipt, encode=encode_generation
        )
        return json_response(encode_generation(record))

    return await once(request, parts, caller.user_id, work)
