"""Seals of the audit log and its export over the API, and what refused requests leave in it."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.audit import log_rows
from tests.support.world import SignedIn, conversation, own_details, rows, set_flag, sign_in
from vaultcrm.controls.audit.exporting import check_lines
from vaultcrm.domain.audit_seals import KnownHead
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.workflows.seal_audit import seal_audit

pytestmark = pytest.mark.anyio

REFUSED = "SELECT * FROM audit_log WHERE action = 'request.refused' ORDER BY id"


@pytest.fixture
async def admin(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.ADMIN)


async def sealed(app: RunningApp, creator_id: UUID, count: int) -> None:
    await log_rows(app, creator_id, count, began=app.parts.now() - timedelta(hours=1))
    await seal_audit(app.parts, creator_id)


async def test_seals_are_listed_newest_first_to_those_who_may_see_their_creator(
    app: RunningApp, admin: SignedIn
) -> None:
    mia = UUID((await conversation(admin, creator="mia")).creator_id)
    theo = UUID((await conversation(admin, creator="theo")).creator_id)
    for owner in (mia, theo, NIL):
        await sealed(app, owner, 3)
    manager = await sign_in(app, Role.MANAGER, creators=["mia"])

    listed = (await admin.found("/api/audit/seals"))["items"]
    assert [UUID(each["creatorId"]) for each in listed] == [NIL, theo, mia]
    first = await admin.found("/api/audit/seals", limit=2)
    assert first["items"] == listed[:2]
    rest = await admin.found("/api/audit/seals", limit=2, cursor=first["nextCursor"])
    assert (rest["items"], rest["nextCursor"]) == (listed[2:], None)
    [own] = (await manager.found("/api/audit/seals"))["items"]
    assert (UUID(own["creatorId"]), own["number"], own["rowCount"]) == (mia, 1, 3)
    assert len(bytes.fromhex(own["hash"])) == 32
    stranger = await manager.get("/api/audit/seals", creatorId=str(theo))
    assert stranger.status_code == 404


async def test_an_export_proves_itself_against_a_seal_and_is_an_entry_of_the_log(
    app: RunningApp, admin: SignedIn
) -> None:
    mia = UUID((await conversation(admin, creator="mia")).creator_id)
    await sealed(app, mia, 20)
    [head] = (await admin.found("/api/audit/seals", creatorId=str(mia)))["items"]

    answer = await admin.get("/api/audit/export", creatorId=str(mia))
    assert answer.status_code == 200
    kept = KnownHead(mia, head["number"], bytes.fromhex(head["hash"]))
    found = check_lines(answer.text.splitlines(), [kept])
    assert (found.rows, found.fault_count) == (20, 0), found.faults
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'audit.exported'")
    assert (entry["creator_id"], entry["actor_id"]) == (mia, admin.user_id)


@pytest.mark.parametrize("role", [Role.CHATTER, Role.SERVICE])
@pytest.mark.parametrize("path", ["/api/audit/seals", "/api/audit/export"])
async def test_chatters_and_programs_read_neither(app: RunningApp, role: Role, path: str) -> None:
    other = await sign_in(app, role)
    assert (await other.get(path)).status_code == 403


async def test_who_is_refused_for_their_role_is_written_down_once_an_hour(
    app: RunningApp,
) -> None:
    chatter = await sign_in(app, Role.CHATTER)
    for answer in await asyncio.gather(*(chatter.get("/api/audit") for _ in range(5))):
        assert answer.status_code == 403
    [entry] = await rows(app, REFUSED)
    assert (entry["creator_id"], entry["actor_id"]) == (NIL, chatter.user_id)
    assert own_details(entry) == {"refused_by": "role", "asked_for": "GET /api/audit"}


async def test_who_is_refused_by_a_limit_is_written_down_once_an_hour(
    app: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 0)
    chatter = await sign_in(app, Role.CHATTER, creators=["mia"])
    for _ in range(3):
        assert (await chatter.post("/api/ai/generate", talk.asks())).status_code == 429
    [entry] = await rows(app, REFUSED)
    assert entry["actor_id"] == chatter.user_id
    assert own_details(entry) == {
        "refused_by": "requests_per_hour",
        "asked_for": "POST /api/ai/generate",
    }


async def test_strangers_and_what_is_not_found_leave_no_entry(app: RunningApp) -> None:
    chatter = await sign_in(app, Role.CHATTER)
    assert (await app.client.get("/api/audit")).status_code == 401
    nobody = {"Authorization": "Bearer vcrm_unknown"}
    assert (await app.client.get("/api/audit", headers=nobody)).status_code == 401
    assert (await chatter.get(f"/api/fans/{NIL}", creatorId=str(NIL))).status_code == 404
    assert await rows(app, REFUSED) == []
