"""Disclosure: what fans are told about AI, and telling one now."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import disclosures, fans
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, json_response, once
from vaultcrm.entrypoints.api.schemas.disclosure import (
    DiscloseIn,
    DiscloseOut,
    DisclosureOut,
    DisclosurePage,
    WordingIn,
    WordingPage,
)
from vaultcrm.entrypoints.api.writing import the_one, write_once
from vaultcrm.workflows.disclose import send_disclosure
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.word_disclosure import read_wordings, set_wording

router = APIRouter(prefix="/api", tags=["Disclosure"])

MOST_TOLD = 100


@router.get("/disclosure")
async def get_wordings(
    parts: PartsDep, caller: CallerDep, creator_id: Annotated[UUID, Query(alias="creatorId")]
) -> WordingPage:
    """What a creator's fans are told about AI, in each language that there are wordings in."""
    return WordingPage.of(await read_wordings(parts, caller, creator_id))


@router.put("/disclosure", response_model=WordingPage)
async def put_wording(
    request: Request, body: WordingIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Set what a creator's fans are told in one language, from the next disclosure on.

    The text must say that it is AI and pass the content filter.
    """

    async def write(connection: Connection) -> dict[str, object]:
        found = await set_wording(
            parts, connection, caller, body.creator_id, body.wording, parts.now()
        )
        return {"items": WordingPage.of(found).items}

    return await write_once(request, parts, caller, body.creator_id, WordingPage, write, status=200)


@router.post("/conversations/{conversation_id}/disclosure", response_model=DiscloseOut)
async def post_disclosure(
    request: Request, conversation_id: UUID, body: DiscloseIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Tell the fan of a conversation now that AI helps to write."""

    def encode(item: OutboxItem) -> str:
        return DiscloseOut(
            message_id=item.id, text=item.text, leaves_at=item.not_before
        ).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        item = await send_disclosure(
            parts, caller, body.creator_id, conversation_id, receipt=receipt, encode=encode
        )
        return json_response(encode(item))

    return await once(request, parts, caller.user_id, work)


@router.get("/fans/{fan_id}/disclosures")
async def get_disclosures(parts: PartsDep, caller: CallerDep, fan_id: UUID) -> DisclosurePage:
    """When a fan was told, or is about to be, and why, the latest first; at most 100."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        fan = the_one(await (await fans.get_fan(connection, creator_ids, fan_id)).answer(), "fan")
        found = await (
            await disclosures.of_fan(connection, fan["creator_id"], fan_id, MOST_TOLD)
        ).answer()
    return DisclosurePage(items=[DisclosureOut(**row) for row in found])
