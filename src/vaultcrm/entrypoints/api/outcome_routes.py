"""What one message did, and what AI's messages do beside those of people."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import outcomes
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, creators_asked_for
from vaultcrm.entrypoints.api.fields import Time
from vaultcrm.entrypoints.api.schemas.outcomes import EffectOut, MessageOutcomeOut
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.attribute_outcomes import attribution_window
from vaultcrm.workflows.read_effect import read_effect, usual_period
from vaultcrm.workflows.read_metrics import period_asked_for

router = APIRouter(prefix="/api", tags=["Metrics"])


@router.get("/messages/{message_id}/outcome")
async def get_outcome(message_id: UUID, parts: PartsDep, caller: CallerDep) -> MessageOutcomeOut:
    """What a creator's message did: answer, purchase, revenue, time to reply.

    It is there about a minute after the message was sent, whoever wrote it.
    """
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, None)
        found = await (await outcomes.of_message(connection, creator_ids, message_id)).answer()
    if not found:
        raise NotFound("outcome of a message")
    return MessageOutcomeOut.of(found[0], parts.now())


@router.get("/ai/metrics/effect")
async def get_effect(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: OneCreator = None,
    start: Annotated[Time | None, Query(alias="from")] = None,
    end: Annotated[Time | None, Query(alias="to")] = None,
) -> EffectOut:
    """AI's messages beside those that people wrote, time saved, and change in engagement.

    Over the last 30 days, or up to 92 days between `from` and `to`. What is null needs more data.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    now = parts.now()
    period = usual_period(now)
    if start is not None or end is not None:
        period = period_asked_for(start, end, now)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        window = attribution_window(parts)
        effect = await read_effect(connection, creator_ids, period, window, now)
    return EffectOut.of(creator_id, effect)
