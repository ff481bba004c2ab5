"""Users, their tokens and their sign-in links."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import quote
from uuid import UUID

from vaultcrm.controls.auth import sign_in_token
from vaultcrm.controls.secrets import installation_key
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, creators
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Role, TokenScope
from vaultcrm.settings import Settings
from vaultcrm.workflows.manage_team import add_person
from vaultcrm.workflows.manage_tokens import NewToken, add_program_token, keep_token
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
            AuditEntry.about_user(
                AuditAction.USER_CHANGED,
                user_id,
                actor_id=None,
                at=now,
                details={"creators_added": creator_handles},
            ),
        )


async def _creator_id(connection: Connection, handle: str) -> UUID:
    creator = await (await creators.creator_by_handle(connection, handle)).answer()
    if creator is None:
        raise InvalidInput(FieldProblem("creator", f"there is no creator with handle {handle}"))
    return creator.id


async def add_token_for_user(
    pool: Pool,
    email: str,
    now: datetime,
    *,
    scopes: Iterable[TokenScope] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token that acts as a person, with all scopes or some; raises NotFound."""
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.user_by_email(connection, email)
        if user_id is None:
            raise NotFound("user")
        made = NewToken(email, scopes, expires_at)
        return await keep_token(connection, None, user_id, made, now)


async def add_token_for_service(
    pool: Pool,
    name: str,
    now: datetime,
    *,
    scopes: Iterable[TokenScope] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token for a program, which may act for all creators and on behalf of any chatter."""
    return await add_program_token(pool, None, name, NewToken(name, scopes, expires_at), now)


async def sign_in_link(
    pool: Pool, settings: Settings, email: str, now: datetime, *, repeats: bool = False
) -> str:
    """The address that signs a person in, once within a day; raises NotFound.

    One that `repeats` works as often as it is opened: for data that is made up.
    """
    async with pool.connection() as connection:
        user_id = await access.user_by_email(connection, email)
    if user_id is None:
        raise NotFound("user")
    key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    token = sign_in_token(user_id, key, now, SIGN_IN_LINK_LIFETIME, repeats=repeats)
    return f"{settings.vaultcrm_base_url.rstrip('/')}/sign-in?token={quote(token)}"
