"""The list of conversations, and one conversation with its fan and its drafts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import console, conversations, generations, situations
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.errors import (
    AiDisabled,
    DrafterError,
    DrafterRateLimited,
    LimitExceeded,
    NotFound,
    VaultError,
)
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.people import Caller, Credential
from vaultcrm.domain.situation import Situation
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor
from vaultcrm.entrypoints.api.problems import status_of
from vaultcrm.entrypoints.web import words
from vaultcrm.entrypoints.web.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.pages import page, redirect
from vaultcrm.entrypoints.web.sessions import FormSessionDep
from vaultcrm.entrypoints.web.thread import Bubble, bubbles
from vaultcrm.pipeline.context import engagement_score
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.tend_conversation import Tending, change_mode, note_disclosure

router = APIRouter()

CONVERSATIONS = 50
MESSAGES = 50
DRAFTS = 6

NEVER = "-infinity"
"""Where conversations without a message stand in the list: before all time."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownDraft:
    """A draft of the conversation; `decided_by` and `reason` where a person decided on it."""

    record: GenerationRecord
    decided_by: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """A conversation as its page shows it; `earlier` leads to the messages before."""

    situation: Situation
    bubbles: tuple[Bubble, ...]
    earlier: str | None
    engagement: int
    drafts: tuple[ShownDraft, ...]


@router.get("/inbox")
async def inbox(parts: PartsDep, desk: DeskDep, cursor: str | None = None) -> Response:
    """Conversations, the latest message first."""
    rows, following = await _conversations(parts, desk, cursor)
    return page(
        "inbox.html", desk=desk, here="inbox", rows=rows, following=following, first=not cursor
    )


@router.get("/conversations/{conversation_id}")
async def conversation(
    parts: PartsDep,
    desk: DeskDep,
    conversation_id: UUID,
    before: str | None = None,
    draft: UUID | None = None,
    done: str | None = None,
) -> Response:
    return await _conversation_page(
        parts, desk, conversation_id, before=before, draft=draft, done=done
    )


@router.post("/conversations/{conversation_id}/drafts")
async def make_draft(
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    generation_type: Annotated[GenerationType, Form()],
    back: Annotated[Literal["conversation", "queue"], Form()] = "conversation",
) -> Response:
    """Draft a message, and go back to where it was asked for with the draft shown."""
    caller = session.caller
    creator_id = await _creator_of(parts, caller, conversation_id)
    wanted = GenerateRequest(creator_id, conversation_id, generation_type)
    try:
        record = await generate_message(parts, Credential(user_id=caller.user_id), wanted)
    except (LimitExceeded, AiDisabled, DrafterError) as refused:
        desk = await open_desk(parts, session)
        return await _conversation_page(parts, desk, conversation_id, refused=refused)
    if back == "queue" and record.status is GenerationStatus.QUEUED:
        return redirect("/queue", draft=record.id)
    return redirect(f"/conversations/{conversation_id}", draft=record.id, fragment="draft")


@router.post("/conversations/{conversation_id}/disclosure")
async def disclose(parts: PartsDep, session: FormSessionDep, conversation_id: UUID) -> Response:
    """Note that the fan was told, just now, that AI helps to write."""
    row = await _find(parts, session.caller, conversation_id)
    async with parts.transaction() as connection:
        tending = Tending(connection, session.caller, row["creator_id"], parts.now())
        await note_disclosure(tending, row["fan_id"], tending.now)
    return redirect(f"/conversations/{conversation_id}", done="disclosed")


@router.post("/conversations/{conversation_id}/mode")
async def switch_mode(
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    mode: Annotated[Mode, Form()],
) -> Response:
    """Change what AI does in this conversation by itself."""
    creator_id = await _creator_of(parts, session.caller, conversation_id)
    async with parts.transaction() as connection:
        tending = Tending(connection, session.caller, creator_id, parts.now())
        await change_mode(tending, conversation_id, mode)
    return redirect(f"/conversations/{conversation_id}", done="mode")


async def _find(parts: Parts, caller: Caller, conversation_id: UUID) -> Record:
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        sent = await conversations.get_conversation(connection, creator_ids, conversation_id)
        rows = await sent.answer()
    if not rows:
        raise NotFound("conversation")
    return rows[0]


async def _creator_of(parts: Parts, caller: Caller, conversation_id: UUID) -> UUID:
    creator_id: UUID = (await _find(parts, caller, conversation_id))["creator_id"]
    return creator_id


