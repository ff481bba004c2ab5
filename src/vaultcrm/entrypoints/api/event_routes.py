"""Events that other systems are told of: their endpoints, and what did not reach them."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.db.pending import Record
from vaultcrm.db.queries import events
from vaultcrm.domain.events import EventDeliveryStatus
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, json_response, once
from vaultcrm.entrypoints.api.event_schemas import (
    DisableIn,
    EventDeliveryOut,
    EventEndpointIn,
    EventEndpointOut,
    NewEventEndpointOut,
    shown,
)
from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing
from vaultcrm.workflows.manage_event_endpoints import (
    EndpointRequest,
    Managing,
    add_endpoint,
    disable_endpoint,
    retry_delivery,
    scopes,
    try_endpoint,
)
from vaultcrm.workflows.parts import Parts, Receipt

router = APIRouter(prefix="/api", tags=["Events"])

_ENDPOINTS = listing(EventEndpointOut, id=UUID)
_DELIVERIES = listing(EventDeliveryOut, id=UUID)


@router.get("/event-endpoints", response_model=Page[EventEndpointOut])
async def list_endpoints(
    parts: PartsDep, caller: CallerDep, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Who is told of what happens, the first added first, disabled ones included. For admins."""

    async def read(after: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            sent = await events.list_endpoints(
                connection,
                await scopes(connection, caller),
                after=after[0] if after else None,
                limit=most,
            )
            return [shown(row) for row in await sent.answer()]

    return await _ENDPOINTS.page(limit, cursor, read)


@router.post("/event-endpoints", response_model=NewEventEndpointOut, status_code=201)
async def post_endpoint(
    request: Request, body: EventEndpointIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add an endpoint. The answer holds its secret, which is not shown again. For admins."""

    async def add(managing: Managing) -> Record:
        wanted = EndpointRequest(body.creator_id, body.url, tuple(body.kinds), body.include_text)
        endpoint, secret = await add_endpoint(managing, wanted)
        return {**endpoint, "secret": secret}

    return await _manage_once(request, parts, caller, NewEventEndpointOut, add, status=201)


@router.post("/event-endpoints/{endpoint_id}/disable", response_model=EventEndpointOut)
async def post_disable(
    request: Request, endpoint_id: UUID, body: DisableIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Tell an endpoint nothing any more; what waits for it becomes dead. For admins."""

    async def disable(managing: Managing) -> Record:
        return await disable_endpoint(managing, endpoint_id, body.reason)

    return await _manage_once(request, parts, caller, EventEndpointOut, disable)


@router.post(
    "/event-endpoints/{endpoint_id}/test", response_model=EventDeliveryOut, status_code=201
)
async def post_test(
    request: Request, endpoint_id: UUID, parts: PartsDep, caller: CallerDep
) -> Response:
    """Send an endpoint a `ping` in the way of every event. For admins."""

    async def try_it(managing: Managing) -> Record:
        return await try_endpoint(managing, endpoint_id)

    return await _manage_once(request, parts, caller, EventDeliveryOut, try_it, status=201)


@router.get("/event-deliveries", response_model=Page[EventDeliveryOut])
async def list_deliveries(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: Annotated[EventDeliveryStatus | None, Query(description="only these")] = None,
) -> Response:
    """What was told or is to be told to whom, the newest first. For admins."""

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            sent = await events.list_deliveries(
                connection,
                await scopes(connection, caller),
                status=status,
                before=before[0] if before else None,
                limit=most,
            )
            return [shown(row) for row in await sent.answer()]

    return await _DELIVERIES.page(limit, cursor, read)


@router.post("/event-deliveries/{delivery_id}/retry", response_model=EventDeliveryOut)
async def post_retry(
    request: Request, delivery_id: UUID, parts: PartsDep, caller: CallerDep
) -> Response:
    """Send what is dead again, with all its attempts before it. For admins."""

    async def retry(managing: Managing) -> Record:
        return await retry_delivery(managing, delivery_id)

    return await _manage_once(request, parts, caller, EventDeliveryOut, retry)


async def _manage_once(
    request: Request,
    parts: Parts,
    caller: Caller,
    schema: type[Schema],
    manage: Callable[[Managing], Awaitable[Record]],
    *,
    status: int = 200,
) -> Response:
    """Do one thing in a transaction, at most once for an `Idempotency-Key`."""

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            row = await manage(Managing(parts, connection, caller, parts.now()))
            answer = schema(**shown(row)).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer, status)
        return json_response(answer, status)

    return await once(request, parts, caller.user_id, work)
