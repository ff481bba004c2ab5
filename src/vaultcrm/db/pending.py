"""Several statements in one round trip: each is sent at once and read when all are answered.

    async with connection.pipeline():
        caller = await access.find_caller(connection, …)
        context = await contexts.load(connection, …)
    return await caller.answer(), await context.answer()

In autocommit mode the statements of one pipeline block are one implicit transaction: if one
fails, none has happened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import Params

T = TypeVar("T")
Connection = AsyncConnection[tuple[Any, ...]]
Rows = Sequence[tuple[Any, ...]]
Record = dict[str, Any]
"""A row by the names of its columns."""

REMEMBERED_BYTES = 4096
REMEMBERED_PARAMETERS = 50
"""The largest statement, and the most parameters with it, for which psycopg remembers where they
go. What is beyond is parsed anew each time, which costs more than all the rest of sending it.
"""


@dataclass(frozen=True, slots=True)
class Pending(Generic[T]):
    """A statement that was sent, and how its rows are read."""

    cursor: AsyncCursor[tuple[Any, ...]]
    read: Callable[[Rows], T]

    async def answer(self) -> T:
        """Wait for the rows and read them."""
        return self.read(await self.cursor.fetchall())


async def send(
    connection: Connection, statement: str, params: Params, read: Callable[[Rows], T]
) -> Pending[T]:
    """Send one statement. Outside a pipeline block this waits for the answer."""
    cursor = connection.cursor()
    await cursor.execute(statement, params)
    return Pending(cursor, read)


async def run(connection: Connection, statement: str, params: Params) -> None:
    """Send one statement whose rows nobody needs."""
    await connection.cursor().execute(statement, params)


def compact(statement: str) -> str:
    """A statement without its indentation, for one that is sent often and would be longer than
    `REMEMBERED_BYTES` with it.
    """
    return "\n".join([line.strip() for line in statement.splitlines()])


def records(*names: str) -> Callable[[Rows], list[Record]]:
    """Reads rows as dictionaries with these names, in the order of the columns."""

    def read(rows: Rows) -> list[Record]:
        return [dict(zip(names, row, strict=True)) for row in rows]

    return read
