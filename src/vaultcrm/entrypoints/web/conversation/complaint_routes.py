"""A button beside each message of AI that was sent: a fan has complained about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from vaultcrm.domain.errors import NotFound
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.conversation.routes import ShownDep
from vaultcrm.entrypoints.web.conversation.view import Happened, answer, find_conversation
from vaultcrm.entrypoints.web.frame.desk import open_desk
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.find_draft import find_generation
from vaultcrm.workflows.mark_complaint import mark_complaint

router = APIRouter(prefix="/conversations/{conversation_id}")


@router.post("/complaints/{generation_id}")
async def complain(
    request: Request,
    parts: PartsDep,
    session: FormSessionDep,
    conversation_id: UUID,
    generation_id: UUID,
    shown: ShownDep,
    complaint: Annotated[bool, Form()],
) -> Response:
    """Mark the message of a draft, or take the mark away."""
    await find_conversation(parts, session.caller, conversation_id)
    async with parts.pool.connection() as connection:
        record = await find_generation(connection, session.caller, generation_id)
    if record.conversation_id != conversation_id:
        raise NotFound("message")
    await mark_complaint(parts, session.caller, generation_id, complaint=complaint)
    happened = Happened(said=words.forms.DONE["complaint" if complaint else "no_complaint"])
    desk = await open_desk(parts, session)
    return await answer(request, parts, desk, conversation_id, shown, happened, parts_only=True)
