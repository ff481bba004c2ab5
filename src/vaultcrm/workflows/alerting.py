"""Raise alerts, clear them when their condition is over, and note who has seen them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.adapters.llm.catalog import table_date
from vaultcrm.adapters.llm.retrieval import MODEL as RETRIEVAL
from vaultcrm.controls.auth import require_role
from vaultcrm.db.jobs import EVENTS_QUEUE, MAIL_ALERT
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import alerts, audit
from vaultcrm.domain.alerts import (
    INSTALLATION,
    AlertKind,
    Severity,
    creator_of,
    model_subject,
)
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.events import alert_raised
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

NO_MODEL = "none"
"""What stands for the model of a generation that no model was asked for."""
PRICES = "vaultcrm/adapters/llm/models.toml"


async def raise_alert(
    parts: Parts,
    connection: Connection,
    kind: AlertKind,
    severity: Severity,
    message: str,
    details: dict[str, Any],
    now: datetime,
    *,
    subject: str = INSTALLATION,
) -> None:
    """Open an alert and tell other systems and people of it, in the transaction of what it tells.

    While one of this kind and subject is open nothing happens.
    """
    sent = await alerts.raise_alert(
        connection, kind, severity, message, details, now, subject=subject
    )
    alert_id = await sent.answer()
    if alert_id is not None:
        event = alert_raised(alert_id, kind, severity, subject, message, now)
        await announce(parts, connection, event)
        await _mail_of(parts, connection, alert_id)


async def clear_alert(
    parts: Parts,
    connection: Connection,
    kind: AlertKind,
    now: datetime,
    *,
    subject: str | None = INSTALLATION,
) -> None:
    """Close an alert, with None for the subject all of a kind, in the transaction of what ends it;
    those who were told of it by e-mail are told that it is over.
    """
    for alert_id in await alerts.clear_alert(connection, kind, now, subject=subject):
        await _mail_of(parts, connection, alert_id)


async def _mail_of(parts: Parts, connection: Connection, alert_id: UUID) -> None:
    """One mail job of an alert at a time: two side by side would both find who was told nothing."""
    if parts.mailer is not None:
        await parts.jobs.defer(
            connection,
            MAIL_ALERT,
            queue=EVENTS_QUEUE,
            lock=f"alert:{alert_id}",
            alert_id=str(alert_id),
        )


async def alert_to_unknown_model(
    parts: Parts, connection: Connection, model: str, now: datetime
) -> None:
    """Raise an alert for a model whose price is not known; for others no statement is sent."""
    if model in {RETRIEVAL, NO_MODEL} or parts.price(model).known:
        return
    await raise_alert(
        parts,
        connection,
        AlertKind.UNKNOWN_MODEL,
        Severity.WARNING,
        f"The model {model} is not in the table of prices of {table_date()}, so its tokens are "
        f"counted at the price of the dearest model there. Add its price to {PRICES}, or choose a "
        "model that is in it with AI_MODEL or AI_MODEL_CHECKER, and start VaultCRM again.",
        {"model": model},
        now,
        subject=model_subject(model),
    )


async def clear_unknown_models(parts: Parts) -> None:
    """Clear these alerts when every model that this process is set up with has a price."""
    settings = parts.settings
    used = () if settings.drafter == "retrieval" else (settings.ai_model, settings.ai_model_checker)
    if all(parts.price(model).known for model in used):
        async with parts.transaction() as connection:
            now = parts.now()
            await clear_alert(parts, connection, AlertKind.UNKNOWN_MODEL, now, subject=None)


async def acknowledge_alert(
    connection: Connection, caller: Caller, alert_id: UUID, now: datetime
) -> Record:
    """Note that somebody has seen an alert; of several people the first one's name is kept.

    Runs in the caller's transaction. Raises Forbidden, or NotFound, also for an alert about a
    creator that is not the caller's.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN)
    creator_ids = await visible_creators(connection, caller)
    sent = await alerts.acknowledge(
        connection, creator_ids, alert_id, user_id=caller.user_id, now=now
    )
    first = await sent.answer()
    found = await (await alerts.get_alert(connection, creator_ids, alert_id)).answer()
    if not found:
        raise NotFound("alert")
    [alert] = found
    if first:
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_of(alert["subject"]) or NIL,
                actor_id=caller.user_id,
                action=AuditAction.ALERT_ACKNOWLEDGED,
                subject_type="alert",
                subject_id=str(alert_id),
                at=now,
                details={"kind": alert["kind"]},
            ),
        )
    return alert
