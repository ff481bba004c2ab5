"""Conversations and their messages: read and create, and what a person settles in them."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import conversations, fans, messages
from vaultcrm.db.queries.threads import Thread
from vaultcrm.domain.conversation import Author, Care, Mode, Sender
from vaultcrm.domain.errors import Conflict
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
)
from vaultcrm.entrypoints.api.paging import (
    Cursor,
    Limit,
    Listing,
    Page,
    Place,
    as_sent,
    listing,
    moment,
)
from vaultcrm.entrypoints.api.schemas.conversations import (
    CareIn,
    ConversationIn,
    ConversationOut,
    MessageIn,
    MessageOut,
    ModeIn,
)
from vaultcrm.entrypoints.api.writing import OneCreator, the_one, write_once
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.receive_message import store_message
from vaultcrm.workflows.tend_conversation import Tending, change_care, change_mode

router = APIRouter(prefix="/api", tags=["Conversations"])


_NEVER = "-infinity"


def _moment(text: str) -> datetime | str:
    """A time out of a cursor; the database's own word for "before all time" passes through."""
    return text if text == _NEVER else moment(text)


_CONVERSATIONS: Listing[Record] = Listing(
    show=lambda row: as_sent(ConversationOut.model_construct(**row)),
    place_of=lambda row: (row["last_message_at"] or _NEVER, row["id"]),
    kinds=(_moment, UUID),
)
_MESSAGES = listing(MessageOut, sent_at=moment, id=UUID)


@router.get("/conversations", response_model=Page[ConversationOut])
async def list_conversations(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Conversations, the latest message first; those without a message come last."""

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            sent = await conversations.list_conversations(
                connection, creator_ids, before=before, limit=most
            )
            return await sent.answer()

    return await _CONVERSATIONS.page(limit, cursor, read)


@router.get("/conversations/{conversation_id}")
async def get_conversation(
    parts: PartsDep, caller: CallerDep, conversation_id: UUID
) -> ConversationOut:
    """One conversation with its fan."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        sent = await conversations.get_conversation(connection, creator_ids, conversation_id)
        rows = await sent.answer()
    return ConversationOut(**the_one(rows, "conversation"))


@router.post("/conversations", response_model=ConversationOut, status_code=201)
async def add_conversation(
    request: Request, body: ConversationIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Open a conversation with a fan on a channel."""
    await find_channel(parts, body.creator_id, body.channel)

    async def add(connection: Connection) -> Record:
        known = await fans.get_fan(connection, [body.creator_id], body.fan_id)
        fan = the_one(await known.answer(), "fan")
        sent = await conversations.add_conversation(
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
        found = await conversations.get_conversation(connection, [body.creator_id], rows[0]["id"])
        return the_one(await found.answer(), "conversation")

    return await write_once(request, parts, caller, body.creator_id, ConversationOut, add)


@router.post("/conversations/{conversation_id}/mode", response_model=ConversationOut)
async def set_mode(
    request: Request, conversation_id: UUID, body: ModeIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """What AI does in this conversation by itself: auto, draft_only or off."""

    async def change(connection: Connection) -> Record:
        tending = Tending(connection, caller, body.creator_id, parts.now())
        await change_mode(tending, conversation_id, body.mode)
        found = await conversations.get_conversation(connection, [body.creator_id], conversation_id)
        return the_one(await found.answer(), "conversation")

    return await write_once(
        request, parts, caller, body.creator_id, ConversationOut, change, status=200
    )


@router.post("/conversations/{conversation_id}/care", response_model=ConversationOut)
async def set_care(
    request: Request, conversation_id: UUID, body: CareIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Stop selling and automation for a fan who needs care, or, as a manager, let them go on."""

    async def change(connection: Connection) -> Record:
        tending = Tending(connection, caller, body.creator_id, parts.now())
        await change_care(parts, tending, conversation_id, body.care, body.reason)
        found = await conversations.get_conversation(connection, [body.creator_id], conversation_id)
        return the_one(await found.answer(), "conversation")

    return await write_once(
        request, parts, caller, body.creator_id, ConversationOut, change, status=200
    )


@router.get("/conversations/{conversation_id}/messages", response_model=Page[MessageOut])
async def list_messages(
    parts: PartsDep,
    caller: CallerDep,
    conversation_id: UUID,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Messages of a conversation, the newest first."""

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await visible_creators(connection, caller)
            found = await conversations.get_conversation(connection, creator_ids, conversation_id)
            conversation = the_one(await found.answer(), "conversation")
            sent = await messages.list_messages(
                connection, conversation["creator_id"], conversation_id, before=before, limit=most
            )
            return await sent.answer()

    return await _MESSAGES.page(limit, cursor, read)


@router.post(
    "/conversations/{conversation_id}/messages", response_model=MessageOut, status_code=201
)
async def add_message(
    request: Request, conversation_id: UUID, body: MessageIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Store a message that was written elsewhere. A fan's message does what an inbound one does."""

    async def add(connection: Connection) -> Record:
        found = await conversations.get_conversation(connection, [body.creator_id], conversation_id)
        conversation = the_one(await found.answer(), "conversation")
        await store_message(
            parts,
            connection,
            Thread(
                conversation_id,
                conversation["fan_id"],
                Mode(conversation["mode"]),
                conversation["care"] and Care(conversation["care"]),
                is_new=False,
            ),
            creator_id=body.creator_id,
            author=Author.FAN if body.sender is Sender.FAN else Author.IMPORTED,
            reference=body.id,
            text=body.text,
            sent_at=body.sent_at or parts.now(),
        )
        sent = await messages.message_by_reference(
            connection, body.creator_id, conversation_id, body.id
        )
        return the_one(await sent.answer(), "message")

    return await write_once(request, parts, caller, body.creator_id, MessageOut, add)
