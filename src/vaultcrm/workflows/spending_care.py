"""Spending care: what fans pay is noted, caps stop offers, managers cool off and lift.

Of two offers at once that would pass a cap together, one is refused: the fan's row is locked and
what counts is read behind the lock, in the transaction that puts the offer on its way.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.pending import Connection, Pending
from vaultcrm.db.queries import audit, console, fans, fans_at_risk, flags, spending
from vaultcrm.domain.audit import AuditAction, AuditEntry, stated_reason
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.spending import FanAtRisk, OfferHold, PaymentKind, Spending
from vaultcrm.pipeline.approval.spending import hold_on_offers, week_cap
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

LONGEST_HOURS = 720
_CAP_REACHED = "reached the cap of a week"


@dataclass(frozen=True, slots=True)
class OfferCheck:
    """What was asked behind the lock on a fan, and is answered when the caller waits for it."""

    parts: Parts
    overrides: Pending[tuple[dict[str, object], dict[str, object]]]
    spending: Pending[Spending | None]
    now: datetime

    async def require_free(self, field: str) -> None:
        """Raise InvalidInput, naming `field`, when no offer may go to the fan now."""
        in_force = effective_flags(self.parts.settings, Overrides(*await self.overrides.answer()))
        found = await self.spending.answer()
        hold = None if found is None else hold_on_offers(found, in_force, self.now)
        if hold is not None:
            raise InvalidInput(FieldProblem(field, f"{hold.reason}. Without a price it can go"))


async def begin_offer(
    parts: Parts, connection: Connection, creator_id: UUID, fan_id: UUID, now: datetime
) -> OfferCheck:
    """Lock a fan and ask what counts for their caps; in a pipeline this waits for nothing.

    The lock comes before any on the fan's conversation, as it does where their messages come in.
    """
    await spending.lock(connection, creator_id, fan_id)
    return OfferCheck(
        parts,
        await flags.send_overrides(connection, creator_id),
        await spending.of_fan(connection, creator_id, fan_id, now),
        now,
    )


async def note_payment(
    parts: Parts,
    connection: Connection,
    *,
    creator_id: UUID,
    fan_id: UUID,
    payment_id: UUID,
    kind: PaymentKind,
    amount: Money,
    paid_at: datetime,
) -> None:
    """Keep what a fan paid, in the caller's transaction, which has the fan's row locked.

    A payment that leaves the week at or over the cap starts the cooling off, or starts it anew.
    """
    if not amount.minor:
        return
    now = parts.now()
    await spending.pay(
        connection,
        creator_id=creator_id,
        payment_id=payment_id,
        fan_id=fan_id,
        kind=kind,
        amount=amount,
        paid_at=min(paid_at, now),
    )
    found = await (await spending.of_fan(connection, creator_id, fan_id, now)).answer()
    in_force = await _flags(parts, connection, creator_id)
    cap = None if found is None else week_cap(in_force, found.currency)
    if found is None or cap is None or found.week.minor < cap.minor:
        return
    until = now + timedelta(hours=in_force.cooling_off_hours)
    await spending.cool_off(
        connection, creator_id, fan_id, until=until, reason=_CAP_REACHED, user_id=None, now=now
    )
    if found.cooling_off_until is None or found.cooling_off_until <= now:
        await _record(
            connection,
            None,
            creator_id,
            fan_id,
            AuditAction.COOLING_OFF_STARTED,
            now,
            until=until.isoformat(),
            reason=_CAP_REACHED,
        )


async def _flags(parts: Parts, connection: Connection, creator_id: UUID) -> Flags:
    return effective_flags(
        parts.settings, Overrides(*await flags.overrides(connection, creator_id))
    )


@dataclass(frozen=True, slots=True)
class FanCaps:
    """What counts for a fan's caps, the flags in force for their creator, and what they come to."""

    spending: Spending
    flags: Flags
    hold: OfferHold | None

    @property
    def cap(self) -> Money | None:
        return week_cap(self.flags, self.spending.currency)


async def read_caps(parts: Parts, caller: Caller, creator_id: UUID, fan_id: UUID) -> FanCaps:
    """How a fan stands to their caps now; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        return await _caps(parts, connection, creator_id, fan_id)


async def list_at_risk(
    parts: Parts, caller: Caller, creator_id: UUID | None, *, limit: int, offset: int
) -> tuple[FanAtRisk, ...]:
    """Fans of one creator, or of all the caller's, whose spending somebody should look at.

    Those nearest their cap come first. Raises NotFound, or Forbidden for a chatter.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    if creator_id is not None:
        require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        wanted = [one for one in creator_ids if creator_id in {None, one}]
        overrides = await (await console.overrides(connection, wanted)).answer()
        installation = overrides.get(NIL, {})
        in_force = {
            one: effective_flags(parts.settings, Overrides(installation, overrides.get(one, {})))
            for one in wanted
        }
        sent = await fans_at_risk.at_risk(
            connection, in_force, parts.now(), limit=limit, offset=offset
        )
        return await sent.answer()


