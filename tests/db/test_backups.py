"""A backup that was restored is the same, row for row; and nothing is replaced before it is."""

import json
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.databases import Databases
from vaultcrm.db import migrate
from vaultcrm.db.backups.manifest import DUMP, MANIFEST
from vaultcrm.db.backups.restoring import holds_data, open_backup, restore_backup
from vaultcrm.db.backups.writing import Labels, write_backup
from vaultcrm.domain.errors import BackupFailed
from vaultcrm.domain.ids import new_id

LABELS = Labels("1.2.3", "0123456789abcdef", datetime(2026, 11, 22, 12, tzinfo=UTC))
SOME_FANS = 300


@pytest.fixture
def filled(database_server: Databases) -> Iterator[str]:
    """A database with something in tables of every kind, some of it hard to write down."""
    with database_server.fresh() as url:
        fill(url)
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def fill(url: str, fans: int = SOME_FANS) -> None:
    chance = random.Random(7)  # noqa: S311 -- rows, no secrets
    creator_id, now = new_id(), datetime.now(UTC)
    hard = ["", "tab\tand\nnewline", "\\N", "ünïcödé 🦄", "quote \" ' $$", "x" * 20_000]
    with psycopg.connect(url) as connection:
        connection.execute(
            """INSERT INTO creators (id, handle, display_name, language, region, created_at)
               VALUES (%s, 'mia', 'Mia', 'en', 'US', %s)""",
            (creator_id, now),
        )
        for number in range(fans):
            fan_id, talk_id = new_id(), new_id()
            text = hard[number % len(hard)]
            connection.execute(
                """INSERT INTO fans (creator_id, id, handle, display_name, tier,
                                     lifetime_value_minor, currency, notes, created_at)
                   VALUES (%s, %s, %s, %s, 'low', %s, 'USD', %s, %s)""",
                (creator_id, fan_id, f"fan{number}", text, chance.randrange(10**9), text, now),
            )
            connection.execute(
                """INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode,
                                              unread_count, created_at)
                   VALUES (%s, %s, %s, 'simulator', %s, 'auto', 0, %s)""",
                (creator_id, talk_id, fan_id, f"fan{number}", now),
            )
            connection.execute(
                """INSERT INTO outbox (creator_id, id, conversation_id, author, text, bound_hash,
                                       delivery_status, attempts, not_before, created_at,
                                       updated_at)
                   VALUES (%s, %s, %s, 'chatter', %s, %s, 'sent', 1, %s, %s, %s)""",
                (creator_id, new_id(), talk_id, text, chance.randbytes(32), now, now, now),
            )
            connection.execute(
                """INSERT INTO audit_log (creator_id, id, at, action, subject_type, subject_id,
                                          details)
                   VALUES (%s, %s, %s, 'message.written', 'outbox', 'x', %s)""",
                (creator_id, new_id(), now, json.dumps({"n": number, "t": text[:50]})),
            )
        connection.execute(
            """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
               SELECT 'default', 'x', '{}' FROM generate_series(1, 20)"""
        )


Content = dict[str, list[str]]


def content(url: str) -> Content:
    """Every row of every table, as text."""
    found: Content = {}
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            statement = SQL("SELECT t::text FROM {} t ORDER BY 1").format(Identifier(table))
            found[table] = [row[0] for row in connection.execute(statement).fetchall()]
    return found


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_a_restored_backup_is_the_same_row_for_row_in_every_table(
    filled: str, empty_database_url: str, folder: Path
) -> None:
    before = content(filled)
    assert sum(map(len, before.values())) > 4 * SOME_FANS
    write_backup(filled, folder / "b.zip", LABELS)
    done = restore_backup(empty_database_url, folder / "b.zip", LABELS)
    assert content(empty_database_url) == before
    assert done.manifest.rows == sum(map(len, before.values()))
    assert done.safety_copy is None


