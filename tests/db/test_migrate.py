import os
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from vaultcrm.db import migrate
from vaultcrm.db.embedded import start_embedded
from vaultcrm.domain.errors import DatabaseUnavailable

REPOSITORY = Path(__file__).parents[2]

UPGRADER = """
import sys
from vaultcrm.db import migrate
print(*migrate.upgrade(sys.argv[1]))
"""


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def test_a_new_database_is_brought_to_the_newest_revision_step_by_step(
    empty_database_url: str,
) -> None:
    assert migrate.current(empty_database_url) is None
    planned = migrate.pending(empty_database_url)
    assert planned[-1] == migrate.head()
    assert migrate.upgrade(empty_database_url) == planned
    assert migrate.current(empty_database_url) == migrate.head()
    assert migrate.pending(empty_database_url) == []


def test_a_database_that_is_up_to_date_is_left_as_it_is(database_url: str) -> None:
    assert migrate.pending(database_url) == []
    assert migrate.upgrade(database_url) == []


def test_only_what_is_missing_is_applied(empty_database_url: str) -> None:
    first, *rest = migrate.pending(empty_database_url)
    migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (first,))
    assert migrate.pending(empty_database_url) == rest


def test_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    planned = migrate.pending(empty_database_url)
    names = ["first", "second", "third"]
    with psycopg.connect(empty_database_url) as obstacle:
        # Nobody can finish before all are under way: the first revision makes this table too.
        obstacle.execute("CREATE TABLE creators ()")
        processes = [
            start_upgrade(make_conninfo(empty_database_url, application_name=name))
            for name in names
        ]
        for name in names:
            wait_until_it_stays_connected(empty_database_url, name)
        obstacle.rollback()
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    applied = [out.split() for out, _ in said]
    assert sorted(applied) == sorted([planned, [], []])
    assert migrate.current(empty_database_url) == migrate.head()


def start_upgrade(url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", UPGRADER, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_it_stays_connected(url: str, application: str) -> None:
    question = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    seen: set[tuple[int]] = set()
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            now = set(connection.execute(question, (application,)).fetchall())
            if seen & now:
                return
            seen = now
            time.sleep(0.5)
    raise AssertionError(f"{application} is not connected")


def test_a_database_of_a_newer_release_is_refused_and_left_as_it_is(database_url: str) -> None:
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseUnavailable, match=r"revision 9999.* Install that release"):
        migrate.upgrade(database_url)
    assert migrate.current(database_url) == "9999"


def test_a_revision_that_fails_leaves_the_ones_before_it_and_nothing_of_its_own(
    empty_database_url: str,
) -> None:
    # The second revision makes this table.
    first, second, *_ = migrate.pending(empty_database_url)
    execute(empty_database_url, "CREATE TABLE procrastinate_workers ()")
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == first
    execute(empty_database_url, "DROP TABLE procrastinate_workers")
    assert migrate.upgrade(empty_database_url)[0] == second


def test_an_unreachable_database_says_what_to_do() -> None:
    with pytest.raises(DatabaseUnavailable, match="Start the server"):
        migrate.upgrade("postgresql://postgres@/vaultcrm?host=%2Fnowhere")


def test_special_characters_in_user_password_and_socket_path_are_no_obstacle(home: Path) -> None:
    with start_embedded(home / "it's a %41 folder", durable=False) as server:
        execute(server.url(), """CREATE ROLE "us@r:1" LOGIN SUPERUSER PASSWORD 'p@:/#%?'""")
        url = server.url().replace("postgres@/", "us%40r%3A1:p%40%3A%2F%23%25%3F@/", 1)
        assert migrate.upgrade(url)[-1] == migrate.head()


@pytest.fixture
def wheel_folder(tmp_path: Path) -> Path:
    """The contents of a wheel that is built from this checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    # Hooks fetch what browsers need, which is not what is tested here.
    environment = {**os.environ, "HATCH_BUILD_NO_HOOKS": "true"}
    subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, env=environment)
    (wheel,) = tmp_path.glob("*.whl")
    ZipFile(wheel).extractall(tmp_path / "contents")
    return tmp_path / "contents"


def test_an_installed_wheel_brings_its_migrations(
    wheel_folder: Path, empty_database_url: str
) -> None:
    planned = migrate.pending(empty_database_url)
    upgrader = f"{UPGRADER}print(migrate.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", upgrader, empty_database_url],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(wheel_folder), *sys.path[1:]])},
        cwd=wheel_folder,
    )
    module = wheel_folder / "vaultcrm" / "db" / "migrate.py"
    assert done.stdout.split() == [*planned, str(module)]
