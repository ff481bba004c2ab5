"""What people change about their own sign-in: the password, and where they are signed in."""

from uuid import UUID

from vaultcrm.controls.auth import hash_token, new_token
from vaultcrm.controls.auth.passwords import check_new_password, hash_password
from vaultcrm.db.queries import audit, passwords, people, sessions
from vaultcrm.db.queries.passwords import Kept
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound, Unauthenticated
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.sign_in_tries import check_password


async def change_password(
    parts: Parts, caller: Caller, session_id: UUID, *, current: str, new: str, again: str
) -> str:
    """Set one's password; ends one's other sessions and sign-in links, and renews one's own.

    Returns the secret of the renewed session: the one before is dead. `current` counts only where
    there is a password. Raises InvalidInput (fields `current`, `password`, `again`), LimitExceeded
    after too many wrong tries, and Conflict when the password was changed elsewhere meanwhile.
    """
    async with parts.pool.connection() as connection:
        found = await passwords.of_user(connection, caller.user_id)
    if found is None:
        raise Unauthenticated("This user may not sign in any more.")
    email, before = found
    check_new_password(new, email)
    if new != again:
        raise InvalidInput(FieldProblem("again", "not the same as the new password"))
    kept = Kept(caller.user_id, before)
    if before is not None and not (await check_password(parts, email, kept, current)).is_right:
        raise InvalidInput(FieldProblem("current", "not your password"))
    made, now = await hash_password(new), parts.now()
    async with parts.transaction() as connection:
        if before is None:
            unchanged = await passwords.put_first(connection, caller.user_id, made, now)
        else:
            unchanged = await passwords.replace(connection, kept, made, now)
        if not unchanged:
            raise Conflict("Your password was changed elsewhere in the meantime. Reload this page.")
        await people.end_links(connection, caller.user_id, now)
        secret = new_token()
        renewed = await sessions.rotate(connection, session_id, hash_token(secret))
        if renewed is None:
            raise Unauthenticated("This session has ended. Sign in again.")
        ended = await sessions.end_all(connection, caller.user_id, keep=renewed)
        await audit.record(
            connection,
            AuditEntry.about_user(
                AuditAction.PASSWORD_SET,
                caller.user_id,
                actor_id=caller.user_id,
                at=now,
                details={"sessions_ended": ended},
            ),
        )
    return secret


async def end_own_session(parts: Parts, caller: Caller, session_id: UUID) -> None:
    """Sign out of one browser; raises NotFound when it is none of one's own."""
    async with parts.transaction() as connection:
        if not await sessions.end_one(connection, caller.user_id, session_id):
            raise NotFound("session")
        await audit.record(connection, _ended(parts, caller, 1))


async def end_other_sessions(parts: Parts, caller: Caller, session_id: UUID) -> int:
    """Sign out of all browsers but this one; how many there were."""
    async with parts.transaction() as connection:
        ended = await sessions.end_all(connection, caller.user_id, keep=session_id)
        if ended:
            await audit.record(connection, _ended(parts, caller, ended))
    return ended


def _ended(parts: Parts, caller: Caller, number: int) -> AuditEntry:
    return AuditEntry.about_user(
        AuditAction.SESSIONS_ENDED,
        caller.user_id,
        actor_id=caller.user_id,
        at=parts.now(),
        details={"sessions_ended": number},
    )
