"""`/api/ai`: generate, feedback, personality."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import acting_chatter
from vaultcrm.domain.draft_options import NO_OPTIONS
from vaultcrm.domain.generation import GenerationRecord
from vaultcrm.domain.limits import Quota
from vaultcrm.domain.people import Credential
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    CredentialDep,
    PartsDep,
    caller_of,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.rate_limits import rate_limit_headers
from vaultcrm.entrypoints.api.schemas.generations import (
    FeedbackIn,
    FeedbackOut,
    GenerateIn,
    GenerationOut,
    encode_generation,
)
from vaultcrm.entrypoints.api.schemas.personalities import PersonalityIn, PersonalityOut
from vaultcrm.entrypoints.api.straight_route import StraightRoute
from vaultcrm.workflows.change_personality import change_personality, read_personality
from vaultcrm.workflows.find_draft import find_generation
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.record_outcome import OutcomeReport, record_outcome

router = APIRouter(prefix="/api/ai", tags=["AI"])


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
        options=NO_OPTIONS if body.options is None else body.options.value(),
    )
    left: list[Quota] = []
    if "idempotency-key" not in request.headers:
        record = await generate_message(parts, credential, wanted, tell_quotas=left.extend)
        return _drafted(record, left)

    async def work(receipt: Receipt | None) -> Response:
        record = await generate_message(
            parts, Credential(user_id=caller.user_id), wanted, receipt=receipt,
            encode=encode_generation, tell_quotas=left.extend,
        )  # fmt: skip
        return _drafted(record, left)

    caller = await caller_of(request)
    acting_chatter(caller, body.chatter_id)
    return await once(request, parts, caller.user_id, work)


def _drafted(record: GenerationRecord, left: list[Quota]) -> Response:
    response = json_response(encode_generation(record))
    response.headers.update(rate_limit_headers(left))
    return response


router.add_api_route(
    "/generate",
    generate,
    methods=["POST"],
    response_model=GenerationOut,
    route_class_override=StraightRoute,
)


@router.get("/generations/{generation_id}", response_model=GenerationOut)
async def get_generation(parts: PartsDep, caller: CallerDep, generation_id: UUID) -> Response:
    """One draft as it is now, with what became of its delivery."""
    async with parts.pool.connection() as connection:
        record = await find_generation(connection, caller, generation_id)
    return json_response(encode_generation(record))


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
