"""Tries to sign in: counted before they are made, for the account and for where they come from.

A try that turns out right is taken back. What is refused is audited where there is an account that
it was about; who may guess at names would fill the log otherwise.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import addresses
from vaultcrm.controls.auth.addresses import subject_of_address
from vaultcrm.controls.auth.passwords import Tried, try_password
from vaultcrm.controls.auth.tries import FORGOTTEN_AFTER, subject_of, wait_after
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, tries
from vaultcrm.db.queries.passwords import Kept
from vaultcrm.db.queries.tries import TriesOf
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.ids import NIL
from vaultcrm.workflows.parts import Parts

_ADDRESS_SHOWN = 8
"""Bytes of an address's keyed hash that the audit log shows: enough to tell two apart."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser at the door. `replaces` is the secret of the session that a new one ends.

    `address` is None where it says nothing; `device` is what the list of sessions calls the
    browser, `agent` what it calls itself.
    """

    device: str
    replaces: str | None = None
    address: str | None = None
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """One that was counted, and the waits that follow if it was wrong."""

    subject: bytes
    at: datetime
    wait: timedelta | None
    address_subject: bytes | None
    address_wait: timedelta | None

    @property
    def from_address(self) -> dict[str, str]:
        """For an audit entry: tells addresses apart and tells none."""
        if self.address_subject is None:
            return {}
        return {"address_hash": self.address_subject[:_ADDRESS_SHOWN].hex()}


async def count_try(parts: Parts, subject: bytes, address: str | None, held: str) -> Try:
    """Count a try for an account and an address.

    Raises LimitExceeded, and counts nothing, while either must wait; `held` says for what there
    were too many of this account's.
    """
    now = parts.now()
    forgotten, long_ago = now - FORGOTTEN_AFTER, now - 2 * FORGOTTEN_AFTER
    place = None if address is None else subject_of_address(address, _key(parts))
    async with parts.transaction() as connection:
        await tries.remove_old(connection, TriesOf.ACCOUNT, long_ago)
        number = await tries.count_try(
            connection, TriesOf.ACCOUNT, subject, now=now, forgotten=forgotten
        )
        if number is None:
            free_at = await tries.free_at(connection, TriesOf.ACCOUNT, subject)
            raise _held("sign_in_tries", (free_at or now) - now, held)
        wait, place_wait = wait_after(number), None
        if wait is not None:
            await tries.hold(connection, TriesOf.ACCOUNT, subject, now + wait)
        if place is not None:
            place_wait = await _count_address(connection, place, now, forgotten, long_ago)
    return Try(subject, now, wait, place, place_wait)


async def _count_address(
    connection: Connection, place: bytes, now: datetime, forgotten: datetime, long_ago: datetime
) -> timedelta | None:
    await tries.remove_old(connection, TriesOf.ADDRESS, long_ago)
    number = await tries.count_try(connection, TriesOf.ADDRESS, place, now=now, forgotten=forgotten)
    if number is None:
        free_at = await tries.free_at(connection, TriesOf.ADDRESS, place)
        raise _held(
            "address_tries",
            (free_at or now) - now,
            "There were too many wrong tries from your network. Wait {} and try again.",
        )
    wait = addresses.wait_after(number)
    if wait is not None:
        await tries.hold(connection, TriesOf.ADDRESS, place, now + wait)
    return wait


def _held(limit: str, left: timedelta, told: str) -> LimitExceeded:
    seconds = max(1, round(left.total_seconds()))
    wait = f"{seconds} seconds" if seconds < 100 else f"{-(-seconds // 60)} minutes"
    return LimitExceeded(limit, told.format(wait), seconds)


async def was_right(connection: Connection, made: Try) -> None:
    """Forget the account's tries, and this one of the address."""
    await tries.forget(connection, TriesOf.ACCOUNT, made.subject)
    if made.address_subject is not None:
        await tries.take_back(connection, TriesOf.ADDRESS, made.address_subject)


async def was_wrong(
    connection: Connection, made: Try, user_id: UUID | None, factor: str, reason: str
) -> None:
    """Audit a refusal, and the wait that it brings for the account or the address."""
    if user_id is not None:
        details = {"with": factor, "reason": reason} | made.from_address
        await _record(connection, AuditAction.SIGN_IN_REFUSED, made.at, user_id, details)
        if made.wait is not None:
            held = {"wait_seconds": int(made.wait.total_seconds())}
            await _record(connection, AuditAction.SIGN_IN_HELD, made.at, user_id, held)
    if made.address_wait is not None:
        held = {"wait_seconds": int(made.address_wait.total_seconds())}
        await _record(connection, AuditAction.SIGN_IN_HELD, made.at, None, held | made.from_address)


async def note_refused(
    parts: Parts, user_id: UUID, factor: str, reason: str, address: str | None
) -> None:
    """Audit a refusal that is no wrong try: a link that was used or ended."""
    now = parts.now()
    place = None if address is None else subject_of_address(address, _key(parts))
    details = {"with": factor, "reason": reason}
    details |= Try(b"", now, None, place, None).from_address
    async with parts.transaction() as connection:
        await _record(connection, AuditAction.SIGN_IN_REFUSED, now, user_id, details)


async def check_password(
    parts: Parts, email: str, kept: Kept | None, password: str, address: str | None = None
) -> Tried:
    """Try a password, counted as one of the few tries that an e-mail has.

    Raises LimitExceeded, and tries nothing, while one must wait.
    """
    held = (
        "There were too many wrong tries for this e-mail. Wait {} and try again, or sign in with "
        "a link at once."
    )
    made = await count_try(parts, subject_of(email), address, held)
    tried = await try_password(kept.hash if kept else None, password)
    async with parts.transaction() as connection:
        if tried.is_right:
            await was_right(connection, made)
        else:
            await was_wrong(
                connection, made, kept.user_id if kept else None, "password", "wrong_password"
            )
    return tried


def _key(parts: Parts) -> bytes:
    return installation_key(parts.settings.vaultcrm_home, parts.settings.vaultcrm_secret_key)


async def _record(
    connection: Connection,
    action: AuditAction,
    at: datetime,
    user_id: UUID | None,
    details: dict[str, Any],
) -> None:
    await audit.record(
        connection,
        AuditEntry(
            creator_id=NIL,
            actor_id=None,
            action=action,
            subject_type="address" if user_id is None else "user",
            subject_id=details["address_hash"] if user_id is None else str(user_id),
            at=at,
            details=details,
        ),
    )
