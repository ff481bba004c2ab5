"""A creator's own accounts on platforms: connect, look at, pause, let go on, forget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, channel_accounts, creators
from vaultcrm.domain.alerts import AlertKind, channel_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.channels import ChannelAccount
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.alerting import clear_alert
from vaultcrm.workflows.parts import Parts, Receipt


@dataclass(frozen=True, slots=True)
class Connecting:
    """What is needed for an account: see `vaultcrm.adapters.channels.kinds` for the settings."""

    creator_id: UUID
    channel: str
    settings: Mapping[str, Any]
    send_delay_seconds: int | None = None


async def connect_channel(
    parts: Parts,
    caller: Caller,
    wanted: Connecting,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[ChannelAccount], str] | None = None,
) -> ChannelAccount:
    """Connect an account or replace its credentials; what was paused goes on.

    Raises NotFound, Forbidden for chatters, or InvalidInput for settings that are missing, unknown
    or malformed, and for a channel that the environment has set up for everybody.
    """
    _require_manager(caller, wanted.creator_id)
    if wanted.channel in parts.channels.fixed:
        raise InvalidInput(
            FieldProblem("channel", "is set up for everybody by the settings of this installation")
        )
    channel, secret = await parts.channels.check(wanted.channel, wanted.settings)
    config = parts.channels.shown(wanted.channel, wanted.settings)
    config["automatedSending"] = channel.capabilities.automated_sending
    await channel.aclose()
    now = parts.now()
    async with parts.transaction() as connection:
        if await (await creators.get_creator(connection, wanted.creator_id)).answer() is None:
            raise NotFound("creator")
        account = await channel_accounts.put(
            connection,
            creator_id=wanted.creator_id,
            channel=wanted.channel,
            config=config,
            secret=secret,
            send_delay_seconds=wanted.send_delay_seconds,
            now=now,
        )
        await _note(parts, connection, caller, account, AuditAction.CHANNEL_CONNECTED)
        await _clear(parts, connection, wanted.creator_id, wanted.channel)
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(account), status_code=201)
    return account


async def accounts_of(
    parts: Parts, connection: Connection, creator_ids: list[UUID]
) -> tuple[ChannelAccount, ...]:
    """The accounts of some creators."""
    return await channel_accounts.of_creators(connection, creator_ids)


async def pause_channel(parts: Parts, caller: Caller, creator_id: UUID, channel: str) -> None:
    """Stop sending over a channel by hand; its messages wait."""
    _require_manager(caller, creator_id)
    async with parts.transaction() as connection:
        if await (await creators.get_creator(connection, creator_id)).answer() is None:
            raise NotFound("creator")
        if channel not in parts.channels.fixed:
            await _account(connection, creator_id, channel)
        reason = f"paused by {caller.name}"
        await channel_accounts.pause(connection, creator_id, channel, reason, parts.now())
        account = await _account(connection, creator_id, channel)
        await _note(parts, connection, caller, account, AuditAction.CHANNEL_PAUSED)


async def resume_channel(parts: Parts, caller: Caller, creator_id: UUID, channel: str) -> None:
    """Let sending go on: what waits leaves within a minute, in its order. Raises NotFound."""
    _require_manager(caller, creator_id)
    async with parts.transaction() as connection:
        account = await _account(connection, creator_id, channel)
        if await channel_accounts.resume(connection, creator_id, channel):
            await _note(parts, connection, caller, account, AuditAction.CHANNEL_RESUMED)
            await _clear(parts, connection, creator_id, channel)


async def remove_channel(parts: Parts, caller: Caller, creator_id: UUID, channel: str) -> None:
    """Forget an account and its credentials; conversations stay. Raises NotFound."""
    _require_manager(caller, creator_id)
    async with parts.transaction() as connection:
        account = await _account(connection, creator_id, channel)
        await channel_accounts.remove(connection, creator_id, channel)
        await _note(parts, connection, caller, account, AuditAction.CHANNEL_REMOVED)
        await _clear(parts, connection, creator_id, channel)


def _require_manager(caller: Caller, creator_id: UUID) -> None:
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    require_creator(caller, creator_id)


async def _account(connection: Connection, creator_id: UUID, channel: str) -> ChannelAccount:
    account = await channel_accounts.get(connection, creator_id, channel)
    if account is None:
        raise NotFound("channel")
    return account


async def _clear(parts: Parts, connection: Connection, creator_id: UUID, channel: str) -> None:
    await clear_alert(
        parts,
        connection,
        AlertKind.CHANNEL_PAUSED,
        parts.now(),
        subject=channel_subject(creator_id, channel),
    )


async def _note(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    account: ChannelAccount,
    action: AuditAction,
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=account.creator_id,
            actor_id=caller.user_id,
            action=action,
            subject_type="channel",
            subject_id=account.channel,
            at=parts.now(),
        ),
    )
