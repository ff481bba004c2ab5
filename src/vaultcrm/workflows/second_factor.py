"""A person's second factor: set up, tried, taken away; and the codes for when it is lost."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from vaultcrm.controls.auth import hash_token, new_token, tries
from vaultcrm.controls.auth.totp import (
    DIGITS,
    app_address,
    hash_recovery_code,
    key_text,
    matching_step,
    new_recovery_codes,
    new_secret,
)
from vaultcrm.controls.secrets import Sealer, installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, passwords, second_factors, sessions
from vaultcrm.db.queries.second_factors import Factor
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import (
    Conflict,
    FieldProblem,
    InvalidInput,
    SecretUnreadable,
    Unauthenticated,
)
from vaultcrm.domain.people import Caller
from vaultcrm.settings import Settings
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.sign_in_tries import count_try, was_right, was_wrong

HELD = "There were too many wrong codes. Wait {} and try again."
NOT_THE_CODE = (
    "That is not the code. Type the one that the app shows now; each is good once. If your phone "
    "is gone, type a recovery code."
)

Shown = Literal["code", "recovery_code"]


@dataclass(frozen=True, slots=True)
class BeingSetUp:
    """A factor that waits for its first code: what an app reads, and the same to type."""

    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """Recovery codes, shown once, and the secret of the session that has replaced one's own."""

    recovery_codes: tuple[str, ...]
    session: str


def is_required(settings: Settings, caller: Caller) -> bool:
    """Whether people of this role get nowhere without a second factor."""
    return caller.role.value in settings.require_second_factor


async def factor_of(parts: Parts, user_id: UUID) -> Factor | None:
    async with parts.pool.connection() as connection:
        return await (await second_factors.of_user(connection, user_id)).answer()


async def begin(parts: Parts, caller: Caller) -> None:
    """Make a secret for an app; one that was being set up before is forgotten.

    Raises Conflict when one is in force.
    """
    sealed = _sealer(parts).seal(new_secret())
    async with parts.transaction() as connection:
        if not await second_factors.begin(connection, caller.user_id, sealed, parts.now()):
            raise Conflict("You have a second factor already. Take it away first.")


async def being_set_up(parts: Parts, caller: Caller, factor: Factor) -> BeingSetUp:
    """What an app needs to know; raises SecretUnreadable."""
    secret = _opened(parts, factor)
    async with parts.pool.connection() as connection:
        found = await passwords.of_user(connection, caller.user_id)
    if found is None:
        raise Unauthenticated("This user may not sign in any more.")
    return BeingSetUp(app_address(secret, found[0]), key_text(secret))


async def confirm(parts: Parts, caller: Caller, session_id: UUID, code: str) -> Renewed:
    """Put the factor in force that is being set up, as the app shows the right code.

    Ends one's other sessions and renews one's own. Raises InvalidInput (field `code`),
    LimitExceeded, and Conflict when nothing is being set up.
    """
    factor, now = await factor_of(parts, caller.user_id), parts.now()
    if factor is None or factor.confirmed_at is not None:
        raise Conflict("Nothing is being set up. Reload this page.")
    made = await count_try(parts, _subject(caller.user_id), None, HELD)
    step = matching_step(_opened(parts, factor), code, now, after=None)
    codes = new_recovery_codes()
    async with parts.transaction() as connection:
        if step is None:
            await was_wrong(connection, made, None, "code", "wrong_code")
        else:
            await was_right(connection, made)
            if not await second_factors.confirm(
                connection, caller.user_id, factor.secret, step, now
            ):
                raise Conflict("This was begun anew elsewhere. Reload this page.")
            await _keep_codes(parts, connection, caller.user_id, codes)
            secret = await _renew_session(connection, session_id, has_factor=True)
            ended = await sessions.end_all(connection, caller.user_id, keep=secret[1])
            await _record(
                connection,
                AuditAction.SECOND_FACTOR_ADDED,
                caller.user_id,
                caller.user_id,
                now,
                {"sessions_ended": ended},
            )
            return Renewed(codes, secret[0])
    raise InvalidInput(FieldProblem("code", "not the code that the app shows now"))


