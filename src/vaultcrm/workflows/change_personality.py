"""Read a creator's voice, and save the next version of it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.queries import audit, creators, personalities
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.domain.personality import Personality
from vaultcrm.pipeline.personality import personality_or_default, revise
from vaultcrm.workflows.parts import Parts, Receipt


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


async def change_personality(
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    changes: Mapping[str, Any],
    *,
    receipt: Receipt | None = None,
    encode: Callable[[Personality], str] | None = None,
) -> Personality:
    """Save the next version with some fields changed.

    Raises Forbidden for a chatter, NotFound, InvalidInput naming each field at fault, or Conflict
    when somebody saved another version at the same moment.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    current = await read_personality(parts, caller, creator_id)
    revised = revise(current, changes)
    now = parts.now()
    async with parts.transaction() as connection:
        saved = await personalities.add_version(connection, revised, caller.user_id, now)
        if saved:
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=creator_id,
                    actor_id=caller.user_id,
                    action=AuditAction.PERSONALITY_CHANGED,
                    subject_type="personality",
                    subject_id=f"version {revised.version}",
                    at=now,
                    details={"fields": sorted(changes)},
                ),
            )
            if receipt is not None and encode is not None:
                await receipt.store(connection, encode(revised))
    if not saved:
        raise Conflict(
            "Somebody saved another version at the same moment. Read it and apply your change anew."
        )
    return revised