def test_a_restored_database_goes_on_working(
    filled: str, empty_database_url: str, folder: Path
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    restore_backup(empty_database_url, folder / "b.zip", LABELS)
    assert migrate.pending(empty_database_url) == []
    add = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 'x', '{}')"
    run(empty_database_url, add)
    numbers = run(empty_database_url, "SELECT count(*), count(DISTINCT id) FROM procrastinate_jobs")
    assert numbers == [(21, 21)]
    acts = run(
        empty_database_url,
        """SELECT has_table_privilege('vaultcrm_app', 'audit_log', 'INSERT'),
                  has_table_privilege('vaultcrm_app', 'audit_log', 'UPDATE'),
                  has_function_privilege('public', 'audit_erase_details(uuid, uuid)', 'EXECUTE')""",
    )
    assert acts == [(True, False, False)]


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(
    filled: str, empty_database_url: str, folder: Path
) -> None:
    before = content(filled)
    wrote: list[str] = []

    def write_meanwhile(what: str, share: float | None) -> None:
        name = f"late{len(wrote)}"
        wrote.append(name)
        with psycopg.connect(filled) as connection:
            connection.execute(
                """INSERT INTO creators (id, handle, display_name, language, region, created_at)
                   VALUES (%s, %s, 'Late', 'en', 'US', now())""",
                (new_id(), name),
            )

    write_backup(filled, folder / "b.zip", LABELS, write_meanwhile)
    assert wrote
    restore_backup(empty_database_url, folder / "b.zip", LABELS)
    assert content(empty_database_url) == before


