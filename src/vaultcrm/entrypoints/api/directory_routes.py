"""Creators, fans, conversations, messages and templates: read and create."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, directory
from vaultcrm.db.queries.inbound import Thread
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Role, tier_of
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.entrypoints.api.paging import (
    Cursor,
    Limit,
    decode_cursor,
    encode_cursor,
    moment,
    page,
)
from vaultcrm.entrypoints.api.schemas import (
    CareIn,
    ConversationIn,
    ConversationOut,
    ConversationPage,
    CreatorIn,
    CreatorOut,
    CreatorPage,
    DisclosureIn,
    FanIn,
    FanOut,
    FanPage,
    MessageIn,
    MessageOut,
    MessagePage,
    ModeIn,
    TemplateIn,
    TemplateOut,
    TemplatePage,
)
from vaultcrm.workflows.decide_approval import visible_creators
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.receive_message import store_message

router = APIRouter(prefix="/api", tags=["Directory"])

OneCreator = Annotated[
    UUID | None, Query(alias="creatorId", description="only what belongs to this creator")
]


async def _create(
    request: Request,
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    schema: type[Schema],
    write: Callable[[Connection], Awaitable[dict[str, Any]]],
    *,
    status: int = 201,
) -> Response:
    """Do one write for a creator in a transaction, at most once for an `Idempotency-Key`.

    Raises NotFound for a creator that is not there or not the caller's.
    """
    require_creator(caller, creator_id)

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            if await (await directory.get_creator(connection, creator_id)).answer() is None:
                raise NotFound("creator")
            answer = schema(**await write(connection)).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer, status)
        return json_response(answer, status)

    return await once(request, parts, caller.user_id, work)


def _one(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if not rows:
        raise NotFound(what)
    return rows[0]


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
    return FanOut(**_one(rows, "fan"))


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

    return await _create(request, parts, caller, body.creator_id, FanOut, add)


@router.post("/fans/{fan_id}/disclosure", response_model=FanOut)
async def disclose(
    request: Request, fan_id: UUID, body: DisclosureIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Note that the fan was told that AI helps to write. Nothing is sent by itself before that."""

    async def note(connection: Connection) -> dict[str, Any]:
        shown_at = body.shown_at or parts.now()
        sent = await directory.disclose(connection, body.creator_id, fan_id, shown_at)
        fan = _one(await sent.answer(), "fan")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=body.creator_id,
                actor_id=caller.user_id,
                action=AuditAction.DISCLOSED,
                subject_type="fan",
                subject_id=str(fan_id),
                at=parts.now(),
            ),
        )
        return fan

    return await _create(request, parts, caller, body.creator_id, FanOut, note, status=200)


@router.get("/conversations", response_model=ConversationPage)
async def list_conversations(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Conversations, the latest message first; those without a message come last."""
    before = decode_cursor(cursor, _moment, UUID)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        sent = await directory.conversations(
            connection,
            creator_ids,
            before=None if before is None else (before[0], before[1]),
            limit=limit + 1,
        )
        rows = await sent.answer()
    return page(ConversationOut, rows, limit, _conversation_cursor)


def _conversation_cursor(row: Mapping[str, Any]) -> str:
    return encode_cursor(row["last_message_at"] or _NEVER, row["id"])


def _moment(text: str) -> datetime | str:
    """A time out of a cursor; the database's own word for "before all time" passes through."""
    return text if text == _NEVER else moment(text)


_NEVER = "-infinity"


@router.get("/conversations/{conversation_id}")
async def get_conversation(
    parts: PartsDep, caller: CallerDep, conversation_id: UUID
) -> ConversationOut:
    """One conversation with its fan."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        sent = await directory.get_conversation(connection, creator_ids, conversation_id)
        rows = await sent.answer()
    return ConversationOut(**_one(rows, "conversation"))


@router.post("/conversations", response_model=ConversationOut, status_code=201)
async def add_conversation(
    request: Request, body: ConversationIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Open a conversation with a fan on a channel."""
    parts.channel(body.channel)

    async def add(connection: Connection) -> dict[str, Any]:
        fans = await directory.get_fan(connection, [body.creator_id], body.fan_id)
        fan = _one(await fans.answer(), "fan")
        sent = await directory.add_conversation(
            connection,
            creator_id=body.creator_id,
            fan_id=body.fan_id,
            channel=body.channel,
            external_ref=body.external_ref or fan["handle"],
            mode=body.mode.value,
            now=parts.now(),
        )
        rows = await sent.answer()
        if not rows:
            raise Conflict("There is a conversation with this reference on this channel already.")
        found = await directory.get_conversation(connection, [body.creator_id], rows[0]["id"])
        return _one(await found.answer(), "conversation")

    return await _create(request, parts, caller, body.creator_id, ConversationOut, add)


@router.post("/conversations/{conversation_id}/mode", response_model=ConversationOut)
async def set_mode(
    request: Request, conversation_id: UUID, body: ModeIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """What AI does in this conversation by itself: auto, draft_only or off."""

    async def change(connection: Connection) -> dict[str, Any]:
        sent = await directory.set_mode(
            connection, body.creator_id, conversation_id, body.mode.value
        )
        _one(await sent.answer(), "conversation")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=body.creator_id,
                actor_id=caller.user_id,
                action=AuditAction.MODE_CHANGED,
                subject_type="conversation",
                subject_id=str(conversation_id),
                at=parts.now(),
                details={"mode": body.mode.value},
            ),
        )
        found = await directory.get_conversation(connection, [body.creator_id], conversation_id)
        return _one(await found.answer(), "conversation")

    return await _create(
        request, parts, caller, body.creator_id, ConversationOut, change, status=200
    )


