"""`POST /api/import`: conversations, a line each, as `vaultcrm import` takes them."""

from contextlib import suppress
from io import BytesIO
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, json_response, once
from vaultcrm.entrypoints.api.schemas.imports import ImportOut
from vaultcrm.workflows.import_conversations import import_conversations
from vaultcrm.workflows.import_format import read_lines
from vaultcrm.workflows.parts import Receipt

router = APIRouter(prefix="/api", tags=["Directory"])

MEDIA_TYPES = ("application/x-ndjson", "application/jsonl", "text/plain")

_EXAMPLE = (
    '{"creator": {"handle": "mia"}, "fan": {"handle": "tom88", "displayName": "Tom"}, '
    '"messages": [{"id": "m1", "from": "fan", "text": "Hey!", "sentAt": "2026-11-01T10:00:00Z"}]}\n'
)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON Lines in UTF-8, one conversation a line, at most 32 MB.",
        "content": {
            media_type: {"schema": {"type": "string"}, "example": _EXAMPLE}
            for media_type in MEDIA_TYPES
        },
    }
}


@router.post("/import", response_model=ImportOut, openapi_extra=_BODY)
async def post_import(request: Request, parts: PartsDep, caller: CallerDep) -> Response:
    """Import conversations. A bad line is reported and skipped; the same body twice is harmless.

    Each line is in or out as a whole. A creator whom nobody has added yet is added with the line.
    """
    require_role(caller, Role.ADMIN, Role.MANAGER, Role.SERVICE)
    _require_lines(request)

    async def work(receipt: Receipt | None) -> Response:
        report = await import_conversations(
            parts.pool,
            read_lines(BytesIO(await request.body())),
            content_filter=parts.content_filter,
            now=parts.now(),
            caller=caller,
        )
        answer = ImportOut.of(report).model_dump_json(by_alias=True)
        if receipt is not None:
            # Lines are committed one by one, so nothing is undone when the same request was let in
            # again meanwhile: it found what this one had brought in, and both answers are true.
            with suppress(Conflict):
                async with parts.transaction() as connection:
                    await receipt.store(connection, answer)
        return json_response(answer)

    return await once(request, parts, caller.user_id, work)


def _require_lines(request: Request) -> None:
    """Raise InvalidInput unless the body says that it is JSON Lines or plain text."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise InvalidInput(FieldProblem("body", f"must be sent as {' or '.join(MEDIA_TYPES)}"))
