"""Add a creator for somebody, who may act for them from then on."""

from datetime import datetime

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators
from vaultcrm.db.row_scope import put_scope_of_transaction, see_also
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.people import Caller, Creator, Role


async def add_creator(
    connection: Connection,
    caller: Caller,
    *,
    handle: str,
    display_name: str,
    language: str,
    region: str,
    now: datetime,
) -> Creator | None:
    """Add a creator in the caller's transaction; None when the handle is taken.

    Whoever may see only some creators may see this one too. Raises Forbidden for a chatter.
    """
    require_role(caller, Role.ADMIN, Role.MANAGER, Role.SERVICE)
    creator = await creators.add_creator(
        connection,
        handle=handle,
        display_name=display_name,
        language=language,
        region=region,
        now=now,
    )
    if creator is None:
        return None
    if not caller.all_creators:
        await access.assign(connection, caller.user_id, creator.id, now)
        await put_scope_of_transaction(connection, see_also(creator.id))
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator.id,
            actor_id=caller.user_id,
            action=AuditAction.CREATOR_ADDED,
            subject_type="creator",
            subject_id=str(creator.id),
            at=now,
            details={"handle": handle},
        ),
    )
    return creator
