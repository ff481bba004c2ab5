"""API tokens: made, shown once, revoked. One's own, and those of programs by admins."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.auth import hash_token, new_token, require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, tokens
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from vaultcrm.domain.people import ApiToken, Caller, Role, TokenScope
from vaultcrm.workflows.parts import Parts, Pool

LONGEST_NAME = 100
MOST_SHOWN = 200
SHOWN_AFTER_END = timedelta(days=30)
"""A token that has ended stays in the lists for so long."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is asked for: `scopes` None for all, `expires_at` None for no end."""

    name: str
    scopes: Iterable[TokenScope] | None
    expires_at: datetime | None


async def add_own_token(parts: Parts, caller: Caller, asked: NewToken) -> str:
    """A new token that acts as the caller; raises InvalidInput (fields `name`, `scopes`)."""
    async with parts.transaction() as connection:
        return await keep_token(connection, caller, caller.user_id, _checked(asked), parts.now())


async def add_program_token(
    pool: Pool, actor: Caller | None, program: str, asked: NewToken, now: datetime
) -> str:
    """A new token for a program, which is added if it is new. For admins who see every creator.

    A program may act for all creators and on behalf of any chatter. Raises Forbidden, InvalidInput
    (fields `program`, `scopes`) and Conflict.
    """
    if actor is not None:
        require_role(actor, Role.ADMIN)
        _require_all_creators(actor)
    name = " ".join(program.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(FieldProblem("program", f"a name of 1 to {LONGEST_NAME} characters"))
    async with pool.connection() as connection, connection.transaction():
        user_id = await access.service_by_name(connection, name)
        if user_id is None:
            user_id = await access.add_user(
                connection, email=None, name=name, role=Role.SERVICE, all_creators=True, now=now
            )
        if user_id is None:
            raise Conflict("Somebody else is adding this program right now. Try again.")
        return await keep_token(connection, actor, user_id, _checked(asked), now)


async def revoke_own_token(parts: Parts, caller: Caller, token_id: UUID) -> None:
    """End one of one's own tokens; raises NotFound."""
    await _revoke(parts, caller, token_id, user_id=caller.user_id)


async def revoke_program_token(parts: Parts, actor: Caller, token_id: UUID) -> None:
    """End a program's token; raises Forbidden and NotFound."""
    require_role(actor, Role.ADMIN)
    _require_all_creators(actor)
    await _revoke(parts, actor, token_id, programs_only=True)


async def revoke_token(pool: Pool, token_id: UUID, now: datetime) -> None:
    """End anybody's token, from the machine itself; raises NotFound."""
    async with pool.connection() as connection, connection.transaction():
        user_id = await tokens.revoke(connection, token_id, now)
        if user_id is None:
            raise NotFound("token that is still good")
        await _record(connection, AuditAction.TOKEN_REVOKED, None, user_id, token_id, now)


async def own_tokens(parts: Parts, caller: Caller) -> list[ApiToken]:
    """One's own tokens, the living ones first; what this process has seen of them is told."""
    await parts.token_uses.write(parts.pool)
    now = parts.now()
    async with parts.pool.connection() as connection:
        sent = await tokens.of_user(
            connection,
            caller.user_id,
            now=now,
            ended_since=now - SHOWN_AFTER_END,
            limit=MOST_SHOWN,
        )
        return await sent.answer()


async def program_tokens(parts: Parts, actor: Caller) -> list[ApiToken]:
    """The tokens of all programs, likewise; raises Forbidden."""
    require_role(actor, Role.ADMIN)
    _require_all_creators(actor)
    await parts.token_uses.write(parts.pool)
    now = parts.now()
    async with parts.pool.connection() as connection:
        sent = await tokens.of_programs(
            connection, now=now, ended_since=now - SHOWN_AFTER_END, limit=MOST_SHOWN
        )
        return await sent.answer()


async def every_token(pool: Pool, now: datetime) -> list[ApiToken]:
    """Everybody's tokens, for a command of the machine's own."""
    async with pool.connection() as connection:
        sent = await tokens.every(
            connection, now=now, ended_since=now - SHOWN_AFTER_END, limit=MOST_SHOWN
        )
        return await sent.answer()


async def keep_token(
    connection: Connection, actor: Caller | None, user_id: UUID, asked: NewToken, now: datetime
) -> str:
    """Make a token and keep its hash; `actor` is None for a command of the machine's own."""
    token = new_token()
    scopes = None if asked.scopes is None else frozenset(asked.scopes)
    token_id = await tokens.add(
        connection,
        token_hash=hash_token(token),
        user_id=user_id,
        name=asked.name,
        scopes=scopes,
        made_by=None if actor is None else actor.user_id,
        now=now,
        expires_at=asked.expires_at,
    )
    await _record(connection, AuditAction.TOKEN_CREATED, actor, user_id, token_id, now, scopes)
    return token


def _checked(asked: NewToken) -> NewToken:
    name = " ".join(asked.name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(FieldProblem("name", f"a name of 1 to {LONGEST_NAME} characters"))
    scopes = None if asked.scopes is None else frozenset(asked.scopes)
    if scopes is not None and not scopes:
        raise InvalidInput(FieldProblem("scopes", "at least one"))
    return NewToken(name, scopes, asked.expires_at)


def _require_all_creators(actor: Caller) -> None:
    if not actor.all_creators:
        raise Forbidden("Only an admin for every creator makes and ends tokens of programs.")


async def _revoke(
    parts: Parts,
    actor: Caller,
    token_id: UUID,
    *,
    user_id: UUID | None = None,
    programs_only: bool = False,
) -> None:
    async with parts.transaction() as connection:
        now = parts.now()
        owner = await tokens.revoke(
            connection, token_id, now, user_id=user_id, programs_only=programs_only
        )
        if owner is None:
            raise NotFound("token that is still good")
        await _record(connection, AuditAction.TOKEN_REVOKED, actor, owner, token_id, now)


async def _record(
    connection: Connection,
    action: AuditAction,
    actor: Caller | None,
    user_id: UUID,
    token_id: UUID,
    now: datetime,
    scopes: frozenset[TokenScope] | None = None,
) -> None:
    details: dict[str, object] = {"token_id": str(token_id)}
    if scopes is not None:
        details["scopes"] = sorted(scope.value for scope in scopes)
    await audit.record(
        connection,
        AuditEntry.about_user(
            action,
            user_id,
            actor_id=None if actor is None else actor.user_id,
            at=now,
            details=details,
        ),
    )
