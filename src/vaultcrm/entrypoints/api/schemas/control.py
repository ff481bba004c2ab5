"""Flags, the audit log, webhooks and health."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import FiniteFloat

from vaultcrm.entrypoints.api.fields import (
    FreeText,
    Line,
    Schema,
)


class FlagOut(Schema):
    """A flag's value in force for one creator, and where it comes from."""

    name: str
    value: Any
    source: Literal["creator", "installation", "environment"]


class FlagPage(Schema):
    items: list[FlagOut]
    next_cursor: None = None


class FlagIn(Schema):
    """`creatorId` null means the whole installation; `value` null takes the override away."""

    creator_id: UUID | None = None
    name: Line
    value: bool | int | FiniteFloat | FreeText | None
    reason: Line


class AuditOut(Schema):
    id: UUID
    creator_id: UUID
    at: datetime
    actor_id: UUID | None
    actor_name: str | None
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any]


class WebhookOut(Schema):
    accepted: bool
    duplicate: bool


class HealthOut(Schema):
    """`worker` says whether one was seen in the last minute, where that was looked at."""

    status: Literal["ok", "unavailable"]
    detail: str = ""
    worker: Literal["alive", "silent"] | None = None
