"""The audit log as a file with proofs, for those who may read it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep
from vaultcrm.workflows.export_audit import export_audit, note_export

router = APIRouter()


@router.get("/audit/export")
async def export(
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | Literal[""] = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Response:
    """The log of one creator or of all that the reader sees, in whole seals. Audited."""
    require_role(desk.caller, Role.ADMIN, Role.MANAGER)
    creator_ids = [*desk.creators, *([NIL] if desk.caller.role is Role.ADMIN else ())]
    if creator:
        if creator not in desk.creators:
            raise NotFound("creator")
        creator_ids = [creator]
    now = parts.now()
    first, last = _day(since, desk), _day(until, desk)
    end = None if last is None else last + timedelta(days=1)
    await note_export(parts.pool, desk.caller.user_id, creator_ids, since=first, until=end, now=now)
    lines = export_audit(parts.pool, creator_ids, since=first, until=end, now=now)
    name = f"audit-{now.astimezone(UTC):%Y%m%d-%H%M%S}.jsonl"
    return StreamingResponse(
        lines,
        media_type="application/x-ndjson",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _day(text: str, desk: Desk) -> datetime | None:
    """The beginning of a day in the reader's zone; None for what is no date."""
    try:
        return datetime.combine(date.fromisoformat(text), time.min, desk.now.tzinfo)
    except ValueError:
        return None
