"""Signing in, with a password or a signed link, and out."""

from datetime import timedelta
from uuid import UUID

from vaultcrm.controls.auth import (
    SESSION_IDLE,
    SESSION_LIFETIME,
    hash_token,
    new_token,
    read_sign_in_token,
)
from vaultcrm.controls.auth.passwords import Tried, try_password
from vaultcrm.controls.auth.tries import FORGOTTEN_AFTER, subject_of, wait_after
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, passwords, people, sessions
from vaultcrm.db.queries.passwords import Kept
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import LimitExceeded, Unauthenticated
from vaultcrm.domain.ids import NIL
from vaultcrm.workflows.parts import Parts

WRONG = (
    "E-mail or password is wrong. Try again; if you have no password yet, or do not know it any "
    "more, sign in with a link."
)
GONE = "The user of this sign-in link may not sign in any more, or the link was ended."


async def sign_in_with_link(parts: Parts, token: str, *, replaces: str | None, device: str) -> str:
    """Open a session for the holder of a signed link and return its secret.

    `replaces` is the secret of the session that ends with it; `device` what the browser is called
    in the list of sessions. Raises Unauthenticated for a link that is wrong, too old, ended, or of
    somebody who may not sign in any more.
    """
    settings = parts.settings
    key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    link = read_sign_in_token(token, key)
    async with parts.transaction() as connection:
        if not await people.may_sign_in(connection, link.user_id, link_made_at=link.made_at):
            raise Unauthenticated(GONE)
        return await _open(parts, connection, link.user_id, "link", replaces, device)


async def sign_in_with_password(
    parts: Parts, email: str, password: str, *, replaces: str | None, device: str
) -> str:
    """Open a session for whoever knows the password and return its secret.

    Raises Unauthenticated, with the same words and after the same work whether the e-mail or the
    password is wrong, and LimitExceeded, for any e-mail, after too many wrong tries.
    """
    email = email.strip().lower()
    async with parts.pool.connection() as connection:
        kept = await passwords.of_email(connection, email)
    tried = await check_password(parts, email, kept, password)
    if kept is None or not tried.is_right:
        raise Unauthenticated(WRONG)
    async with parts.transaction() as connection:
        if not (
            await people.may_sign_in(connection, kept.user_id)
            and await passwords.is_still(connection, kept)
        ):
            raise Unauthenticated(WRONG)
        if tried.newer_hash is not None:
            await passwords.renew_hash(connection, kept.user_id, tried.newer_hash)
        return await _open(parts, connection, kept.user_id, "password", replaces, device)


async def check_password(parts: Parts, email: str, kept: Kept | None, password: str) -> Tried:
    """Try a password, counted as one of the few tries that an e-mail has.

    Raises LimitExceeded, and tries nothing, while one must wait.
    """
    now, subject = parts.now(), subject_of(email)
    wait = await _count_try(parts, subject)
    tried = await try_password(kept.hash if kept else None, password)
    async with parts.transaction() as connection:
        if tried.is_right:
            await passwords.forget_tries(connection, subject)
        elif wait is not None and kept is not None:
            details = {"wait_seconds": int(wait.total_seconds())}
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=NIL,
                    actor_id=None,
                    action=AuditAction.SIGN_IN_HELD,
                    subject_type="user",
                    subject_id=str(kept.user_id),
                    at=now,
                    details=details,
                ),
            )
    return tried


async def _count_try(parts: Parts, subject: bytes) -> timedelta | None:
    """Count a try and return the wait that follows if it is wrong; raises LimitExceeded."""
    now = parts.now()
    async with parts.transaction() as connection:
        await passwords.remove_old_tries(connection, now - 2 * FORGOTTEN_AFTER)
        tries = await passwords.count_try(
            connection, subject, now=now, forgotten=now - FORGOTTEN_AFTER
        )
        if tries is None:
            free_at = await passwords.free_at(connection, subject)
            raise _held((free_at or now) - now)
        wait = wait_after(tries)
        if wait is not None:
            await passwords.hold(connection, subject, now + wait)
        return wait


def _held(left: timedelta) -> LimitExceeded:
    seconds = max(1, round(left.total_seconds()))
    told = f"{seconds} seconds" if seconds < 100 else f"{-(-seconds // 60)} minutes"
    return LimitExceeded(
        "sign_in_tries",
        f"There were too many wrong tries for this e-mail. Wait {told} and try again, or sign in "
        "with a link at once.",
        seconds,
    )


async def _open(
    parts: Parts,
    connection: Connection,
    user_id: UUID,
    how: str,
    replaces: str | None,
    device: str,
) -> str:
    secret, now = new_token(), parts.now()
    await sessions.remove_ended(connection, now=now, idle_since=now - SESSION_IDLE)
    if replaces:
        await sessions.end(connection, hash_token(replaces))
    await sessions.add(
        connection,
        token_hash=hash_token(secret),
        user_id=user_id,
        device=device,
        now=now,
        expires_at=now + SESSION_LIFETIME,
    )
    await sessions.note_seen(connection, user_id, now)
    await audit.record(
        connection,
        AuditEntry(
            creator_id=NIL,
            actor_id=user_id,
            action=AuditAction.SIGNED_IN,
            subject_type="user",
            subject_id=str(user_id),
            at=now,
            details={"with": how},
        ),
    )
    return secret


async def sign_out(parts: Parts, token_hash: bytes) -> None:
    """End a session: its secret opens nothing any more."""
    async with parts.pool.connection() as connection:
        await sessions.end(connection, token_hash)
