"""The list of conversations as it is asked for and shown, beside whatever is open."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.queries import inbox
from vaultcrm.db.queries.inbox import InboxRow, InboxView, Show
from vaultcrm.domain.people import Tier
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor, moment
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.workflows.parts import Parts

CONVERSATIONS = 50
LONGEST_SEARCH = 100

SHOWN: dict[Show, str] = {
    Show.ALL: "All",
    Show.WAITING: "Waiting",
    Show.UNREAD: "Unread",
    Show.ONLINE: "Online",
    Show.CARE: "Care",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the inbox is listed, as addresses say it. `older` and `newer` are cursors: the page
    behind a place, or the one before it.
    """

    show: Show = Show.ALL
    creator: UUID | None = None
    tier: Tier | None = None
    q: str = ""
    older: str | None = None
    newer: str | None = None

    def query(self, **changes: object) -> str:
        """The query of an address, with its question mark; "" where nothing is asked for."""
        values: dict[str, object] = {
            "show": None if self.show is Show.ALL else self.show.value,
            "creator": self.creator,
            "tier": None if self.tier is None else self.tier.value,
            "q": self.q or None,
            "older": self.older,
            "newer": self.newer,
        }
        given = {
            name: value for name, value in (values | changes).items() if value not in {None, ""}
        }
        return f"?{urlencode(given)}" if given else ""

    @property
    def narrow(self) -> bool:
        """Whether anything but the whole inbox is asked for."""
        return bool(replace(self, older=None, newer=None).query())

    def at_start(self) -> "Filters":
        return replace(self, older=None, newer=None)


async def _filters(
    show: Show = Show.ALL,
    creator: UUID | Literal[""] = "",
    tier: Tier | Literal[""] = "",
    q: Annotated[FreeText, Query(max_length=LONGEST_SEARCH)] = "",
    older: Annotated[str | None, Query(max_length=300)] = None,
    newer: Annotated[str | None, Query(max_length=300)] = None,
) -> Filters:
    """From a query, in which an empty field means that nothing was chosen."""
    return Filters(
        show=show,
        creator=creator or None,
        tier=tier or None,
        q=q.strip(),
        older=older or None,
        newer=newer or None,
    )


FiltersDep = Annotated[Filters, Depends(_filters)]


@dataclass(frozen=True, slots=True)
class InboxList:
    """A page of conversations. `newer` and `older` lead to the pages around it. `version` differs
    once anything in it has changed.
    """

    rows: tuple[InboxRow, ...]
    filters: Filters
    newer: str | None
    older: str | None
    version: str

    @property
    def tabs(self) -> tuple[tuple[Show, str], ...]:
        return tuple(SHOWN.items())


async def read_list(parts: Parts, desk: Desk, filters: Filters) -> InboxList:
    """The conversations that are asked for; raises NotFound for a foreign creator, or InvalidInput
    for a cursor that no page gave out.
    """
    creator_ids = tuple(desk.creators)
    if filters.creator is not None:
        require_creator(desk.caller, filters.creator)
        creator_ids = (filters.creator,)
    view = InboxView(creator_ids, filters.show, filters.tier, filters.q)
    backwards = filters.newer is not None
    place = decode_cursor(filters.newer or filters.older, moment, UUID)
    behind: tuple[datetime, UUID] | None = None if place is None else (place[0], place[1])
    async with parts.pool.connection() as connection:
        rows = await inbox.list_rows(
            connection,
            view,
            now=desk.now,
            behind=behind,
            backwards=backwards,
            limit=CONVERSATIONS + 1,
        )
    more = len(rows) > CONVERSATIONS
    shown = rows[-CONVERSATIONS:] if backwards else rows[:CONVERSATIONS]
    has_newer = more if backwards else behind is not None
    has_older = backwards or more
    return InboxList(
        rows=shown,
        filters=filters,
        newer=encode_cursor(shown[0].place, shown[0].id) if shown and has_newer else None,
        older=encode_cursor(shown[-1].place, shown[-1].id) if shown and has_older else None,
        version=inbox.digest((shown, has_newer, has_older)),
    )
