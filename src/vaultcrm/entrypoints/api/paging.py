"""Pages of lists: `{"items": […], "nextCursor": … | null}` with an opaque cursor."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response
from pydantic_core import to_json

from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.entrypoints.api.fields import EARLIEST, LATEST, Schema

Limit = Annotated[int, Query(ge=1, le=200, description="items a page")]
Cursor = Annotated[
    str | None, Query(max_length=300, description="nextCursor of the page before this one")
]
Place = tuple[Any, ...]
"""Where a row stands in its list: the values that the list is sorted by."""
Item = TypeVar("Item")
Row = TypeVar("Row")


class Page(Schema, Generic[Item]):
    """A part of a list. `nextCursor` asks for the next part and is null on the last one."""

    items: list[Item]
    next_cursor: str | None


def encode_cursor(*values: UUID | datetime | int | str) -> str:
    """An opaque cursor that holds where the next page begins."""
    texts = [value.isoformat() if isinstance(value, datetime) else str(value) for value in values]
    return base64.urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: Callable[[str], Any]) -> tuple[Any, ...] | None:
    """The values in a cursor; raises InvalidInput for one that no page of ours gave out."""
    if cursor is None:
        return None
    try:
        texts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("a cursor is a list of texts")
        return tuple(kind(text) for kind, text in zip(kinds, texts, strict=True))
    except ValueError:
        raise InvalidInput(FieldProblem("cursor", "is not a cursor of this list")) from None


def moment(text: str) -> datetime:
    """A time out of a cursor; raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None or not EARLIEST <= time < LATEST:
        raise ValueError("no row of ours is of that time")
    return time


def place(text: str) -> int:
    """A number out of a cursor, small enough for a column; raises ValueError."""
    number = int(text)
    if abs(number) >= 2**31:
        raise ValueError("no row of ours has that number")
    return number


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """One list: how a row is shown, where it stands, and how its place is read from a cursor."""

    show: Callable[[Row], Mapping[str, Any]]
    place_of: Callable[[Row], Place]
    kinds: tuple[Callable[[str], Any], ...]

    async def page(
        self,
        limit: int,
        cursor: str | None,
        read: Callable[[Place | None, int], Awaitable[Sequence[Row]]],
    ) -> Response:
        """A page of at most `limit` rows.

        `read` is given the place that the page begins behind, None for the first one, and how many
        rows it may bring: one more than are shown, which tells whether there is a next page.
        Raises InvalidInput for a cursor that no page of this list gave out.
        """
        rows = await read(decode_cursor(cursor, *self.kinds), limit + 1)
        shown = rows[:limit]
        items = [self.show(row) for row in shown]
        more = len(rows) > limit
        following = encode_cursor(*self.place_of(shown[-1])) if more else None
        return Response(
            to_json({"items": items, "nextCursor": following}), media_type="application/json"
        )


def as_sent(item: Schema) -> dict[str, Any]:
    """An item as it is sent."""
    return item.model_dump(by_alias=True, warnings=False)


def listing(schema: type[Schema], **places: Callable[[str], Any]) -> Listing[Mapping[str, Any]]:
    """A list of records that is sorted by some of their fields; says how each is read again."""
    get = itemgetter(*places)
    one = len(places) == 1
    return Listing(
        # Records hold plain texts where a schema names an enumeration: the database has checked
        # them.
        show=lambda row: as_sent(schema.model_construct(**row)),
        place_of=lambda row: (get(row),) if one else get(row),
        kinds=tuple(places.values()),
    )
