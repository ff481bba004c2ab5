"""Accounts of creators on platforms."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema


class ChannelIn(Schema):
    """`GET /api/channel-kinds` says which settings each kind needs. Secrets are stored encrypted
    and never shown again. `sendDelaySeconds` null leaves the delay to the installation.
    """

    creator_id: UUID
    channel: Line
    settings: Annotated[dict[Line, FreeText | bool | int], Field(max_length=20)]
    send_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None


class ChannelOut(Schema):
    """An account. `settings` leaves secrets out."""

    creator_id: UUID
    channel: str
    settings: dict[str, Any]
    send_delay_seconds: int | None
    paused_at: datetime | None
    paused_reason: str | None
    updated_at: datetime

    @classmethod
    def of(cls, account: ChannelAccount) -> "ChannelOut":
        return cls(
            creator_id=account.creator_id,
            channel=account.channel,
            settings=dict(account.config),
            send_delay_seconds=account.send_delay_seconds,
            paused_at=account.paused_at,
            paused_reason=account.paused_reason,
            updated_at=account.updated_at,
        )


class ChannelPage(Schema):
    items: list[ChannelOut]


class SettingOut(Schema):
    name: str
    description: str
    secret: bool
    required: bool


class KindOut(Schema):
    name: str
    title: str
    settings: list[SettingOut]


class KindPage(Schema):
    items: list[KindOut]


class CreatorIn(Schema):
    creator_id: UUID
