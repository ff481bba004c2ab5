"""Whose rows statements see: what PostgreSQL's row-level security asks of each connection.

The policies of `vaultcrm.db.row_security` show and take rows of the creators that the setting
`vaultcrm.creators` names, and none where it names none. Outside of a request, in workers and
commands, it is `EVERYTHING`. A request begins with `NOTHING`; whoever finds out who asks says so
with `see_as`, once, and every connection that the request is given afterwards sees what its caller
may see.

A connection keeps its scope when it goes back to the pool, and the next one who is given it gets
their own before anything else: `vaultcrm.db.pool.ScopedPool`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection

from vaultcrm.db.pending import Connection, run
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role

SETTING: Final = "vaultcrm.creators"
EVERYTHING: Final = "all"
NOTHING: Final = ""

SEE: Final = f"SELECT set_config('{SETTING}', %s, false)"
SEE_IN_TRANSACTION: Final = f"SELECT set_config('{SETTING}', %s, true)"

_scope: ContextVar[str] = ContextVar(SETTING, default=EVERYTHING)


class ScopedConnection(AsyncConnection[tuple[Any, ...]]):
    """A connection that knows whose rows it shows. `scope` None: not known, so it is set anew."""

    scope: str | None = NOTHING


def scope_of(caller: Caller) -> str:
    """The setting's value for a caller: their creators, and for admins the installation's own rows
    (the nil id), as in the audit log.
    """
    if caller.all_creators:
        return EVERYTHING
    own = {NIL} if caller.role is Role.ADMIN else set()
    return scope_of_creators(caller.creator_ids | own)


def scope_of_creators(creator_ids: frozenset[UUID]) -> str:
    """The setting's value for some creators. For none it is an empty array and not `NOTHING`: whose
    it is is known.
    """
    return f"{{{','.join(sorted(map(str, creator_ids)))}}}"


def see_as(caller: Caller) -> None:
    """From now on this request sees what the caller may see. Outside of one nothing changes."""
    if _scope.get() == NOTHING:
        _scope.set(scope_of(caller))


def see_also(creator_id: UUID) -> str:
    """From now on this request sees a creator's rows too, who has been added; the scope."""
    scope = _scope.get()
    if scope not in {NOTHING, EVERYTHING}:
        known = frozenset(UUID(each) for each in scope.strip("{}").split(",") if each)
        scope = scope_of_creators(known | {creator_id})
        _scope.set(scope)
    return scope


@contextmanager
def seeing(scope: str) -> Iterator[None]:
    """What is inside sees with this scope, and what comes after as before."""
    before = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(before)


async def put_scope(connection: Connection) -> None:
    """Let a connection that is in no transaction show what this task is to see.

    A statement of its own, if the connection shows anything else. Raises `psycopg.Error`.
    """
    scope = _scope.get()
    if not isinstance(connection, ScopedConnection) or connection.scope == scope:
        return
    connection.scope = None
    await connection.execute(SEE, (scope,))
    connection.scope = scope


async def put_scope_in_transaction(connection: Connection) -> None:
    """Let the transaction that a pipeline has begun show what this task is to see. The statement
    travels with those that come after it, and is sent only if the connection shows anything else.
    """
    scope = _scope.get()
    if not isinstance(connection, ScopedConnection) or connection.scope != scope:
        await put_scope_of_transaction(connection, scope)


async def put_scope_of_transaction(connection: Connection, scope: str) -> None:
    """The same for another scope than the task's, sent in any case."""
    await run(connection, SEE_IN_TRANSACTION, (scope,))


@asynccontextmanager
async def scope_travels(connection: Connection) -> AsyncIterator[None]:
    """For the first statement on an `unscoped` connection of the pool that is in no transaction:
    what the connection is to show from now on is set in the same round trip.

    After an error the scope counts as unknown, for the server may have gone back to the one before.
    """
    scope = _scope.get()
    if not isinstance(connection, ScopedConnection) or connection.scope == scope:
        yield
        return
    connection.scope = None
    async with connection.pipeline():
        await run(connection, SEE, (scope,))
        yield
    connection.scope = scope