async def renew_recovery_codes(
    parts: Parts, caller: Caller, session_id: UUID, code: str
) -> Renewed:
    """Make other recovery codes, shown once; those before are dead. A code is asked for.

    Raises InvalidInput (field `code`), LimitExceeded and Conflict.
    """
    codes, now = new_recovery_codes(), parts.now()
    await check_code(parts, caller.user_id, code, None)
    async with parts.transaction() as connection:
        await _keep_codes(parts, connection, caller.user_id, codes)
        secret, _ = await _renew_session(connection, session_id, has_factor=True)
        await _record(
            connection, AuditAction.RECOVERY_CODES_MADE, caller.user_id, caller.user_id, now
        )
    return Renewed(codes, secret)


async def give_up(parts: Parts, caller: Caller, session_id: UUID, code: str) -> str:
    """Take one's own second factor away, for which a code is asked; the renewed session's secret.

    Raises InvalidInput (field `code`), LimitExceeded, and Conflict where one's role needs it.
    """
    if is_required(parts.settings, caller):
        raise Conflict("Your role needs a second factor here. You can set up another phone only.")
    await check_code(parts, caller.user_id, code, None)
    async with parts.transaction() as connection:
        await second_factors.remove(connection, caller.user_id)
        secret, _ = await _renew_session(connection, session_id, has_factor=False)
        await _record(
            connection,
            AuditAction.SECOND_FACTOR_REMOVED,
            caller.user_id,
            caller.user_id,
            parts.now(),
        )
    return secret


async def check_code(parts: Parts, user_id: UUID, code: str, address: str | None) -> Shown:
    """Take a code of the app or a recovery code, once; says which it was.

    Raises InvalidInput (field `code`) for a wrong one, LimitExceeded while one must wait, Conflict
    where there is no second factor, and SecretUnreadable.
    """
    factor = await factor_of(parts, user_id)
    if factor is None or factor.confirmed_at is None:
        raise Conflict("There is no second factor any more. Sign in again.")
    made = await count_try(parts, _subject(user_id), address, HELD)
    async with parts.transaction() as connection:
        shown = await _taken(parts, connection, user_id, factor, code)
        if shown is not None:
            await was_right(connection, made)
            return shown
        await was_wrong(connection, made, user_id, "code", "wrong_code")
    raise InvalidInput(FieldProblem("code", NOT_THE_CODE))


async def _taken(
    parts: Parts, connection: Connection, user_id: UUID, factor: Factor, code: str
) -> Shown | None:
    if len("".join(code.split())) > DIGITS:
        code_hash = hash_recovery_code(code, _key(parts))
        taken = await second_factors.take_recovery_code(connection, user_id, code_hash, parts.now())
        return "recovery_code" if taken else None
    secret = _opened(parts, factor)
    step = matching_step(secret, code, parts.now(), after=factor.last_step)
    if step is None:
        return None
    taken = await second_factors.take_step(connection, user_id, factor.secret, step)
    return "code" if taken else None


async def _keep_codes(
    parts: Parts, connection: Connection, user_id: UUID, codes: tuple[str, ...]
) -> None:
    key = _key(parts)
    hashes = [hash_recovery_code(code, key) for code in codes]
    await second_factors.replace_recovery_codes(connection, user_id, hashes)


async def _renew_session(
    connection: Connection, session_id: UUID, *, has_factor: bool
) -> tuple[str, UUID]:
    secret = new_token()
    new_id = await sessions.rotate(
        connection, session_id, hash_token(secret), second_factor=has_factor
    )
    if new_id is None:
        raise Unauthenticated("This session has ended. Sign in again.")
    return secret, new_id


def _opened(parts: Parts, factor: Factor) -> bytes:
    try:
        return _sealer(parts).open(factor.secret)
    except SecretUnreadable:
        raise SecretUnreadable(
            "Second factors cannot be read with this installation's key. Give every machine the "
            "same VAULTCRM_SECRET_KEY, or have an admin take the second factor away."
        ) from None


def _subject(user_id: UUID) -> bytes:
    return tries.subject_of(f"code:{user_id}")


def _key(parts: Parts) -> bytes:
    return installation_key(parts.settings.vaultcrm_home, parts.settings.vaultcrm_secret_key)


def _sealer(parts: Parts) -> Sealer:
    return Sealer(_key(parts))


async def _record(
    connection: Connection,
    action: AuditAction,
    actor_id: UUID,
    user_id: UUID,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> None:
    await audit.record(
        connection,
        AuditEntry.about_user(action, user_id, actor_id=actor_id, at=now, details=details),
    )
