"""Budgets: read with what is used of them, set and cleared with who, why and the old value."""

from collections.abc import Callable
from decimal import Decimal

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, budgets
from vaultcrm.domain.audit import AuditAction, AuditEntry, stated_reason
from vaultcrm.domain.budgets import MICRO_USD, MOST, Budget, BudgetKey, BudgetScope, BudgetUnit
from vaultcrm.domain.errors import FieldProblem, Forbidden, InvalidInput, NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import Windows
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Role
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts, Receipt


def sees_whole(caller: Caller) -> bool:
    """Whether budgets of users and of the installation are the caller's to see and set."""
    return caller.all_creators


async def list_budgets(parts: Parts, caller: Caller) -> tuple[Budget, ...]:
    """Budgets of the caller's creators and, for those who act for all, of users and of the whole
    installation. Raises Forbidden for chatters.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    async with parts.pool.connection() as connection:
        return await _list(parts, connection, caller)


async def set_budget(
    parts: Parts,
    caller: Caller,
    key: BudgetKey,
    ceiling: int | None,
    reason: str,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[tuple[Budget, ...]], str] | None = None,
) -> tuple[Budget, ...]:
    """Set a budget in tokens or millionths of a dollar, or take it away with None; in force from
    the next call on. A new one begins with what its day or month has used already.

    Returns the caller's budgets as they are then. Raises Forbidden, NotFound or InvalidInput.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN)
    reason = stated_reason(reason)
    if ceiling is not None and not 0 <= ceiling <= MOST:
        raise InvalidInput(FieldProblem("amount", "must not be negative, nor beyond all counting"))
    if key.scope is BudgetScope.CREATOR:
        require_creator(caller, key.subject)
    elif not sees_whole(caller):
        raise Forbidden("Only those who act for every creator may set this budget.")
    now = parts.now()
    windows = windows_at(now, parts.settings.agency_time_zone)
    async with parts.transaction() as connection:
        if not await budgets.subject_is_known(connection, key) or key.subject == SYSTEM_USER_ID:
            raise NotFound(key.scope.value)
        before = await budgets.lock_ceiling(connection, key)
        if ceiling is None:
            await budgets.clear_budget(connection, key)
        else:
            await budgets.set_budget(
                connection, key, ceiling, reason=reason, user_id=caller.user_id, now=now
            )
        await audit.record(
            connection,
            AuditEntry(
                creator_id=key.subject if key.scope is BudgetScope.CREATOR else NIL,
                actor_id=caller.user_id,
                action=AuditAction.BUDGET_CHANGED,
                subject_type="budget",
                subject_id=f"{key.kind}:{key.subject}" if key.subject != NIL else key.kind,
                at=now,
                details={"from": before, "to": ceiling, "unit": key.unit.value, "reason": reason},
            ),
        )
        # Counters come last, as in every transaction that locks something else too.
        if before is None and ceiling is not None:
            await budgets.count_from_usage(connection, key, windows.of(key.kind)[0])
        found = await _list(parts, connection, caller, windows)
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(found))
    return found


def counted(amount: str, unit: BudgetUnit) -> int:
    """An amount of a unit as it is counted; raises InvalidInput for one that cannot be."""
    factor = MICRO_USD if unit is BudgetUnit.USD else 1
    try:
        found = Decimal(amount) * factor
        if found != int(found) or found < 0:
            raise ValueError
    except (ArithmeticError, ValueError, OverflowError):
        told = "an amount in dollars, as 12.50" if unit is BudgetUnit.USD else "a number of tokens"
        raise InvalidInput(FieldProblem("amount", f"must be {told}")) from None
    return int(found)


async def _list(
    parts: Parts, connection: Connection, caller: Caller, windows: Windows | None = None
) -> tuple[Budget, ...]:
    sent = await budgets.list_budgets(
        connection,
        windows or windows_at(parts.now(), parts.settings.agency_time_zone),
        await visible_creators(connection, caller),
        whole=sees_whole(caller),
    )
    return await sent.answer()
