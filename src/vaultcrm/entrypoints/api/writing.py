"""What the routes that read and create have in common."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import creators
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import json_response, once
from vaultcrm.entrypoints.api.fields import Schema
from vaultcrm.workflows.parts import Parts, Receipt

OneCreator = Annotated[
    UUID | None, Query(alias="creatorId", description="only what belongs to this creator")
]


async def write_once(
    request: Request,
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    schema: type[Schema],
    write: Callable[[Connection], Awaitable[dict[str, Any]]],
    *,
    status: int = 201,
) -> Response:
    """Do one write for a creator in a transaction, at most once for an `Idempotency-Key`.

    Raises NotFound for a creator that is not there or not the caller's.
    """
    require_creator(caller, creator_id)

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            if await (await creators.get_creator(connection, creator_id)).answer() is None:
                raise NotFound("creator")
            answer = schema(**await write(connection)).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer, status)
        return json_response(answer, status)

    return await once(request, parts, caller.user_id, work)


def the_one(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """The only row; raises NotFound when there is none."""
    if not rows:
        raise NotFound(what)
    return rows[0]
