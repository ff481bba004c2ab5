"""Pages of lists: `{"items": […], "nextCursor": … | null}` with an opaque cursor."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
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


def page(
    schema: type[Schema],
    rows: Sequence[Mapping[str, Any]],
    limit: int,
    cursor_of: Callable[[Mapping[str, Any]], str],
) -> Response:
    """A page of at most `limit` rows; `rows` holds one more when there is a next page."""
    shown = rows[:limit]
    # Rows hold plain texts where a schema names an enumeration: the database has checked them.
    items = [
        schema.model_construct(**row).model_dump(by_alias=True, warnings=False) for row in shown
    ]
    more = len(rows) > limit
    body = to_json({"items": items, "nextCursor": cursor_of(shown[-1]) if more else None})
    return Response(body, media_type="application/json")