async def _conversations(
    parts: Parts, desk: Desk, cursor: str | None
) -> tuple[list[Record], str | None]:
    """A page of conversations, and where the next one begins."""
    before = decode_cursor(cursor, _moment, UUID)
    async with parts.pool.connection() as connection:
        sent = await conversations.list_conversations(
            connection,
            list(desk.creators),
            before=None if before is None else (before[0], before[1]),
            limit=CONVERSATIONS + 1,
        )
        rows: list[Record] = list(await sent.answer())
    shown = rows[:CONVERSATIONS]
    if len(rows) <= CONVERSATIONS:
        return shown, None
    last = shown[-1]
    return shown, encode_cursor(last["last_message_at"] or NEVER, last["id"])


def _moment(text: str) -> datetime | str:
    return text if text == NEVER else datetime.fromisoformat(text)


async def _conversation_page(
    parts: Parts,
    desk: Desk,
    conversation_id: UUID,
    *,
    before: str | None = None,
    draft: UUID | None = None,
    done: str | None = None,
    refused: VaultError | None = None,
) -> Response:
    opened = await _open(parts, desk, conversation_id, before)
    rows, _ = await _conversations(parts, desk, None)
    headers = {}
    if isinstance(refused, LimitExceeded | DrafterRateLimited):
        headers["Retry-After"] = str(refused.retry_after)
    return page(
        "conversation.html",
        HTTPStatus.OK if refused is None else status_of(refused),
        headers=headers,
        desk=desk,
        here="inbox",
        rows=rows,
        opened=opened,
        before=before,
        current=_current(opened.drafts, draft),
        has_ai=desk.ai_is_on_for(opened.situation.creator.id),
        refused=None if refused is None else str(refused),
        done=words.DONE.get(done or ""),
    )


def _current(drafts: tuple[ShownDraft, ...], asked_for: UUID | None) -> ShownDraft | None:
    """The draft to show in full: the one asked for, else the newest if it waits."""
    for shown in drafts:
        if shown.record.id == asked_for:
            return shown
    newest = drafts[0] if drafts else None
    if newest is not None and newest.record.status is GenerationStatus.QUEUED:
        return newest
    return None


async def _open(
    parts: Parts, desk: Desk, conversation_id: UUID, before: str | None
) -> OpenConversation:
    """Everything on a conversation's page; raises NotFound, or InvalidInput for a wrong cursor."""
    row = await _find(parts, desk.caller, conversation_id)
    creator_id = row["creator_id"]
    start = decode_cursor(before, datetime.fromisoformat, UUID)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            situation_sent = await situations.load_situation(
                connection,
                creator_id=creator_id,
                conversation_id=conversation_id,
                fan_id=None,
                now=desk.now,
            )
            thread_sent = await console.thread(
                connection,
                creator_id,
                conversation_id,
                before=None if start is None else (start[0], start[1]),
                limit=MESSAGES + 1,
            )
            drafts_sent = await generations.of_conversation(
                connection, creator_id, conversation_id, DRAFTS
            )
        situation = await situation_sent.answer()
        newest_first = await thread_sent.answer()
        drafts = await _shown(connection, creator_id, await drafts_sent.answer())
    if situation is None:
        raise NotFound("conversation")
    shown = newest_first[:MESSAGES]
    oldest = shown[-1].message if shown else None
    more = oldest is not None and len(newest_first) > MESSAGES
    return OpenConversation(
        situation=situation,
        bubbles=bubbles(
            shown,
            fan_name=situation.fan.display_name,
            creator_name=situation.creator.display_name,
        ),
        earlier=encode_cursor(oldest.sent_at, oldest.id) if more and oldest else None,
        engagement=engagement_score(situation.activity, desk.now),
        drafts=drafts,
    )


async def _shown(
    connection: Connection, creator_id: UUID, records: tuple[GenerationRecord, ...]
) -> tuple[ShownDraft, ...]:
    """Drafts with the names of those who decided, and why they rejected."""
    deciders = [record.approved_by for record in records if record.approved_by is not None]
    async with connection.pipeline():
        names_sent = await console.user_names(connection, deciders)
        reasons_sent = await console.reasons_given(
            connection, creator_id, [record.id for record in records]
        )
    names, reasons = await names_sent.answer(), await reasons_sent.answer()
    return tuple(
        ShownDraft(
            record,
            names.get(record.approved_by) if record.approved_by else None,
            reasons.get(record.id),
        )
        for record in records
    )
