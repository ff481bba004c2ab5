"""People who may sign in, as the team sees them, and what may be changed about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.people import Person, Role

PEOPLE = """
    SELECT u.id, u.email, u.name, u.role, u.all_creators, u.created_at, u.disabled_at,
           seen.last_seen_at, p.set_at,
           (SELECT array_agg(a.creator_id) FROM creator_assignments a WHERE a.user_id = u.id),
           (SELECT count(*) FROM sessions s WHERE s.user_id = u.id
             AND s.expires_at > %(now)s AND s.last_used_at > %(idle_since)s)
    FROM users u
    LEFT JOIN people_seen seen ON seen.user_id = u.id
    LEFT JOIN passwords p ON p.user_id = u.id
    WHERE u.role <> 'service' AND (%(user_id)s::uuid IS NULL OR u.id = %(user_id)s)
    ORDER BY u.disabled_at IS NOT NULL, lower(u.name), u.id
"""


def _read_people(rows: Rows) -> list[Person]:
    return [
        Person(
            id=row[0],
            email=row[1],
            name=row[2],
            role=Role(row[3]),
            all_creators=row[4],
            created_at=row[5],
            disabled_at=row[6],
            last_seen_at=row[7],
            password_set_at=row[8],
            creator_ids=frozenset(row[9] or ()),
            sessions=row[10],
        )
        for row in rows
    ]


async def everybody(
    connection: Connection, *, now: datetime, idle_since: datetime
) -> Pending[list[Person]]:
    """All people by name, those who may not sign in any more last."""
    params = {"user_id": None, "now": now, "idle_since": idle_since}
    return await send(connection, PEOPLE, params, _read_people)


async def person(
    connection: Connection, user_id: UUID, *, now: datetime, idle_since: datetime
) -> Pending[Person | None]:
    params = {"user_id": user_id, "now": now, "idle_since": idle_since}
    return await send(connection, PEOPLE, params, lambda rows: next(iter(_read_people(rows)), None))


async def id_of_email(connection: Connection, email: str) -> UUID | None:
    """Also of somebody who may not sign in any more."""
    statement = "SELECT id FROM users WHERE email = %(email)s AND role <> 'service'"
    pending = await send(
        connection, statement, {"email": email}, lambda rows: rows[0][0] if rows else None
    )
    return await pending.answer()


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person may do, as far as changing it goes."""

    role: Role
    all_creators: bool
    is_disabled: bool

    @property
    def is_admin(self) -> bool:
        """Whether they can sign in and change what others may do."""
        return self.role is Role.ADMIN and not self.is_disabled


# In the order of ids, so that two who change each other do not wait for each other.
LOCK_WITH_ADMINS = """
    SELECT id, role, all_creators, disabled_at IS NOT NULL FROM users
    WHERE role <> 'service'
      AND (id = %(user_id)s OR (role = 'admin' AND disabled_at IS NULL))
    ORDER BY id FOR UPDATE
"""


async def lock_with_admins(connection: Connection, user_id: UUID) -> Mapping[UUID, Standing]:
    """A person and all admins, held until the transaction ends."""

    def read(rows: Rows) -> Mapping[UUID, Standing]:
        return {row[0]: Standing(Role(row[1]), row[2], row[3]) for row in rows}

    return await (await send(connection, LOCK_WITH_ADMINS, {"user_id": user_id}, read)).answer()


async def set_standing(
    connection: Connection, user_id: UUID, role: Role, all_creators: bool
) -> None:
    statement = """
        UPDATE users SET role = %(role)s, all_creators = %(all_creators)s WHERE id = %(user_id)s
    """
    params = {"user_id": user_id, "role": role.value, "all_creators": all_creators}
    await run(connection, statement, params)


async def assigned(connection: Connection, user_id: UUID) -> frozenset[UUID]:
    statement = "SELECT creator_id FROM creator_assignments WHERE user_id = %(user_id)s"
    pending = await send(
        connection,
        statement,
        {"user_id": user_id},
        lambda rows: frozenset(row[0] for row in rows),
    )
    return await pending.answer()


ASSIGN_EXACTLY = """
    INSERT INTO creator_assignments (user_id, creator_id, created_at)
    SELECT %(user_id)s, c.id, %(now)s FROM creators c WHERE c.id = ANY(%(creator_ids)s)
    ON CONFLICT DO NOTHING
"""


async def assign_exactly(
    connection: Connection, user_id: UUID, creator_ids: Iterable[UUID], now: datetime
) -> None:
    """Let a person act for these creators and no others; what is no creator is left out."""
    params = {"user_id": user_id, "creator_ids": list(creator_ids), "now": now}
    take_away = """
        DELETE FROM creator_assignments
        WHERE user_id = %(user_id)s AND NOT creator_id = ANY(%(creator_ids)s)
    """
    await run(connection, take_away, params)
    await run(connection, ASSIGN_EXACTLY, params)


async def set_disabled(connection: Connection, user_id: UUID, since: datetime | None) -> None:
    """None lets them sign in again."""
    statement = "UPDATE users SET disabled_at = %(since)s WHERE id = %(user_id)s"
    await run(connection, statement, {"user_id": user_id, "since": since})


async def end_links(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Sign-in links that were made before now are no good any more."""
    statement = "UPDATE users SET links_from = %(now)s WHERE id = %(user_id)s"
    await run(connection, statement, {"user_id": user_id, "now": now})


# Locks the row: whoever disables them waits, and then ends the session that is opened here.
MAY_SIGN_IN = """
    SELECT links_from FROM users
    WHERE id = %(user_id)s AND disabled_at IS NULL AND role <> 'service' FOR SHARE
"""


async def may_sign_in(
    connection: Connection, user_id: UUID, *, link_made_at: datetime | None = None
) -> bool:
    """Whether a person may sign in: now, and with a link that was made then if with one."""

    def read(rows: Rows) -> bool:
        if not rows:
            return False
        links_from = rows[0][0]
        return link_made_at is None or links_from is None or link_made_at >= links_from

    return await (await send(connection, MAY_SIGN_IN, {"user_id": user_id}, read)).answer()
