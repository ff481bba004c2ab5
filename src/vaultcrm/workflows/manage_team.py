"""What admins change about the people who may sign in.

`actor` is the admin who does it, and None for a command of the machine's own. There is always an
admin left who can sign in: nobody can take away their own rights or the last admin's, and two who
take away each other's come one after the other.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_role
from vaultcrm.controls.auth.passwords import check_new_password, hash_password
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import (
    access,
    audit,
    identities,
    passwords,
    people,
    second_factors,
    sessions,
)
from vaultcrm.db.queries.people import Standing
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Role, email_address
from vaultcrm.workflows.parts import Pool

LONGEST_NAME = 100


async def add_person(
    pool: Pool,
    actor: Caller | None,
    *,
    email: str,
    name: str,
    role: Role,
    all_creators: bool,
    creator_ids: Iterable[UUID],
    now: datetime,
) -> UUID:
    """Add somebody who may sign in and act for the given creators.

    Without a name they are called by what stands before the @. Raises Conflict when the address is
    taken, and InvalidInput.
    """
    _require_admin(actor)
    try:
        address = email_address(email)
    except ValueError as wrong:
        raise InvalidInput(FieldProblem("email", str(wrong))) from None
    name = " ".join(name.split()) or address.partition("@")[0]
    if len(name) > LONGEST_NAME:
        raise InvalidInput(FieldProblem("name", f"at most {LONGEST_NAME} characters"))
    _require_person(role)
    if all_creators:
        _require_all_creators(actor)
    wanted = _within(actor, creator_ids)
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.add_user(
            connection, email=address, name=name, role=role, all_creators=all_creators, now=now
        )
        if user_id is None:
            raise Conflict(f"There is a user with the address {address} already.")
        await people.assign_exactly(connection, user_id, wanted, now)
        details = {"role": role.value} | _creators_told(all_creators, wanted)
        await _record(connection, AuditAction.USER_ADDED, actor, user_id, now, details)
    return user_id


async def change_access(
    pool: Pool,
    actor: Caller | None,
    user_id: UUID,
    *,
    role: Role,
    all_creators: bool,
    creator_ids: Iterable[UUID],
    now: datetime,
) -> None:
    """Set what a person may do, and for whom. Another role ends their sessions.

    An admin for some creators gives and takes away only those. Raises NotFound, InvalidInput,
    Forbidden, and Conflict where it would leave no admin, or is an admin's own role.
    """
    _require_person(role)
    async with pool.connection() as connection, connection.transaction():
        admins, before = await _hold(connection, actor, user_id)
        if role is not before.role:
            if actor is not None and actor.user_id == user_id:
                raise Conflict("You cannot change your own role. Ask another admin to.")
            if before.is_admin and admins == {user_id}:
                raise Conflict(
                    "This is the only admin who can sign in. Make somebody else an admin first."
                )
        if all_creators and not before.all_creators:
            _require_all_creators(actor)
        assigned = await people.assigned(connection, user_id)
        wanted = _within(actor, creator_ids) | (assigned - _within(actor, assigned))
        if (role, all_creators, wanted) == (before.role, before.all_creators, assigned):
            return
        await people.set_standing(connection, user_id, role, all_creators)
        await people.assign_exactly(connection, user_id, wanted, now)
        details = {"role": role.value, "role_before": before.role.value} | _creators_told(
            all_creators, wanted
        )
        if role is not before.role:
            details["sessions_ended"] = await sessions.end_all(connection, user_id)
        await _record(connection, AuditAction.USER_CHANGED, actor, user_id, now, details)


async def disable(pool: Pool, actor: Caller | None, user_id: UUID, now: datetime) -> None:
    """Let a person sign in no more; ends their sessions and sign-in links, and stops their tokens.

    Raises NotFound, and Conflict for oneself and for the last admin.
    """
    async with pool.connection() as connection, connection.transaction():
        admins, before = await _hold(connection, actor, user_id)
        if actor is not None and actor.user_id == user_id:
            raise Conflict("You cannot disable yourself. Ask another admin to.")
        if before.is_disabled:
            return
        if before.is_admin and admins == {user_id}:
            raise Conflict(
                "This is the only admin who can sign in. Make somebody else an admin first."
            )
        await people.set_disabled(connection, user_id, now)
        await people.end_links(connection, user_id, now)
        ended = await sessions.end_all(connection, user_id)
        details = {"sessions_ended": ended}
        await _record(connection, AuditAction.USER_DISABLED, actor, user_id, now, details)


async def enable(pool: Pool, actor: Caller | None, user_id: UUID, now: datetime) -> None:
    """Let a person sign in again, with the role that they had; raises NotFound."""
    async with pool.connection() as connection, connection.transaction():
        _, before = await _hold(connection, actor, user_id)
        if not before.is_disabled:
            return
        await people.set_disabled(connection, user_id, None)
        await _record(connection, AuditAction.USER_ENABLED, actor, user_id, now)


async def end_access(pool: Pool, actor: Caller | None, user_id: UUID, now: datetime) -> int:
    """End a person's sessions and the sign-in links that were made so far; how many sessions.

    Raises NotFound, and Conflict for oneself: an admin without a password would be locked out.
    """
    _require_other(actor, user_id)
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, actor, user_id)
        await people.end_links(connection, user_id, now)
        ended = await sessions.end_all(connection, user_id)
        details = {"sessions_ended": ended}
        await _record(connection, AuditAction.SESSIONS_ENDED, actor, user_id, now, details)
    return ended


async def remove_password(pool: Pool, actor: Caller | None, user_id: UUID, now: datetime) -> None:
    """Take a forgotten password away: they sign in with a link and set another.

    Raises NotFound, and Conflict for oneself.
    """
    _require_other(actor, user_id)
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, actor, user_id)
        if await passwords.remove(connection, user_id):
            details = {"sessions_ended": await sessions.end_all(connection, user_id)}
            await _record(connection, AuditAction.PASSWORD_REMOVED, actor, user_id, now, details)


async def remove_second_factor(
    pool: Pool, actor: Caller | None, user_id: UUID, now: datetime
) -> None:
    """Take a lost second factor and its recovery codes away; ends sessions and sign-in links.

    Raises NotFound, and Conflict for oneself: one's own is given up with a code.
    """
    _require_other(actor, user_id)
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, actor, user_id)
        if await second_factors.remove(connection, user_id):
            await people.end_links(connection, user_id, now)
            details = {"sessions_ended": await sessions.end_all(connection, user_id)}
            await _record(
                connection, AuditAction.SECOND_FACTOR_REMOVED, actor, user_id, now, details
            )


async def remove_identity(pool: Pool, actor: Caller | None, user_id: UUID, now: datetime) -> None:
    """Untie a person from the OpenID Connect identity that they came with; raises NotFound.

    The next token with their verified e-mail ties them anew.
    """
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, actor, user_id)
        if await identities.unbind(connection, user_id):
            await _record(connection, AuditAction.IDENTITY_REMOVED, actor, user_id, now)


async def set_password(pool: Pool, email: str, password: str, now: datetime) -> None:
    """Set somebody's password from the machine itself; ends their sessions and sign-in links.

    Raises NotFound and InvalidInput.
    """
    check_new_password(password, email)
    user_id = await person_of(pool, email)
    made = await hash_password(password)
    async with pool.connection() as connection, connection.transaction():
        await passwords.put(connection, user_id, made, now)
        await people.end_links(connection, user_id, now)
        details = {"sessions_ended": await sessions.end_all(connection, user_id)}
        await _record(connection, AuditAction.PASSWORD_SET, None, user_id, now, details)


async def person_of(pool: Pool, email: str) -> UUID:
    """The id of whoever has an address, whether they may sign in or not; raises NotFound."""
    async with pool.connection() as connection:
        user_id = await people.id_of_email(connection, email)
    if user_id is None:
        raise NotFound("user")
    return user_id


async def note_link(pool: Pool, actor: Caller, user_id: UUID, now: datetime) -> None:
    """Write down that an admin made a sign-in link for somebody; raises NotFound and Conflict."""
    async with pool.connection() as connection, connection.transaction():
        _, standing = await _hold(connection, actor, user_id)
        if standing.is_disabled:
            raise Conflict("This user is disabled: a link would open nothing. Enable them first.")
        await _record(connection, AuditAction.LINK_MADE, actor, user_id, now)


def _require_admin(actor: Caller | None) -> None:
    if actor is not None:
        require_role(actor, Role.ADMIN)


def _require_other(actor: Caller | None, user_id: UUID) -> None:
    if actor is not None and actor.user_id == user_id:
        raise Conflict("Your own password and sessions are on your account page.")


def _require_all_creators(actor: Caller | None) -> None:
    if actor is not None and not actor.all_creators:
        raise Forbidden("Only an admin for every creator can let others act for every creator.")


def _within(actor: Caller | None, creator_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of the creators that the actor may see."""
    return frozenset(each for each in creator_ids if actor is None or actor.may_see(each))


def _require_person(role: Role) -> None:
    if role is Role.SERVICE:
        raise InvalidInput(FieldProblem("role", "chatter, manager or admin"))


async def _hold(
    connection: Connection, actor: Caller | None, user_id: UUID
) -> tuple[set[UUID], Standing]:
    """The admins, and the person's standing, held until the transaction ends."""
    _require_admin(actor)
    held = await people.lock_with_admins(connection, user_id)
    admins = {each for each, standing in held.items() if standing.is_admin}
    if actor is not None and actor.user_id not in admins:
        raise Forbidden("You are no admin any more. Nothing was changed.")
    if user_id not in held:
        raise NotFound("user")
    return admins, held[user_id]


def _creators_told(all_creators: bool, creator_ids: frozenset[UUID]) -> dict[str, Any]:
    return {"creators": "all" if all_creators else len(creator_ids)}


async def _record(
    connection: Connection,
    action: AuditAction,
    actor: Caller | None,
    user_id: UUID,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    await audit.record(
        connection,
        AuditEntry.about_user(
            action,
            user_id,
            actor_id=None if actor is None else actor.user_id,
            at=now,
            details=details,
        ),
    )
