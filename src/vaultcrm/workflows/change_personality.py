"""Read a creator's voice and its versions, and save the next version of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, creators, personalities
from vaultcrm.db.queries.personalities import SavedVersion
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.personality import Personality
from vaultcrm.pipeline.personality import personality_or_default, revise
from vaultcrm.pipeline.personality.differences import FIELDS
from vaultcrm.workflows.parts import Parts, Receipt

SOMEBODY_WAS_FIRST = (
    "Somebody saved another version at the same moment. Read it and apply your change anew."
)


@dataclass(frozen=True, slots=True)
class History:
    """Versions of a creator's voice. `current` is in force, with version 0 while nobody has made
    one; `versions` are the newest first, and `more` says that there are earlier ones.
    """

    current: Personality
    versions: tuple[SavedVersion, ...]
    more: bool


async def read_personality(parts: Parts, caller: Caller, creator_id: UUID) -> Personality:
    """The voice in force, which is the default while nobody has made one; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            creator_sent = await creators.get_creator(connection, creator_id)
            stored_sent = await personalities.current(connection, creator_id)
        if await creator_sent.answer() is None:
            raise NotFound("creator")
        return personality_or_default(await stored_sent.answer(), creator_id)


async def read_version(
    parts: Parts, caller: Caller, creator_id: UUID, version: int
) -> SavedVersion:
    """One saved version; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        sent = await personalities.saved_version(connection, creator_id, version)
        found = await sent.answer()
    if found is None:
        raise NotFound("version")
    return found


async def read_history(
    parts: Parts, caller: Caller, creator_id: UUID, *, before: int | None, limit: int
) -> History:
    """The voice in force and up to `limit` of its versions; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            creator_sent = await creators.get_creator(connection, creator_id)
            stored_sent = await personalities.current(connection, creator_id)
            versions_sent = await personalities.versions(
                connection, creator_id, before=before, limit=limit + 1
            )
        if await creator_sent.answer() is None:
            raise NotFound("creator")
        found = await versions_sent.answer()
        current = personality_or_default(await stored_sent.answer(), creator_id)
    return History(current, found[:limit], len(found) > limit)


async def change_personality(
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    changes: Mapping[str, Any],
    *,
    based_on: int | None = None,
    receipt: Receipt | None = None,
    encode: Callable[[Personality], str] | None = None,
    with_it: Callable[[Connection, Personality], Awaitable[None]] | None = None,
) -> Personality:
    """Save the next version with some fields changed.

    `based_on` is the version that was read before the change was made. `with_it` is done in the
    same transaction, and undoes all of it by raising. Raises Forbidden for a
    chatter, NotFound, InvalidInput naming each field at fault, or Conflict when another version
    than that is in force, or somebody saved one at the same moment.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    current = await read_personality(parts, caller, creator_id)
    if based_on is not None and based_on != current.version:
        raise Conflict(SOMEBODY_WAS_FIRST)
    revised = revise(current, changes)
    details = {"fields": sorted(changes)}
    return await _save(
        parts, caller, revised, details, receipt=receipt, encode=encode, with_it=with_it
    )


async def roll_back_personality(
    parts: Parts, caller: Caller, creator_id: UUID, version: int, *, based_on: int
) -> Personality:
    """Save a new version that is equal to an older one; `based_on` is the one that it replaces.

    Nothing is lost: the version that is left can be gone back to in the same way. Raises Forbidden
    for a chatter, NotFound, or Conflict when another version than `based_on` is in force.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    older = (await read_version(parts, caller, creator_id, version)).voice
    current = await read_personality(parts, caller, creator_id)
    if based_on != current.version:
        raise Conflict(SOMEBODY_WAS_FIRST)
    revised = revise(current, {name: getattr(older, name) for name in FIELDS})
    return await _save(parts, caller, revised, {"equal_to": f"version {version}"})


async def _save(
    parts: Parts,
    caller: Caller,
    revised: Personality,
    details: Mapping[str, Any],
    *,
    receipt: Receipt | None = None,
    encode: Callable[[Personality], str] | None = None,
    with_it: Callable[[Connection, Personality], Awaitable[None]] | None = None,
) -> Personality:
    """The version and what the audit log keeps of it, together."""
    now = parts.now()
    async with parts.transaction() as connection:
        saved = await personalities.add_version(connection, revised, caller.user_id, now)
        if saved:
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=revised.creator_id,
                    actor_id=caller.user_id,
                    action=AuditAction.PERSONALITY_CHANGED,
                    subject_type="personality",
                    subject_id=f"version {revised.version}",
                    at=now,
                    details=dict(details),
                ),
            )
            if receipt is not None and encode is not None:
                await receipt.store(connection, encode(revised))
            if with_it is not None:
                await with_it(connection, revised)
    if not saved:
        raise Conflict(SOMEBODY_WAS_FIRST)
    return revised
