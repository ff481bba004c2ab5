"""Creators, fans and templates: read and create."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import directory
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Role, tier_of
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import (
    Cursor,
    Limit,
    decode_cursor,
    encode_cursor,
    page,
)
from vaultcrm.entrypoints.api.schemas import (
    CreatorIn,
    CreatorOut,
    CreatorPage,
    DisclosureIn,
    FanIn,
    FanOut,
    FanPage,
    TemplateIn,
    TemplateOut,
    TemplatePage,
)
from vaultcrm.entrypoints.api.writing import OneCreator, the_one, write_once
from vaultcrm.workflows.decide_approval import visible_creators
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.tend_conversation import Tending, note_disclosure

router = APIRouter(prefix="/api", tags=["Directory"])


@router.get("/creators", response_model=CreatorPage)
async def list_creators(
    parts: PartsDep, caller: CallerDep, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The creators that you may act for."""
    after = decode_cursor(cursor, UUID)
    async with parts.pool.connection() as connection:
        sent = await directory.creators(
            connection,
            None if caller.all_creators else list(caller.creator_ids),
            after=None if after is None else after[0],
            limit=limit + 1,
        )
        rows = await sent.answer()
    return page(CreatorOut, rows, limit, lambda row: encode_cursor(row["id"]))


@router.post("/creators", response_model=CreatorOut, status_code=201)
async def add_creator(
    request: Request, body: CreatorIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add a creator."""
    require_role(caller, Role.ADMIN, Role.MANAGER, Role.SERVICE)

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            creator = await directory.add_creator(
                connection,
                handle=body.handle,
                display_name=body.display_name,
                language=body.language,
                region=body.region,
                now=parts.now(),
            )
            if creator is None:
                raise Conflict(f"The handle {body.handle} is taken.")
            answer = CreatorOut(
                id=creator.id,
                handle=creator.handle,
                display_name=creator.display_name,
                language=creator.language,
                region=creator.region,
            ).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer, 201)
        return json_response(answer, 201)

    return await once(request, parts, caller.user_id, work)


@router.get("/fans", response_model=FanPage)
async def list_fans(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Fans of the creators that you may act for."""
    after = decode_cursor(cursor, UUID, UUID)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        sent = await directory.fans(
            connection,
            creator_ids,
            after=None if after is None else (after[0], after[1]),
            limit=limit + 1,
        )
        rows = await sent.answer()
    return page(FanOut, rows, limit, lambda row: encode_cursor(row["creator_id"], row["id"]))


@router.get("/fans/{fan_id}")
async def get_fan(parts: PartsDep, caller: CallerDep, fan_id: UUID) -> FanOut:
    """One fan."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        rows = await (await directory.get_fan(connection, creator_ids, fan_id)).answer()
    return FanOut(**the_one(rows, "fan"))


@router.post("/fans", response_model=FanOut, status_code=201)
async def add_fan(request: Request, body: FanIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Add a fan. The tier follows from the lifetime value."""

    async def add(connection: Connection) -> dict[str, Any]:
        sent = await directory.add_fan(
            connection,
            creator_id=body.creator_id,
            handle=body.handle,
            display_name=body.display_name,
            tier=tier_of(Money(body.lifetime_value_minor, body.currency)).value,
            lifetime_value_minor=body.lifetime_value_minor,
            currency=body.currency,
            notes=body.notes,
            now=parts.now(),
        )
        rows = await sent.answer()
        if not rows:
            raise Conflict(f"This creator has a fan with the handle {body.handle} already.")
        return rows[0]

    return await write_once(request, parts, caller, body.creator_id, FanOut, add)


@router.post("/fans/{fan_id}/disclosure", response_model=FanOut)
async def disclose(
    request: Request, fan_id: UUID, body: DisclosureIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Note that the fan was told that AI helps to write. Nothing is sent by itself before that."""

    async def note(connection: Connection) -> dict[str, Any]:
        tending = Tending(connection, caller, body.creator_id, parts.now())
        await note_disclosure(tending, fan_id, body.shown_at or tending.now)
        found = await directory.get_fan(connection, [body.creator_id], fan_id)
        return the_one(await found.answer(), "fan")

    return await write_once(request, parts, caller, body.creator_id, FanOut, note, status=200)


@router.get("/templates", response_model=TemplatePage)
async def list_templates(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 200,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Message templates, by creator, category and name."""
    after = decode_cursor(cursor, UUID, UUID)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        sent = await directory.templates(
            connection,
            creator_ids,
            limit + 1,
            after=None if after is None else (after[0], after[1]),
        )
        rows = await sent.answer()
    return page(TemplateOut, rows, limit, lambda row: encode_cursor(row["creator_id"], row["id"]))


@router.post("/templates", response_model=TemplateOut, status_code=201)
async def add_template(
    request: Request, body: TemplateIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add a message template."""
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)

    async def add(connection: Connection) -> dict[str, Any]:
        sent = await directory.add_template(
            connection,
            creator_id=body.creator_id,
            name=body.name,
            category=body.category.value,
            language=body.language,
            template_text=body.template_text,
            price_minor=body.price_minor,
            now=parts.now(),
        )
        rows = await sent.answer()
        if not rows:
            raise Conflict(f"This creator has a template named {body.name} already.")
        return rows[0]

    return await write_once(request, parts, caller, body.creator_id, TemplateOut, add)
