"""Signing in: with a password or a signed link, then with a second factor where there is one.

A link works once. Whoever clicks it twice, from the same browser and network within minutes, is let
in again: the first answer may not have arrived.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from vaultcrm.controls.auth import (
    SESSION_IDLE,
    SESSION_LIFETIME,
    FirstFactor,
    FirstStep,
    SignInLink,
    hash_token,
    new_token,
    read_second_step_token,
    read_sign_in_token,
    second_step_token,
)
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, links, passwords, people, second_factors, sessions
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import LinkUsed, Unauthenticated
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.second_factor import check_code
from vaultcrm.workflows.sign_in_tries import Visitor, check_password, note_refused

SECOND_CLICK = timedelta(minutes=5)
"""A used link lets the same browser in again for so long."""

WRONG = (
    "E-mail or password is wrong. Try again; if you have no password yet, or do not know it any "
    "more, sign in with a link."
)
GONE = "The user of this sign-in link may not sign in any more, or the link was ended."
USED = (
    "This sign-in link was used already: a link works once. If that was you, go on in the browser "
    "in which you opened it. Otherwise ask for a new one: vaultcrm user link EMAIL"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session was opened; `secret` goes into the browser's cookie."""

    secret: str


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The first factor was right, and the second is asked for; `token` lets one go on to it."""

    token: str


async def sign_in_with_link(parts: Parts, token: str, visitor: Visitor) -> Opened | SecondStep:
    """Let the holder of a signed link in.

    Raises Unauthenticated for a link that is wrong, too old, ended, or of somebody who may not sign
    in any more, and LinkUsed for one that was used.
    """
    link = read_sign_in_token(token, _key(parts))
    step = FirstStep(link.user_id, "link", parts.now(), link)
    try:
        async with parts.transaction() as connection:
            await _require_good(parts, connection, step)
            if await second_factors.is_in_force(connection, link.user_id):
                await _require_unused(parts, connection, link, visitor)
                return SecondStep(second_step_token(step, _key(parts)))
            return await _open(parts, connection, step, visitor, has_factor=False)
    except LinkUsed:
        await note_refused(parts, link.user_id, "link", "used", visitor.address)
        raise


async def sign_in_with_password(
    parts: Parts, email: str, password: str, visitor: Visitor
) -> Opened | SecondStep:
    """Let whoever knows the password in.

    Raises Unauthenticated, with the same words and after the same work whether the e-mail or the
    password is wrong, and LimitExceeded, for any e-mail, after too many wrong tries.
    """
    email = email.strip().lower()
    async with parts.pool.connection() as connection:
        kept = await passwords.of_email(connection, email)
    tried = await check_password(parts, email, kept, password, visitor.address)
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
        step = FirstStep(kept.user_id, "password", parts.now())
        if await second_factors.is_in_force(connection, kept.user_id):
            return SecondStep(second_step_token(step, _key(parts)))
        return await _open(parts, connection, step, visitor, has_factor=False)


async def sign_in_with_code(parts: Parts, token: str, code: str, visitor: Visitor) -> Opened:
    """Let whoever has shown the first factor in with the second: a code, or a recovery code.

    Raises Unauthenticated when the first step is too long ago or was ended since, InvalidInput
    (field `code`), LimitExceeded and LinkUsed.
    """
    step = read_second_step_token(token, _key(parts))
    async with parts.transaction() as connection:
        await _require_good(parts, connection, step)
    shown = await check_code(parts, step.user_id, code, visitor.address)
    async with parts.transaction() as connection:
        await _require_good(parts, connection, step)
        return await _open(parts, connection, step, visitor, has_factor=True, second=shown)


async def _require_good(parts: Parts, connection: Connection, step: FirstStep) -> None:
    """Whatever ends links ends also what was begun before: another password, being disabled."""
    made_at = step.made_at if step.link is None else step.link.made_at
    if not await people.may_sign_in(connection, step.user_id, link_made_at=made_at):
        raise Unauthenticated(GONE)


async def _require_unused(
    parts: Parts, connection: Connection, link: SignInLink, visitor: Visitor
) -> None:
    """Raises LinkUsed for a link that has opened a session for somebody else, or long ago."""
    used = await links.link_use(connection, link.nonce)
    if used is not None:
        _require_second_click(parts, link, used, visitor)


def _require_second_click(
    parts: Parts, link: SignInLink, used: links.LinkUse, visitor: Visitor
) -> None:
    is_same = hmac.compare_digest(used.used_from, _where(parts, visitor))
    is_soon = parts.now() - used.used_at <= SECOND_CLICK
    if not (link.repeats or (is_same and is_soon)):
        raise LinkUsed(USED, link.user_id)


async def _use(parts: Parts, connection: Connection, link: SignInLink, visitor: Visitor) -> None:
    used = await links.use_link(
        connection,
        link.nonce,
        link.user_id,
        used_from=_where(parts, visitor),
        now=parts.now(),
        expires_at=link.good_until,
    )
    if used is not None:
        _require_second_click(parts, link, used, visitor)


def _where(parts: Parts, visitor: Visitor) -> bytes:
    """Tells one browser on one network from others, with the installation's key."""
    said = f"{visitor.address}\n{visitor.agent}".encode("utf-8", "replace")
    return hmac.new(_key(parts), b"visitor:" + said, hashlib.sha256).digest()


async def _open(
    parts: Parts,
    connection: Connection,
    step: FirstStep,
    visitor: Visitor,
    *,
    has_factor: bool,
    second: str | None = None,
) -> Opened:
    """A new session; what it replaces is dead. A link is used up with it."""
    secret, now = new_token(), parts.now()
    if step.link is not None:
        await _use(parts, connection, step.link, visitor)
    await sessions.remove_ended(connection, now=now, idle_since=now - SESSION_IDLE)
    if visitor.replaces:
        await sessions.end(connection, hash_token(visitor.replaces))
    await sessions.add(
        connection,
        token_hash=hash_token(secret),
        user_id=step.user_id,
        device=visitor.device,
        now=now,
        expires_at=now + SESSION_LIFETIME,
        second_factor=has_factor,
    )
    await sessions.note_seen(connection, step.user_id, now)
    await audit.record(connection, _signed_in(parts, step.user_id, step.factor, second))
    return Opened(secret)


def _signed_in(parts: Parts, user_id: UUID, first: FirstFactor, second: str | None) -> AuditEntry:
    details = {"with": first} | ({"second": second} if second else {})
    return AuditEntry.about_user(
        AuditAction.SIGNED_IN, user_id, actor_id=user_id, at=parts.now(), details=details
    )


def _key(parts: Parts) -> bytes:
    return installation_key(parts.settings.vaultcrm_home, parts.settings.vaultcrm_secret_key)


async def sign_out(parts: Parts, token_hash: bytes) -> None:
    """End a session: its secret opens nothing any more."""
    async with parts.pool.connection() as connection:
        await sessions.end(connection, token_hash)
