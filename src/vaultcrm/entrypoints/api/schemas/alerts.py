"""Alerts, and who has seen them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.domain.alerts import AlertKind, Severity
from vaultcrm.entrypoints.api.fields import Schema


class AlertOut(Schema):
    """`subject` is empty for the whole installation, else says what it is about: `creator/ID`,
    `creator/ID/CHANNEL` or `model/NAME`.

    An alert is open until `clearedAt`. `acknowledgedBy` is the first who said that they saw it.
    """

    id: UUID
    kind: AlertKind
    subject: str
    severity: Severity
    message: str
    details: dict[str, Any]
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    acknowledged_by_name: str | None
