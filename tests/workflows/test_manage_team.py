"""There is always an admin who can sign in, whoever takes whose rights away at once."""

import asyncio
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.world import rows, sign_in
from vaultcrm.domain.errors import Conflict, Forbidden, NotFound, VaultError
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows import manage_team

pytestmark = pytest.mark.anyio


async def admin(app: RunningApp, name: str) -> Caller:
    return Caller((await sign_in(app, Role.ADMIN, name=name)).user_id, Role.ADMIN, name, True)


async def demote(app: RunningApp, actor: Caller | None, user_id: UUID) -> VaultError | None:
    try:
        await manage_team.change_access(
            app.parts.pool,
            actor,
            user_id,
            role=Role.CHATTER,
            all_creators=True,
            creator_ids=(),
            now=app.parts.now(),
        )
    except VaultError as refused:
        return refused
    return None


async def admins(app: RunningApp) -> int:
    found = await rows(app, "SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL")
    return len(found)


async def test_of_admins_who_demote_each_other_at_once_one_stays(app: RunningApp) -> None:
    people = [await admin(app, name) for name in ("Ada", "Abe", "Ann")]
    ring = zip(people, people[1:] + people[:1], strict=True)

    refusals = await asyncio.gather(*(demote(app, one, other.user_id) for one, other in ring))

    assert await admins(app) >= 1
    assert all(refused is None or isinstance(refused, Forbidden) for refused in refusals)
    assert [refused for refused in refusals if refused] != []


async def test_a_command_cannot_take_the_last_admin_away(app: RunningApp) -> None:
    ada = await admin(app, "Ada")

    assert isinstance(await demote(app, None, ada.user_id), Conflict)
    with pytest.raises(Conflict, match="Make somebody else an admin first"):
        await manage_team.disable(app.parts.pool, None, ada.user_id, app.parts.now())

    await admin(app, "Abe")
    await manage_team.disable(app.parts.pool, None, ada.user_id, app.parts.now())
    assert await admins(app) == 1


async def test_an_admin_who_was_disabled_does_not_count_as_one_who_is_left(app: RunningApp) -> None:
    ada, abe = await admin(app, "Ada"), await admin(app, "Abe")
    await manage_team.disable(app.parts.pool, None, abe.user_id, app.parts.now())

    assert isinstance(await demote(app, None, ada.user_id), Conflict)
    assert isinstance(await demote(app, abe, ada.user_id), Forbidden)


async def test_somebody_who_does_not_exist_is_not_found(app: RunningApp) -> None:
    ada = await admin(app, "Ada")
    with pytest.raises(NotFound):
        await manage_team.end_access(app.parts.pool, ada, new_id(), app.parts.now())
