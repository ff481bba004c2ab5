"""Switch AI off for everybody with one step, and on again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_every_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, flags
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.call_back import call_back_what_must_wait
from vaultcrm.workflows.parts import Parts

FLAG = "ENABLE_AI_CHAT"


async def switch_ai(parts: Parts, caller: Caller, *, on: bool, reason: str) -> None:
    """Override ENABLE_AI_CHAT for the installation, in one transaction, each change audited.

    A creator's own override wins over the installation's, so switching off takes away those that
    say on. Switching on leaves those that say off. Calls to models that are on their way stop in
    every process within a second (`running_calls`), and automatic messages that have not left wait
    for a person. Raises Forbidden, also for an admin who acts for some creators only.
    """
    require_role(caller, Role.ADMIN)
    require_every_creator(caller)
    now = parts.now()
    async with parts.transaction() as connection:
        found = await (await flags.overriding(connection, FLAG)).answer()
        await _set(connection, caller, on, reason, now)
        await _note(connection, caller, NIL, found.get(NIL), on, reason, now)
        for creator_id, value in found.items():
            # What is not a plain "off" may be read as on.
            if creator_id != NIL and not on and value is not False:
                await flags.clear_override(connection, creator_id, FLAG)
                await _note(connection, caller, creator_id, value, None, reason, now)
    if not on:
        await call_back_what_must_wait(parts, None)


async def _set(
    connection: Connection, caller: Caller, on: bool, reason: str, now: datetime
) -> None:
    await flags.set_override(
        connection,
        creator_id=NIL,
        name=FLAG,
        value=on,
        reason=reason,
        user_id=caller.user_id,
        now=now,
    )


async def _note(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    before: Any,
    after: bool | None,
    reason: str,
    now: datetime,
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=caller.user_id,
            action=AuditAction.FLAG_CHANGED,
            subject_type="flag",
            subject_id=FLAG,
            at=now,
            details={"from": before, "to": after, "reason": reason},
        ),
    )
