"""The day, and how it came to be: for managers and admins."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import effects
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.metrics import Course, Period
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.dashboard.charts import ai_charts, waits_chart
from vaultcrm.entrypoints.web.dashboard.effect import EffectView, effect_view
from vaultcrm.entrypoints.web.dashboard.figures import Span
from vaultcrm.entrypoints.web.dashboard.numbers import (
    Number,
    ai_numbers,
    fans_number,
    message_number,
)
from vaultcrm.entrypoints.web.dashboard.system import more_numbers, system_view
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep
from vaultcrm.entrypoints.web.frame.pages import page
from vaultcrm.workflows.attribute_outcomes import attribution_window
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_effect import USUAL_DAYS as USUAL_DAYS_OF_EFFECT
from vaultcrm.workflows.read_effect import read_effect
from vaultcrm.workflows.read_metrics import read_course
from vaultcrm.workflows.read_system import read_system

router = APIRouter()

PERIODS = {1: "Today", 7: "7 days", 30: "30 days", 90: "90 days"}
USUAL_DAYS = 7
MOST_STEPS = 10
"""More often than this no waiting draft has become more urgent."""


@router.get("/dashboard")
async def dashboard(
    parts: PartsDep,
    desk: DeskDep,
    days: int = USUAL_DAYS,
    creator: UUID | Literal[""] = "",
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """Today's numbers, and the charts of a period, of all creators or of one."""
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    chosen = _chosen(desk, creator or None)
    span = Span(days if days in PERIODS else USUAL_DAYS, parts.now())
    course = await _course(parts, chosen, span)
    effect = await _effect(parts, chosen, span)
    with_ai = any(desk.ai_is_on_for(one) for one in chosen) if chosen else desk.has_ai
    alone = creator or None
    whole = alone is None and desk.caller.all_creators
    return page(
        "dashboard/_day.html" if hx_request else "dashboard/dashboard.html",
        desk=desk,
        here="dashboard",
        periods=PERIODS,
        days=span.days,
        creator_id=alone,
        with_ai=with_ai,
        days_of_trend=[f"{day.day} {day:%b}" for day in span.trend],
        numbers=_numbers(desk, course, span, alone, with_ai=with_ai),
        effect=effect,
        system=system_view(await read_system(parts)) if whole else None,
        charts=[
            *(ai_charts(course, span) if with_ai else ()),
            waits_chart(course, span, with_ai=with_ai),
        ],
    )


def _chosen(desk: Desk, creator_id: UUID | None) -> list[UUID]:
    """The creators that are shown; raises NotFound for one that is not the reader's."""
    if creator_id is None:
        return list(desk.creators)
    if creator_id not in desk.creators:
        raise NotFound("creator")
    return [creator_id]


async def _course(parts: Parts, creator_ids: list[UUID], span: Span) -> Course:
    async with parts.pool.connection() as connection:
        return await read_course(
            connection,
            creator_ids,
            Period(span.start, span.end),
            hourly_from=span.hourly_from,
            escalation_steps=MOST_STEPS,
        )


async def _effect(parts: Parts, creator_ids: list[UUID], span: Span) -> EffectView:
    """Over the days of the charts, and a month at least: what is compared needs many messages."""
    start = span.now - timedelta(days=max(span.days, USUAL_DAYS_OF_EFFECT))
    async with parts.pool.connection() as connection:
        found = await read_effect(
            connection,
            creator_ids,
            Period(start, span.now),
            attribution_window(parts),
            span.now,
        )
        names = await effects.names(connection, [one.user_id for one in found.time_saved])
    return effect_view(found, names)


def _numbers(
    desk: Desk, course: Course, span: Span, alone: UUID | None, *, with_ai: bool
) -> list[Number]:
    if not with_ai:
        fans = () if alone else (fans_number(desk.waiting),)
        return [*fans, message_number(course, span, leads=True)]
    numbers = ai_numbers(
        course,
        span,
        waiting=course.waiting,
        tokens=None if alone else (desk.tokens_used, desk.flags.max_tokens_per_day),
    )
    return [*numbers, *more_numbers(course, span), message_number(course, span)]
