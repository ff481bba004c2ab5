"""Refused requests go into the audit log, once an hour, and never at the cost of the answer."""

import logging
from collections import OrderedDict
from datetime import datetime
from uuid import UUID

from fastapi import Request
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from vaultcrm.db.queries import access
from vaultcrm.domain.errors import Forbidden, LimitExceeded, VaultError
from vaultcrm.domain.people import Caller, Credential
from vaultcrm.workflows.note_refusal import note_refusal, reason_of
from vaultcrm.workflows.parts import Parts

log = logging.getLogger(__name__)

MOST_REMEMBERED = 10_000

Seen = OrderedDict[tuple[int, str, datetime], None]
"""Refusals of this process's last hours: one that is here is in the log, and costs nothing."""


async def note(request: Request, error: VaultError) -> None:
    """Note a refusal of a caller who is known; for other errors nothing."""
    if not isinstance(error, Forbidden | LimitExceeded):
        return
    parts: Parts = request.app.state.parts
    hour = parts.now().replace(minute=0, second=0, microsecond=0)
    caller: Caller | None = getattr(request.state, "caller", None)
    credential: Credential | None = getattr(request.state, "credential", None)
    who = caller.user_id if caller is not None else credential
    if who is None or not _is_new(request, (hash(who), reason_of(error), hour)):
        return
    try:
        user_id = who if isinstance(who, UUID) else await _user_of(parts, who)
        if user_id is not None:
            asked_for = f"{request.method} {_route_of(request)}"
            await note_refusal(parts, error, user_id=user_id, asked_for=asked_for)
    except (DatabaseError, PoolTimeout):
        log.warning("A refusal could not be written into the audit log")


async def _user_of(parts: Parts, credential: Credential) -> UUID | None:
    async with parts.pool.unscoped() as connection:
        sent = await access.find_caller(connection, credential, parts.now())
        caller = await sent.answer()
    return None if caller is None else caller.user_id


def _route_of(request: Request) -> str:
    """The route's own path, with names where the caller has put ids."""
    return str(getattr(request.scope.get("route"), "path", "a path that is none of ours"))


def _is_new(request: Request, refusal: tuple[int, str, datetime]) -> bool:
    state = request.app.state
    if not hasattr(state, "refusals"):
        state.refusals = Seen()
    seen: Seen = state.refusals
    if refusal in seen:
        return False
    seen[refusal] = None
    while len(seen) > MOST_REMEMBERED:
        seen.popitem(last=False)
    return True
