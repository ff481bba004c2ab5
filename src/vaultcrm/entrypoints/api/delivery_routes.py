"""What leaves: a chatter's own messages, and what became of every message."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.db.queries import outbox
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing, moment
from vaultcrm.entrypoints.api.schemas.deliveries import (
    DeliveryOut,
    ResolveIn,
    ResolveOut,
    SendIn,
    SendOut,
)
from vaultcrm.entrypoints.api.schemas.generations import FindingOut
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.resolve_delivery import resolve_delivery
from vaultcrm.workflows.write_message import OwnMessage, Written, write_message

router = APIRouter(prefix="/api", tags=["Deliveries"])

_DELIVERIES = listing(DeliveryOut, updated_at=moment, id=UUID)


@router.post("/conversations/{conversation_id}/send", response_model=SendOut)
async def send_message(
    request: Request, conversation_id: UUID, body: SendIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Send a message of one's own. It passes the content filter like any other, and drafts that
    wait in the conversation expire.
    """
    price = None
    if body.price_minor is not None and body.currency is not None:
        price = Money(body.price_minor, body.currency)

    async def work(receipt: Receipt | None) -> Response:
        wanted = OwnMessage(
            creator_id=body.creator_id,
            conversation_id=conversation_id,
            text=body.text,
            price=price,
            media_ids=body.media_ids,
            seen_message_id=body.seen_message_id,
            template_id=body.template_id,
        )
        written = await write_message(parts, caller, wanted, receipt=receipt, encode=encode)
        return json_response(encode(written))

    def encode(written: Written) -> str:
        return SendOut(
            message_id=written.item.id,
            leaves_at=written.item.not_before,
            findings=[FindingOut.of(finding) for finding in written.safety.findings],
        ).model_dump_json(by_alias=True)

    return await once(request, parts, caller.user_id, work)


@router.get("/deliveries", response_model=Page[DeliveryOut])
async def deliveries(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
    status: Annotated[list[DeliveryStatus], Query(description="states, repeated")] = [],  # noqa: B006 -- FastAPI reads it and never changes it
) -> Response:
    """Messages by the state of their delivery, the latest change first; all states if none is
    given.
    """

    async def read(before: Place | None, most: int) -> Sequence[Mapping[str, Any]]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            return await outbox.page(
                connection,
                creator_ids,
                status or list(DeliveryStatus),
                before=None if before is None else (before[0], before[1]),
                limit=most,
            )

    return await _DELIVERIES.page(limit, cursor, read)


@router.post("/deliveries/{item_id}", response_model=ResolveOut)
async def resolve(
    request: Request, item_id: UUID, body: ResolveIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Say what became of an uncertain message, or send one again that failed."""

    def encode(item: OutboxItem) -> str:
        return ResolveOut(id=item.id, status=item.status).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        item = await resolve_delivery(
            parts,
            caller,
            body.creator_id,
            item_id,
            body.resolution,
            receipt=receipt,
            encode=encode,
        )
        return json_response(encode(item))

    return await once(request, parts, caller.user_id, work)
