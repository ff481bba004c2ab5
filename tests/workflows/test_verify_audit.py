"""Whatever the superuser does to the audit log or its seals is found, and named."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.audit import BEGAN, id_at, log_rows
from tests.support.world import rows
from vaultcrm.db.queries import audit_seals
from vaultcrm.domain.audit_seals import FaultKind, KnownHead, Verified
from vaultcrm.domain.ids import NIL
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.seal_audit import seal_audit
from vaultcrm.workflows.verify_audit import compare_heads, verify_and_tell, verify_creator

pytestmark = pytest.mark.anyio

MIA = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
THEO = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
COUNT = 1_000
TEXTS = ("action", "subject_type", "subject_id")
IDS = ("creator_id", "id", "actor_id")


@pytest.fixture
async def logged(app: RunningApp) -> list[UUID]:
    """A thousand sealed rows of Mia, and ten of the installation."""
    ids = await log_rows(app, MIA, COUNT)
    await log_rows(app, NIL, 10, seed=1)
    for owner in (MIA, NIL):
        await seal_audit(app.parts, owner)
    return ids


@pytest.fixture
async def small_seals(app: RunningApp) -> list[UUID]:
    """Six seals of ten rows each."""
    ids = []
    for number in range(6):
        began = BEGAN + timedelta(minutes=number)
        ids += await log_rows(app, MIA, 10, began=began, seed=number)
        await seal_audit(_at(app, began + timedelta(seconds=50)), MIA)
    return ids


def _at(app: RunningApp, moment: datetime) -> Parts:
    return replace(app.parts, now=lambda: moment)


def flipped(row: dict[str, Any], column: str, chance: random.Random) -> Any:
    """The value of a column with one bit of it changed; None where that makes no value."""
    value = row[column]
    if value is None:
        return UUID(int=1 << chance.randrange(128))
    if column in IDS:
        return UUID(int=value.int ^ (1 << chance.randrange(128)))
    if column == "at":
        return value + timedelta(microseconds=chance.choice((-1, 1)) << chance.randrange(40))
    raw = bytearray(value.encode())
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(7)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


async def put(app: RunningApp, row: dict[str, Any], column: str, value: Any) -> None:
    """Write one column of one row as the owner of the table may."""
    cast = "::jsonb" if column == "details" else ""
    await rows(
        app,
        f"UPDATE audit_log SET {column} = %(value)s{cast} "  # noqa: S608 -- names of this test
        "WHERE creator_id = %(creator_id)s AND id = %(id)s",
        value=value,
        creator_id=row["creator_id"],
        id=row["id"],
    )


async def verified(
    app: RunningApp,
    creator_id: UUID = MIA,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Verified:
    return await verify_creator(app.parts.pool, creator_id, since=since, until=until)


async def test_a_log_that_nobody_touched_has_no_fault(app: RunningApp, logged: list[UUID]) -> None:
    found = await verified(app)
    assert (found.rows, found.unsealed, found.fault_count) == (COUNT, 0, 0)
    assert (await verified(app, NIL)).rows == 10


@pytest.mark.parametrize("seed", range(8))
async def test_one_bit_changed_in_any_column_of_any_row_is_found_and_the_row_named(
    app: RunningApp, logged: list[UUID], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 -- which row, no secret
    for column in (*TEXTS, *IDS, "at"):
        place = chance.randrange(COUNT)
        statement = "SELECT * FROM audit_log WHERE creator_id = %(mia)s AND id = %(id)s"
        [row] = await rows(app, statement, mia=MIA, id=logged[place])
        value = flipped(row, column, chance)
        if value is None or value == row[column]:
            continue
        await put(app, row, column, value)
        found = await verified(app)
        assert row["id"] in {fault.row_id for fault in found.faults}, (column, row[column], value)
        assert found.fault_count <= 2
        changed = row | ({column: value} if column in {"creator_id", "id"} else {})
        await put(app, changed, column, row[column])
        assert (await verified(app)).fault_count == 0


@pytest.mark.parametrize(
    "change",
    [
        "jsonb_set(details, '{status}', '\"queuee\"')",
        "jsonb_set(details, '{reasons,1}', '500.0')",
        "details || '{\"more\": null}'",
        "details - 'share'",
        "'{}'",
        '\'{"erased": "0000000000000000000000000000000000000000000000000000000000000000"}\'',
    ],
)
async def test_any_change_of_details_is_found_and_the_row_named(
    app: RunningApp, logged: list[UUID], change: str
) -> None:
    statement = f"UPDATE audit_log SET details = {change} WHERE id = %(id)s"  # noqa: S608 -- the same
    await rows(app, statement, id=logged[500])
    [fault] = (await verified(app)).faults
    assert (fault.kind, fault.row_id, fault.creator_id) == (FaultKind.ROW_CHANGED, logged[500], MIA)
    assert str(logged[500]) in fault.said


@pytest.mark.parametrize("place", [0, 17, 500, COUNT - 1])
async def test_a_row_that_is_deleted_is_named(
    app: RunningApp, logged: list[UUID], place: int
) -> None:
    await rows(app, "DELETE FROM audit_log WHERE id = %(id)s", id=logged[place])
    [fault] = (await verified(app)).faults
    assert (fault.kind, fault.row_id, fault.seal) == (FaultKind.ROW_MISSING, logged[place], 1)


@pytest.mark.parametrize("after_seconds", [-3600, 0.5, 500.5, COUNT + 60])
async def test_a_row_that_is_inserted_is_named(
    app: RunningApp, logged: list[UUID], after_seconds: float
) -> None:
    began = BEGAN + timedelta(seconds=after_seconds)
    [forged] = await log_rows(app, MIA, 1, began=began, seed=99)
    [fault] = (await verified(app)).faults
    assert (fault.kind, fault.row_id) == (FaultKind.ROW_INSERTED, forged)


async def test_two_rows_that_change_places_are_both_named(
    app: RunningApp, logged: list[UUID]
) -> None:
    first, second = logged[10], logged[20]
    swap = "UPDATE audit_log SET id = %(to)s WHERE creator_id = %(mia)s AND id = %(id)s"
    spare = id_at(BEGAN, random.Random(7))  # noqa: S311 -- an id, no secret
    for one, to in ((first, spare), (second, first), (spare, second)):
        await rows(app, swap, mia=MIA, id=one, to=to)
    found = (await verified(app)).faults
    assert {(fault.kind, fault.row_id) for fault in found} == {
        (FaultKind.ROW_CHANGED, first),
        (FaultKind.ROW_CHANGED, second),
    }


async def test_a_row_given_to_another_creator_is_missing_here_and_inserted_there(
    app: RunningApp, logged: list[UUID]
) -> None:
    await log_rows(app, THEO, 10, seed=5)
    await seal_audit(app.parts, THEO)
    statement = "UPDATE audit_log SET creator_id = %(theo)s WHERE id = %(id)s"
    await rows(app, statement, theo=THEO, id=logged[3])
    assert [(fault.kind, fault.row_id) for fault in (await verified(app)).faults] == [
        (FaultKind.ROW_MISSING, logged[3])
    ]
    assert [(fault.kind, fault.row_id) for fault in (await verified(app, THEO)).faults] == [
        (FaultKind.ROW_INSERTED, logged[3])
    ]


@pytest.mark.parametrize("number", [1, 3, 5])
async def test_a_seal_that_is_taken_away_is_named(
    app: RunningApp, small_seals: list[UUID], number: int
) -> None:
    await rows(app, "DELETE FROM audit_seals WHERE number = %(number)s", number=number)
    found = await verified(app)
    assert (found.faults[0].kind, found.faults[0].seal) == (FaultKind.SEAL_MISSING, number)
    assert {fault.kind for fault in found.faults} == {FaultKind.SEAL_MISSING}
    assert "10 rows of the time of missing seals cannot be checked" in found.faults[-1].said


@pytest.mark.parametrize(
    "change",
    [
        "late = 1",
        "row_count = row_count + 1",
        "row_count = 2147483647",
        "sealed_at = sealed_at + interval '1 microsecond'",
        "root = set_byte(root, 5, get_byte(root, 5) # 1)",
        "hash = set_byte(hash, 5, get_byte(hash, 5) # 1)",
        "previous = set_byte(previous, 5, get_byte(previous, 5) # 1)",
        "ids = set_byte(ids, 5, get_byte(ids, 5) # 1)",
        "leaves = set_byte(leaves, 5, get_byte(leaves, 5) # 1)",
        "leaves = ''",
        "number = 30",
    ],
)
async def test_a_seal_that_is_changed_is_named(
    app: RunningApp, small_seals: list[UUID], change: str
) -> None:
    await rows(app, f"UPDATE audit_seals SET {change} WHERE number = 3")  # noqa: S608 -- the same
    found = await verified(app)
    named = {(fault.kind, fault.seal) for fault in found.faults}
    assert (FaultKind.SEAL_CHANGED, 30 if "30" in change else 3) in named
    if "30" in change:
        assert (FaultKind.SEAL_MISSING, 3) in named


async def test_a_salt_that_is_changed_or_emptied_names_its_row(
    app: RunningApp, small_seals: list[UUID]
) -> None:
    flip = "UPDATE audit_seals SET salts = set_byte(salts, 16, get_byte(salts, 16) # 1)"
    empty = "UPDATE audit_seals SET salts = decode(repeat('00', 160), 'hex')"
    await rows(app, f"{flip} WHERE number = 2")
    assert [fault.row_id for fault in (await verified(app)).faults] == [small_seals[11]]
    await rows(app, f"{empty} WHERE number = 2")
    assert len((await verified(app)).faults) == 10


async def test_seals_made_anew_do_not_follow_on_the_old_ones(
    app: RunningApp, small_seals: list[UUID]
) -> None:
    await rows(app, "UPDATE audit_log SET action = 'x' WHERE id = %(id)s", id=small_seals[25])
    kept = await rows(app, "SELECT number, hash FROM audit_seals ORDER BY number")
    await rows(app, "DELETE FROM audit_seals WHERE number >= 3")
    await seal_audit(app.parts, MIA)
    assert (await verified(app)).fault_count == 0

    heads = [KnownHead(MIA, row["number"], bytes(row["hash"])) for row in kept]
    faults = await compare_heads(app.parts.pool, heads)
    assert [(fault.kind, fault.seal) for fault in faults] == [
        (FaultKind.HEAD_DIFFERS, number) for number in (3, 4, 5, 6)
    ]
    assert "is another one now" in faults[0].said
    assert "is gone" in faults[-1].said


async def test_newest_seals_that_are_taken_away_are_told_by_heads_kept_elsewhere(
    app: RunningApp, small_seals: list[UUID]
) -> None:
    async with app.parts.pool.connection() as connection:
        newest = await audit_seals.newest(connection, MIA)
    assert newest is not None
    head = KnownHead(MIA, newest.number, newest.hash)
    assert await compare_heads(app.parts.pool, [head]) == []
    await rows(app, "DELETE FROM audit_seals WHERE number = 6")
    found = await verified(app)
    assert (found.fault_count, found.unsealed) == (0, 10)
    [fault] = await compare_heads(app.parts.pool, [head])
    assert (fault.kind, fault.seal, fault.creator_id) == (FaultKind.HEAD_DIFFERS, 6, MIA)


async def test_rows_that_are_not_sealed_yet_are_counted_and_no_fault(
    app: RunningApp, logged: list[UUID]
) -> None:
    now = app.parts.now()
    await log_rows(app, MIA, 4, began=now, seed=3)
    found = await verified(app)
    assert (found.unsealed, found.unsealed_since, found.fault_count) == (4, now, 0)


async def test_a_period_is_looked_through_without_the_rest(
    app: RunningApp, small_seals: list[UUID]
) -> None:
    await rows(app, "DELETE FROM audit_log WHERE id = %(id)s", id=small_seals[0])
    [row] = await rows(app, "SELECT below_id FROM audit_seals WHERE number = 2")
    since = datetime.fromtimestamp((row["below_id"].int >> 80) / 1000, BEGAN.tzinfo)
    found = await verified(app, since=since)
    assert (found.fault_count, found.rows) == (0, 40)
    assert (await verified(app, until=since)).faults[0].row_id == small_seals[0]


async def test_a_fault_raises_an_alert_that_ends_when_the_log_is_as_it_was(
    app: RunningApp, logged: list[UUID]
) -> None:
    change = "UPDATE audit_log SET action = %(action)s WHERE id = %(id)s RETURNING action"
    [row] = await rows(app, "SELECT action FROM audit_log WHERE id = %(id)s", id=logged[3])
    await rows(app, change, action="other", id=logged[3])
    await verify_and_tell(app.parts, MIA)
    [alert] = await rows(app, "SELECT * FROM alerts")
    assert (alert["kind"], alert["severity"]) == ("audit_log_differs", "critical")
    assert str(logged[3]) in alert["message"]

    await rows(app, change, action=row["action"], id=logged[3])
    await verify_and_tell(app.parts, MIA)
    [alert] = await rows(app, "SELECT * FROM alerts")
    assert alert["cleared_at"] is not None
    checks = await rows(app, "SELECT fault_count, row_count FROM audit_checks ORDER BY id")
    assert [(check["fault_count"], check["row_count"]) for check in checks] == [
        (1, COUNT),
        (0, COUNT),
    ]