@router.post("/conversations/{conversation_id}/care", response_model=ConversationOut)
async def set_care(
    request: Request, conversation_id: UUID, body: CareIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Stop selling and automation for a fan who needs care, or, as a manager, let them go on."""
    if body.care is None:
        require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)

    async def change(connection: Connection) -> dict[str, Any]:
        care = None if body.care is None else body.care.value
        sent = await directory.set_care(
            connection, body.creator_id, conversation_id, care, parts.now()
        )
        _one(await sent.answer(), "conversation")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=body.creator_id,
                actor_id=caller.user_id,
                action=AuditAction.CARE_CHANGED,
                subject_type="conversation",
                subject_id=str(conversation_id),
                at=parts.now(),
                details={"care": care, "reason": body.reason},
            ),
        )
        found = await directory.get_conversation(connection, [body.creator_id], conversation_id)
        return _one(await found.answer(), "conversation")

    return await _create(
        request, parts, caller, body.creator_id, ConversationOut, change, status=200
    )


@router.get("/conversations/{conversation_id}/messages", response_model=MessagePage)
async def list_messages(
    parts: PartsDep,
    caller: CallerDep,
    conversation_id: UUID,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Messages of a conversation, the newest first."""
    before = decode_cursor(cursor, moment, UUID)
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        found = await directory.get_conversation(connection, creator_ids, conversation_id)
        conversation = _one(await found.answer(), "conversation")
        sent = await directory.messages(
            connection,
            conversation["creator_id"],
            conversation_id,
            before=None if before is None else (before[0], before[1]),
            limit=limit + 1,
        )
        rows = await sent.answer()
    return page(MessageOut, rows, limit, lambda row: encode_cursor(row["sent_at"], row["id"]))


@router.post(
    "/conversations/{conversation_id}/messages", response_model=MessageOut, status_code=201
)
async def add_message(
    request: Request, conversation_id: UUID, body: MessageIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Store a message that was written elsewhere. A fan's message does what an inbound one does."""

    async def add(connection: Connection) -> dict[str, Any]:
        found = await directory.get_conversation(connection, [body.creator_id], conversation_id)
        conversation = _one(await found.answer(), "conversation")
        await store_message(
            parts,
            connection,
            Thread(
                conversation_id,
                conversation["fan_id"],
                Mode(conversation["mode"]),
                conversation["care"] and Care(conversation["care"]),
            ),
            creator_id=body.creator_id,
            sender=body.sender,
            reference=body.id,
            text=body.text,
            sent_at=body.sent_at or parts.now(),
        )
        sent = await directory.message_by_reference(
            connection, body.creator_id, conversation_id, body.id
        )
        return _one(await sent.answer(), "message")

    return await _create(request, parts, caller, body.creator_id, MessageOut, add)


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

    return await _create(request, parts, caller, body.creator_id, TemplateOut, add)
