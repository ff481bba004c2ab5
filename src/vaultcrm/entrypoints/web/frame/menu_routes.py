"""The parts of the frame that a page asks for again: the menu, and what the palette finds."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from vaultcrm.db.queries.inbox import InboxRow, InboxView, list_rows
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import page

router = APIRouter()

FANS = 8


@router.get("/menu")
async def menu(desk: DeskDep, here: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The menu with its counts as they are now."""
    return page("frame/_menu.html", desk=desk, here=here)


@router.get("/find")
async def find(
    parts: PartsDep, desk: DeskDep, text: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Fans whose name or handle has words that begin so; none without a word."""
    view = InboxView(tuple(desk.creators), search=text)
    found: tuple[InboxRow, ...] = ()
    if text.strip():
        async with parts.pool.connection() as connection:
            found = await list_rows(connection, view, now=desk.now, limit=FANS)
    return page("frame/_found.html", desk=desk, found=found, text=text)