async def _caps(parts: Parts, connection: Connection, creator_id: UUID, fan_id: UUID) -> FanCaps:
    now = parts.now()
    async with connection.pipeline():
        overrides_sent = await flags.send_overrides(connection, creator_id)
        spending_sent = await spending.of_fan(connection, creator_id, fan_id, now)
    found = await spending_sent.answer()
    if found is None:
        raise NotFound("fan")
    in_force = effective_flags(parts.settings, Overrides(*await overrides_sent.answer()))
    return FanCaps(found, in_force, hold_on_offers(found, in_force, now))


async def start_cooling_off(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    *,
    hours: int | None,
    reason: str,
) -> FanCaps:
    """Send a fan no offers for so many hours, None for as many as the flag says; what was lifted
    for them is over. Runs in the caller's transaction.

    Raises NotFound, Forbidden for a chatter, or InvalidInput.
    """
    await _require(connection, caller, creator_id, fan_id, reason, hours)
    now = parts.now()
    if hours is None:
        hours = (await _flags(parts, connection, creator_id)).cooling_off_hours
    until = now + timedelta(hours=hours)
    await spending.cool_off(
        connection,
        creator_id,
        fan_id,
        until=until,
        reason=reason,
        user_id=caller.user_id,
        now=now,
    )
    action = AuditAction.COOLING_OFF_STARTED
    told = {"until": until.isoformat(), "reason": reason}
    await _record(connection, caller, creator_id, fan_id, action, now, **told)
    return await _caps(parts, connection, creator_id, fan_id)


async def end_cooling_off(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    *,
    reason: str,
) -> FanCaps:
    """Let a fan cool off no longer. The caps go on holding: see `lift_caps`. In the caller's
    transaction.

    Raises NotFound, Forbidden for a chatter, InvalidInput, or Conflict when the fan does not cool
    off (any more).
    """
    await _require(connection, caller, creator_id, fan_id, reason)
    now = parts.now()
    ended = await spending.end_cooling_off(
        connection, creator_id, fan_id, reason=reason, user_id=caller.user_id, now=now
    )
    if not ended:
        raise Conflict("This fan is not cooling off (any more). Nothing was changed.")
    action = AuditAction.COOLING_OFF_ENDED
    await _record(connection, caller, creator_id, fan_id, action, now, reason=reason)
    return await _caps(parts, connection, creator_id, fan_id)


async def lift_caps(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    *,
    hours: int | None,
    reason: str,
) -> FanCaps:
    """Let no cap and no cooling off hold for a fan for so many hours; None lets them hold again.
    In the caller's transaction.

    Raises NotFound, Forbidden for a chatter, or InvalidInput.
    """
    await _require(connection, caller, creator_id, fan_id, reason, hours)
    now = parts.now()
    until = None if hours is None else now + timedelta(hours=hours)
    await spending.lift(
        connection, creator_id, fan_id, until=until, reason=reason, user_id=caller.user_id, now=now
    )
    action = AuditAction.CAPS_RESTORED if until is None else AuditAction.CAPS_LIFTED
    told = {"until": None if until is None else until.isoformat(), "reason": reason}
    await _record(connection, caller, creator_id, fan_id, action, now, **told)
    return await _caps(parts, connection, creator_id, fan_id)


async def _require(
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    reason: str,
    hours: int | None = None,
) -> None:
    """A manager, a fan of theirs, a reason, and hours that make sense; the fan is locked."""
    require_creator(caller, creator_id)
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    stated_reason(reason)
    if hours is not None and not 1 <= hours <= LONGEST_HOURS:
        raise InvalidInput(FieldProblem("hours", f"between 1 and {LONGEST_HOURS}"))
    if not await (await fans.get_fan(connection, [creator_id], fan_id)).answer():
        raise NotFound("fan")
    await spending.lock(connection, creator_id, fan_id)


async def _record(
    connection: Connection,
    caller: Caller | None,
    creator_id: UUID,
    fan_id: UUID,
    action: AuditAction,
    now: datetime,
    **details: str | None,
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=None if caller is None else caller.user_id,
            action=action,
            subject_type="fan",
            subject_id=str(fan_id),
            at=now,
            details=details,
        ),
    )
