"""The parts of the frame that a page asks for again: the menu, and what the palette finds."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from vaultcrm.entrypoints.web.desk import DeskDep
from vaultcrm.entrypoints.web.pages import page

router = APIRouter()


@router.get("/menu")
async def menu(desk: DeskDep, here: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The menu with its counts as they are now."""
    return page("_menu.html", desk=desk, here=here)
