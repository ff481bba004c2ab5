"""Users, their tokens and their sign-in links."""

from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from vaultcrm.controls.auth import hash_token, new_token, sign_in_token
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.settings import Settings
from vaultcrm.workflows.manage_team import add_person
from vaultcrm.workflows.parts import Pool

SIGN_IN_LINK_LIFETIME = timedelta(days=1)


async def add_user(
    pool: Pool,
    *,
    email: str,
    name: str,
    role: Role,
    all_creators: bool,
    creator_handles: list[str],
    now: datetime,
) -> None:
    """Add a person who may act for the given creators; raises Conflict or InvalidInput."""
    async with pool.connection() as connection:
        found = [await _creator_id(connection, handle) for handle in creator_handles]
    await add_person(
        pool,
        None,
        email=email,
        name=name,
        role=role,
        all_creators=all_creators,
        creator_ids=found,
        now=now,
    )


async def assign_creators(
    pool: Pool, email: str, creator_handles: list[str], now: datetime
) -> None:
    """Let a person act for more creators; raises NotFound or InvalidInput."""
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.user_by_email(connection, email)
        if user_id is None:
            raise NotFound("user")
        for handle in creator_handles:
            await access.assign(connection, user_id, await _creator_id(connection, handle), now)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=NIL,
                actor_id=None,
                action=AuditAction.USER_CHANGED,
                subject_type="user",
                subject_id=str(user_id),
                at=now,
                details={"creators_added": creator_handles},
            ),
        )


async def _creator_id(connection: Connection, handle: str) -> UUID:
    creator = await (await creators.creator_by_handle(connection, handle)).answer()
    if creator is None:
        raise InvalidInput(FieldProblem("creator", f"there is no creator with handle {handle}"))
    return creator.id


async def add_token_for_user(pool: Pool, email: str, now: datetime) -> str:
    """A new token that acts as a person; raises NotFound."""
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.user_by_email(connection, email)
        if user_id is None:
            raise NotFound("user")
        return await _add_token(connection, user_id, email, now)


async def add_token_for_service(pool: Pool, name: str, now: datetime) -> str:
    """A new token for a program, which may act for all creators and on behalf of any chatter."""
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.service_by_name(connection, name)
        if user_id is None:
            user_id = await access.add_user(
                connection, email=None, name=name, role=Role.SERVICE, all_creators=True, now=now
            )
        if user_id is None:
            raise Conflict("Another command is adding this service right now. Try again.")
        return await _add_token(connection, user_id, name, now)


async def _add_token(connection: Connection, user_id: UUID, name: str, now: datetime) -> str:
    token = new_token()
    await access.add_token(connection, hash_token(token), user_id, name, now)
    await audit.record(
        connection,
        AuditEntry(
            creator_id=NIL,
            actor_id=None,
            action=AuditAction.TOKEN_CREATED,
            subject_type="user",
            subject_id=str(user_id),
            at=now,
        ),
    )
    return token


async def sign_in_link(pool: Pool, settings: Settings, email: str, now: datetime) -> str:
    """The address that signs a person in for a day; raises NotFound."""
    async with pool.connection() as connection:
        user_id = await access.user_by_email(connection, email)
    if user_id is None:
        raise NotFound("user")
    key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    token = sign_in_token(user_id, key, now, SIGN_IN_LINK_LIFETIME)
    return f"{settings.vaultcrm_base_url.rstrip('/')}/sign-in?token={quote(token)}"
