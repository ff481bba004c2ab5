"""Alerts: what is the matter now, and what was. For managers and admins."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Header
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.controls.monitoring.conditions import rules
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import alerts
from vaultcrm.domain.alerts import Severity, creator_of
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.alerting import acknowledge_alert
from vaultcrm.workflows.parts import Parts

router = APIRouter()

MOST_OPEN = 100
OVER = 30
COUNTED_DAYS = 30
"""How far back is counted how often something has happened."""


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert in words. `where` is the creator whom it concerns, `conversation_id` where to look;
    `often` is how many times it was raised in the last `COUNTED_DAYS` days.
    """

    record: Record
    title: str
    where: str
    often: int
    conversation_id: UUID | None

    @property
    def is_severe(self) -> bool:
        return bool(self.record["severity"] == Severity.CRITICAL)

    @property
    def is_acknowledged(self) -> bool:
        return self.record["acknowledged_at"] is not None


@router.get("/alerts")
async def list_alerts(
    parts: PartsDep,
    desk: DeskDep,
    cursor: str | None = None,
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """What is the matter now, the severe first, and below it what is over, page by page."""
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    return await _alerts_page(parts, desk, cursor, template=_template(hx_request))


@router.get("/banner")
async def banner(desk: DeskDep, here: str = "") -> Response:
    """The severe alerts that nobody has seen to, for the top of every page."""
    return page("frame/_banner.html", desk=desk, here=here)


@router.post("/alerts/{alert_id}/acknowledge")
async def acknowledge(
    alert_id: UUID,
    parts: PartsDep,
    session: FormSessionDep,
    back: Annotated[str, Form()] = "",
    hx_request: Annotated[str | None, Header()] = None,
) -> Response:
    """Note who sees to an alert. The answer is the page, or the banner where `back` says so."""
    async with parts.transaction() as connection:
        await acknowledge_alert(connection, session.caller, alert_id, parts.now())
    if not hx_request:
        return redirect("/alerts")
    desk = await open_desk(parts, session)
    if back == "banner":
        return page("frame/_banner.html", desk=desk, here="")
    return await _alerts_page(parts, desk, None, template=_template(hx_request))


def _template(hx_request: str | None) -> str:
    return "oversight/_alerts.html" if hx_request else "oversight/alerts.html"


async def _alerts_page(parts: Parts, desk: Desk, cursor: str | None, *, template: str) -> Response:
    before = decode_cursor(cursor, UUID)
    creator_ids = list(desk.creators)
    since = parts.now() - timedelta(days=COUNTED_DAYS)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            open_sent = await alerts.list_alerts(
                connection, creator_ids, is_open=True, before=None, limit=MOST_OPEN
            )
            over_sent = await alerts.list_alerts(
                connection,
                creator_ids,
                is_open=False,
                before=None if before is None else before[0],
                limit=OVER + 1,
            )
            places_sent = await alerts.conversations_of_open(connection, creator_ids)
            often_sent = await alerts.times_raised(connection, creator_ids, since)
        is_open, over = await open_sent.answer(), await over_sent.answer()
        places, often = await places_sent.answer(), await often_sent.answer()

    def shown(record: Record) -> ShownAlert:
        return ShownAlert(
            record,
            title=words.alerts.ALERTS.get(record["kind"], record["kind"]),
            where=_where(desk, record["subject"]),
            often=often.get((record["kind"], record["subject"]), 0),
            conversation_id=places.get(record["id"]),
        )

    now = sorted(map(shown, is_open), key=lambda one: (one.is_acknowledged, not one.is_severe))
    return page(
        template,
        desk=desk,
        here="alerts",
        now=now,
        over=[shown(record) for record in over[:OVER]],
        following=encode_cursor(over[OVER - 1]["id"]) if len(over) > OVER else None,
        first=cursor is None,
        rules=list(rules(parts.settings)),
        by_mail=parts.mailer is not None,
    )


def _where(desk: Desk, subject: str) -> str:
    creator_id = creator_of(subject)
    return "" if creator_id is None else desk.creator_name(creator_id)
