"""The list of conversations."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import HEADERS, asked_by_htmx, page
from vaultcrm.entrypoints.web.inbox.list_view import FiltersDep, read_list

router = APIRouter()


@router.get("/inbox")
async def inbox(
    request: Request,
    parts: PartsDep,
    desk: DeskDep,
    filters: FiltersDep,
    open_id: Annotated[UUID | None, Query(alias="open")] = None,
    version: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Conversations; for htmx the list alone, beside the one that is `open`.

    With the `version` that is shown it answers 204 when nothing of it has changed.
    """
    listed = await read_list(parts, desk, filters)
    if not asked_by_htmx(request):
        return page("inbox/inbox.html", desk=desk, here="inbox", listed=listed)
    if version == listed.version:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=dict(HEADERS))
    here = "/inbox" if open_id is None else f"/conversations/{open_id}"
    # What was asked for stays when the page is loaded again; a list that only caught up stays too.
    headers = {"HX-Replace-Url": here + filters.query()} if version is None else {}
    return page("inbox/_list.html", headers=headers, desk=desk, listed=listed, open_id=open_id)
