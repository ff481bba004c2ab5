"""Creators and fans: read and create. Templates: read, create, change, put away."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import creators, fans, template_outcomes, templates
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, tier_of
from vaultcrm.domain.template import NO_OUTCOMES
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing
from vaultcrm.entrypoints.api.schemas.directory import (
    CreatorIn,
    CreatorOut,
    DisclosureIn,
    FanIn,
    FanOut,
    TemplateChangeIn,
    TemplateIn,
    TemplateOfIn,
    TemplateOut,
)
from vaultcrm.entrypoints.api.writing import OneCreator, the_one, write_once
from vaultcrm.workflows import manage_templates
from vaultcrm.workflows.add_creator import add_creator as add_creator_for
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.tend_conversation import Tending, note_disclosure

router = APIRouter(prefix="/api", tags=["Directory"])

_CREATORS = listing(CreatorOut, id=UUID)
_FANS = listing(FanOut, creator_id=UUID, id=UUID)
_TEMPLATES = listing(TemplateOut, creator_id=UUID, id=UUID)


@router.get("/creators", response_model=Page[CreatorOut])
async def list_creators(
    parts: PartsDep, caller: CallerDep, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The creators that you may act for."""

    async def read(after: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            sent = await creators.list_creators(
                connection,
                None if caller.all_creators else list(caller.creator_ids),
                after=after[0] if after else None,
                limit=most,
            )
            return await sent.answer()

    return await _CREATORS.page(limit, cursor, read)


@router.post("/creators", response_model=CreatorOut, status_code=201)
async def add_creator(
    request: Request, body: CreatorIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add a creator, for whom you may act from then on."""

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            creator = await add_creator_for(
                connection,
                caller,
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


@router.get("/fans", response_model=Page[FanOut])
async def list_fans(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Fans of the creators that you may act for."""

    async def read(after: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            sent = await fans.list_fans(connection, creator_ids, after=after, limit=most)
            return await sent.answer()

    return await _FANS.page(limit, cursor, read)


@router.get("/fans/{fan_id}")
async def get_fan(parts: PartsDep, caller: CallerDep, fan_id: UUID) -> FanOut:
    """One fan."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        rows = await (await fans.get_fan(connection, creator_ids, fan_id)).answer()
    return FanOut(**the_one(rows, "fan"))


@router.post("/fans", response_model=FanOut, status_code=201)
async def add_fan(request: Request, body: FanIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Add a fan. The tier follows from the lifetime value."""

    async def add(connection: Connection) -> Record:
        sent = await fans.add_fan(
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

    async def note(connection: Connection) -> Record:
        tending = Tending(connection, caller, body.creator_id, parts.now())
        await note_disclosure(tending, fan_id, body.shown_at or tending.now)
        found = await fans.get_fan(connection, [body.creator_id], fan_id)
        return the_one(await found.answer(), "fan")

    return await write_once(request, parts, caller, body.creator_id, FanOut, note, status=200)


@router.get("/templates", response_model=Page[TemplateOut])
async def list_templates(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 200,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Message templates, by creator, category and name.

    `performanceStats` has `usesByDay`, and of the messages of the last 30 days whose time for an
    answer is over how many were `sent`, `replied` to, had a price (`offers`) and were `bought`, and
    their `revenueMinor` by currency, less refunds. `replyRate`, `conversion` and
    `revenuePerMessageMinor` have a `value` with its 95 % interval, `low` to `high`; they are null,
    or left out, while there are too few messages. `byTier` is the same by the fan's tier.
    """

    async def read(after: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            sent = await templates.list_templates(connection, creator_ids, most, after=after)
            found = await sent.answer()
            outcomes_sent = await template_outcomes.outcomes(
                connection, creator_ids, [record["id"] for record in found], parts.now()
            )
            outcomes = await outcomes_sent.answer()
        for record in found:
            came = outcomes.get(record["id"], NO_OUTCOMES)
            record["performance_stats"] = record["performance_stats"] | came.as_json()
        return found

    return await _TEMPLATES.page(limit, cursor, read)


@router.post("/templates", response_model=TemplateOut, status_code=201)
async def add_template(
    request: Request, body: TemplateIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Add a message template."""
    require_role(caller, *manage_templates.MANAGERS)

    async def add(connection: Connection) -> Record:
        return await manage_templates.add_template(
            connection, caller, body.creator_id, body.draft, parts.now()
        )

    return await write_once(request, parts, caller, body.creator_id, TemplateOut, add)


@router.post("/templates/{template_id}", response_model=TemplateOut)
async def change_template(
    request: Request, template_id: UUID, body: TemplateChangeIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Change a message template. One that somebody has changed since `seen` is a conflict."""
    require_role(caller, *manage_templates.MANAGERS)

    async def change(connection: Connection) -> Record:
        return await manage_templates.change_template(
            connection,
            caller,
            body.creator_id,
            template_id,
            body.draft,
            seen=body.seen,
            now=parts.now(),
        )

    return await write_once(
        request, parts, caller, body.creator_id, TemplateOut, change, status=200
    )


@router.post("/templates/{template_id}/archive", response_model=TemplateOut)
async def archive_template(
    request: Request, template_id: UUID, body: TemplateOfIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Put a message template away: it is not suggested, found or filled in any more."""
    return await _archive(request, template_id, body, parts, caller, archived=True)


@router.post("/templates/{template_id}/restore", response_model=TemplateOut)
async def restore_template(
    request: Request, template_id: UUID, body: TemplateOfIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Take an archived message template back."""
    return await _archive(request, template_id, body, parts, caller, archived=False)


async def _archive(
    request: Request,
    template_id: UUID,
    body: TemplateOfIn,
    parts: Parts,
    caller: Caller,
    *,
    archived: bool,
) -> Response:
    require_role(caller, *manage_templates.MANAGERS)

    async def put(connection: Connection) -> Record:
        return await manage_templates.archive_template(
            connection, caller, body.creator_id, template_id, archived, parts.now()
        )

    return await write_once(request, parts, caller, body.creator_id, TemplateOut, put, status=200)