def test_data_is_replaced_only_on_request_and_after_a_safety_copy(
    filled: str, database_server: Databases, folder: Path
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    with database_server.fresh() as other:
        fill(other, fans=5)
        before = content(other)
        with pytest.raises(BackupFailed, match="--replace"):
            restore_backup(other, folder / "b.zip", LABELS)
        assert content(other) == before
        copy = folder / "copies" / "before.zip"
        done = restore_backup(other, folder / "b.zip", LABELS, safety_copy=copy)
        assert done.safety_copy == copy
        assert content(other) == content(filled)
        restore_backup(other, copy, LABELS, safety_copy=folder / "again.zip")
        assert content(other) == before


def test_what_waited_to_leave_waits_for_a_person_unless_the_installation_only_moved(
    filled: str, database_server: Databases, folder: Path
) -> None:
    run(
        filled,
        """UPDATE outbox SET delivery_status = 'pending'
           WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 3)""",
    )
    write_backup(filled, folder / "b.zip", LABELS)
    counted = "SELECT delivery_status, count(*) FROM outbox GROUP BY 1 ORDER BY 1"
    with database_server.fresh(migrated=False) as other:
        assert restore_backup(other, folder / "b.zip", LABELS).held == 3
        assert run(other, counted) == [("sent", SOME_FANS - 3), ("uncertain", 3)]
        assert run(other, "SELECT kind FROM alerts") == [("message_uncertain",)]
    with database_server.fresh(migrated=False) as other:
        assert restore_backup(other, folder / "b.zip", LABELS, moved=True).held == 0
        assert content(other) == content(filled)


def test_a_database_in_use_is_not_replaced(
    filled: str, empty_database_url: str, folder: Path
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    with (
        psycopg.connect(empty_database_url),
        pytest.raises(BackupFailed, match="in use, by 1 connections"),
    ):
        restore_backup(empty_database_url, folder / "b.zip", LABELS)
    assert not holds_data(empty_database_url)


def test_a_file_that_is_there_is_not_written_over(filled: str, folder: Path) -> None:
    file = folder / "b.zip"
    file.write_text("precious")
    with pytest.raises(BackupFailed, match="is there already"):
        write_backup(filled, file, LABELS)
    assert file.read_text() == "precious"
    assert [each.name for each in folder.iterdir()] == ["b.zip"]


def test_a_backup_is_for_its_owner_alone_and_holds_no_key(filled: str, folder: Path) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    assert (folder / "b.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(folder / "b.zip") as archive:
        assert archive.namelist() == [DUMP, MANIFEST]


def test_a_database_without_tables_has_nothing_to_back_up(
    empty_database_url: str, folder: Path
) -> None:
    with pytest.raises(BackupFailed, match="nothing to back up"):
        write_backup(empty_database_url, folder / "b.zip", LABELS)
    assert list(folder.iterdir()) == []


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def one_bit_changed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def no_zip(file: Path) -> None:
    file.write_text("Hello")


def another_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "Hello")


def with_manifest(file: Path, **changes: Any) -> None:
    with zipfile.ZipFile(file) as archive:
        dump, manifest = archive.read(DUMP), json.loads(archive.read(MANIFEST))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(DUMP, dump)
        archive.writestr(MANIFEST, json.dumps(manifest | changes))


def of_a_newer_release(file: Path) -> None:
    with_manifest(file, revision="9999", version="9.9.9")


def of_a_newer_form(file: Path) -> None:
    with_manifest(file, format=2)


def of_a_newer_server(file: Path) -> None:
    with_manifest(file, postgres=99)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut_off, "cut off"),
        (one_bit_changed, "damaged|no backup|cannot be read"),
        (no_zip, "no backup"),
        (another_zip, "no backup of VaultCRM"),
        (of_a_newer_release, "VaultCRM 9.9.9"),
        (of_a_newer_form, "newer release"),
        (of_a_newer_server, "PostgreSQL 99"),
    ],
)
def test_a_backup_that_cannot_be_used_is_refused_and_changes_nothing(
    filled: str, database_server: Databases, folder: Path, spoil: Any, told: str
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    spoil(folder / "b.zip")
    with database_server.fresh() as other:
        fill(other, fans=2)
        before = content(other)
        with pytest.raises(BackupFailed, match=told):
            restore_backup(other, folder / "b.zip", LABELS, safety_copy=folder / "copy.zip")
        assert content(other) == before


def test_a_backup_that_holds_other_rows_than_it_says_replaces_nothing(
    filled: str, database_server: Databases, folder: Path
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    tables = json.loads(open_backup(folder / "b.zip").as_json())["tables"]
    tables["fans"]["checksum"] = "1"
    with_manifest(folder / "b.zip", tables=tables)
    with database_server.fresh() as other:
        fill(other, fans=2)
        before = content(other)
        with pytest.raises(BackupFailed, match="in fans"):
            restore_backup(other, folder / "b.zip", LABELS, safety_copy=folder / "copy.zip")
        assert content(other) == before


RESTORE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from vaultcrm.db.backups.restoring import restore_backup
from vaultcrm.db.backups.writing import Labels
url, file, copy = sys.argv[1:]
labels = Labels("1.2.3", "0123456789abcdef", datetime.now(UTC))
tell = lambda what, share: print(what, flush=True)
restore_backup(url, Path(file), labels, safety_copy=Path(copy), watch=tell)
"""


@pytest.mark.parametrize("at", ["Safety copy", "Restoring", "Comparing messages", "Migrating"])
def test_a_restore_that_is_killed_leaves_what_was_there_and_may_be_done_again(
    filled: str, database_server: Databases, folder: Path, at: str
) -> None:
    write_backup(filled, folder / "b.zip", LABELS)
    with database_server.fresh() as other:
        fill(other, fans=2)
        before = content(other)
        command = [sys.executable, "-c", RESTORE, other, str(folder / "b.zip")]
        with subprocess.Popen(
            [*command, str(folder / "copy1.zip")], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(at):
                    process.send_signal(signal.SIGKILL)
                    break
        _until_alone(other)
        assert content(other) == before
        restore_backup(other, folder / "b.zip", LABELS, safety_copy=folder / "copy2.zip")
        assert content(other) == content(filled)


def _until_alone(url: str) -> None:
    """The server has noticed that whoever was killed is gone."""
    deadline = time.monotonic() + 30
    others = """SELECT count(*) FROM pg_stat_activity
                WHERE datname LIKE 'vaultcrm_test%' AND query NOT LIKE '%pg_stat_activity%'
                  AND application_name IN ('vaultcrm', 'pg_dump', 'pg_restore')"""
    while run(url, others) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.1)
