"""Read the flags in force, and override one at run time, with who, why and the old value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_every_creator, require_role
from vaultcrm.controls.flags import FLAG_FIELDS, GLOBAL_ONLY, Overrides, check_value
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, creators, flags
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.call_back import HOLDING_FLAGS, call_back_what_must_wait
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.rollout_health import STAGE_FLAG, moved_on


@dataclass(frozen=True, slots=True)
class FlagInForce:
    """A flag's value for one creator; `source` is creator, installation or environment."""

    name: str
    value: Any
    source: str


async def flags_in_force(
    parts: Parts, caller: Caller, creator_id: UUID | None
) -> tuple[FlagInForce, ...]:
    """Every flag with its value and where that comes from; raises NotFound."""
    if creator_id is not None:
        require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        if creator_id is not None:
            await _require_known(connection, creator_id)
        return _in_force(parts, Overrides(*await flags.overrides(connection, creator_id or NIL)))


async def _require_known(connection: Connection, creator_id: UUID) -> None:
    if await (await creators.get_creator(connection, creator_id)).answer() is None:
        raise NotFound("creator")


def _in_force(parts: Parts, overrides: Overrides) -> tuple[FlagInForce, ...]:
    found = []
    for name, field in FLAG_FIELDS.items():
        source = "environment"
        if name in overrides.installation:
            source = "installation"
        if name in overrides.creator:
            source = "creator"
        found.append(
            FlagInForce(name, overrides.value(name, getattr(parts.settings, field)), source)
        )
    return tuple(found)


async def set_flag(
    parts: Parts,
    caller: Caller,
    *,
    creator_id: UUID | None,
    name: str,
    value: Any,
    reason: str,
    receipt: Receipt | None = None,
    encode: Callable[[tuple[FlagInForce, ...]], str] | None = None,
) -> tuple[FlagInForce, ...]:
    """Set an override, or take it away with the value None; in force from the next call on.

    Returns every flag as it is then.

    Raises Forbidden, also where an admin who acts for some creators only would change what holds
    for all; NotFound, or InvalidInput for an unknown flag or a value out of bounds.
    """
    require_role(caller, Role.ADMIN)
    if value is not None:
        value = check_value(name, value)
    elif name not in FLAG_FIELDS:
        raise InvalidInput(FieldProblem("name", "unknown flag"))
    if creator_id is not None and name in GLOBAL_ONLY:
        raise InvalidInput(FieldProblem("creatorId", f"{name} holds for the whole installation"))
    if creator_id is not None:
        require_creator(caller, creator_id)
    else:
        require_every_creator(caller)
    scope = creator_id or NIL
    now = parts.now()
    async with parts.transaction() as connection:
        if creator_id is not None:
            await _require_known(connection, creator_id)
        found = Overrides(*await flags.overrides(connection, scope))
        before = (found.creator if creator_id is not None else found.installation).get(name)
        if value is None:
            await flags.clear_override(connection, scope, name)
        else:
            await flags.set_override(
                connection,
                creator_id=scope,
                name=name,
                value=value,
                reason=reason,
                user_id=caller.user_id,
                now=now,
            )
        after = Overrides(*await flags.overrides(connection, scope))
        details: dict[str, Any] = {"from": before, "to": value, "reason": reason}
        if name == STAGE_FLAG:
            details |= await moved_on(parts, connection, creator_id, found, after)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=scope,
                actor_id=caller.user_id,
                action=AuditAction.FLAG_CHANGED,
                subject_type="flag",
                subject_id=name,
                at=now,
                details=details,
            ),
        )
        in_force = _in_force(parts, after)
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(in_force))
    if name in HOLDING_FLAGS:
        await call_back_what_must_wait(parts, creator_id)
    return in_force
