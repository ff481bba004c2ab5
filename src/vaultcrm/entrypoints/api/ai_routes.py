"""`/api/ai`: generate, approve, queue, feedback, personality."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic_core import to_json

from vaultcrm.controls.auth import acting_chatter
from vaultcrm.db.queries import generations
from vaultcrm.domain.generation import GenerationRecord
from vaultcrm.domain.people import Credential
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    CredentialDep,
    PartsDep,
    caller_of,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import (
    Cursor,
    Limit,
    decode_cursor,
    encode_cursor,
    moment,
    place,
)
from vaultcrm.entrypoints.api.schemas import (
    ApproveIn,
    ApproveOut,
    ClaimIn,
    ClaimOut,
    FeedbackIn,
    FeedbackOut,
    GenerateIn,
    GenerationOut,
    PersonalityIn,
    PersonalityOut,
    QueueOut,
)
from vaultcrm.entrypoints.api.straight_route import StraightRoute
from vaultcrm.workflows.change_personality import change_personality, read_personality
from vaultcrm.workflows.decide_approval import (
    DecisionRequest,
    claim,
    decide_approval,
    find_generation,
)
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.record_outcome import OutcomeReport, record_outcome

router = APIRouter(prefix="/api/ai", tags=["AI"])

CLAIM_LEASE = timedelta(minutes=5)


def encode_generation(record: GenerationRecord) -> str:
    return GenerationOut.of(record).model_dump_json(by_alias=True)


async def generate(
    request: Request, body: GenerateIn, parts: PartsDep, credential: CredentialDep
) -> Response:
    """Draft a message. What happens to it next is in `status` and `approvalReasons`."""
    wanted = GenerateRequest(
        creator_id=body.creator_id,
        conversation_id=body.conversation_id,
        generation_type=body.generation_type,
        fan_id=body.fan_id,
        chatter_id=body.chatter_id,
    )
    if "idempotency-key" not in request.headers:
        return json_response(encode_generation(await generate_message(parts, credential, wanted)))

    async def work(receipt: Receipt | None) -> Response:
        record = await generate_message(
            parts, Credential(user_id=caller.user_id), wanted, receipt=receipt,
            encode=encode_generation,
        )  # fmt: skip
        return json_response(encode_generation(record))

    caller = await caller_of(request)
    acting_chatter(caller, body.chatter_id)
    return await once(request, parts, caller.user_id, work)


router.add_api_route(
    "/generate",
    generate,
    methods=["POST"],
    response_model=GenerationOut,
    route_class_override=StraightRoute,
)


@router.post("/approve", response_model=ApproveOut)
async def approve(
    request: Request, body: ApproveIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Approve, modify or reject a waiting draft. Of two people at once one wins."""

    def encode(record: GenerationRecord) -> str:
        return f'{{"success":true,"generation":{encode_generation(record)}}}'

    async def work(receipt: Receipt | None) -> Response:
        decision = DecisionRequest(
            generation_id=body.generation_id,
            action=body.action,
            modified_message=body.modified_message,
            modified_price=body.modified_price,
            reason=body.reason,
            although_stale=body.send_anyway,
        )
        record = await decide_approval(parts, caller, decision, receipt=receipt, encode=encode)
        return json_response(encode(record))

    return await once(request, parts, caller.user_id, work)


@router.get("/queue", response_model=QueueOut)
async def queue(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: Annotated[UUID | None, Query(alias="creatorId")] = None,
) -> Response:
    """Waiting drafts, the most urgent first."""
    after = decode_cursor(cursor, place, moment, UUID)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        sent = await generations.queue_page(
            connection,
            creator_ids,
            limit=limit + 1,
            after=None if after is None else (after[0], after[1], after[2]),
        )
        records = await sent.answer()
    shown = records[:limit]
    items = [GenerationOut.of(record).model_dump(by_alias=True) for record in shown]
    following = None
    if len(records) > limit:
        following = encode_cursor(shown[-1].priority, shown[-1].created_at, shown[-1].id)
    return Response(
        to_json({"items": items, "nextCursor": following}), media_type="application/json"
    )


@router.get("/generations/{generation_id}", response_model=GenerationOut)
async def get_generation(parts: PartsDep, caller: CallerDep, generation_id: UUID) -> Response:
    """One draft as it is now, with what became of its delivery."""
    async with parts.pool.connection() as connection:
        record = await find_generation(connection, caller, generation_id)
    return json_response(encode_generation(record))


@router.post("/queue/claim", response_model=ClaimOut)
async def claim_draft(
    request: Request, body: ClaimIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Hold a waiting draft for five minutes, so that others leave it alone: a given or the next."""

    def encode(record: GenerationRecord | None) -> str:
        held = "null" if record is None else encode_generation(record)
        return f'{{"generation":{held}}}'

    async def work(receipt: Receipt | None) -> Response:
        record = await claim(
            parts, caller, body.generation_id, CLAIM_LEASE, receipt=receipt, encode=encode
        )
        return json_response(encode(record))

    return await once(request, parts, caller.user_id, work)


@router.post("/feedback", response_model=FeedbackOut)
async def feedback(
    request: Request, body: FeedbackIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Tell what a message did. Fields that are left out keep what is known."""

    async def work(receipt: Receipt | None) -> Response:
        report = OutcomeReport(
            generation_id=body.generation_id,
            replied=body.replied,
            purchased=body.purchased,
            revenue_minor=body.revenue,
            time_to_reply=body.time_to_reply,
        )
        performance = await record_outcome(parts, caller, report, receipt=receipt, encode=encode)
        return json_response(encode(performance))

    def encode(performance: dict[str, object]) -> str:
        answer = FeedbackOut(generation_id=body.generation_id, performance_data=performance)
        return answer.model_dump_json(by_alias=True)

    return await once(request, parts, caller.user_id, work)


@router.get("/personality")
async def get_personality(
    parts: PartsDep, caller: CallerDep, creator_id: Annotated[UUID, Query(alias="creatorId")]
) -> PersonalityOut:
    """A creator's voice, which is the default with version 0 while nobody has made one."""
    return PersonalityOut.of(await read_personality(parts, caller, creator_id))


@router.post("/personality", response_model=PersonalityOut)
async def post_personality(
    request: Request, body: PersonalityIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Save the next version with the given fields changed."""

    async def work(receipt: Receipt | None) -> Response:
        changes = body.model_dump(exclude={"creator_id"}, exclude_unset=True, exclude_none=True)
        revised = await change_personality(
            parts, caller, body.creator_id, changes, receipt=receipt,
            encode=lambda saved: PersonalityOut.of(saved).model_dump_json(by_alias=True),
        )  # fmt: skip
        return json_response(PersonalityOut.of(revised).model_dump_json(by_alias=True))

    return await once(request, parts, caller.user_id, work)
