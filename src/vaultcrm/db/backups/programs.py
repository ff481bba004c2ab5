"""pg_dump and pg_restore of the package: how they are run, and what they said when they failed."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vaultcrm.db.embedded.programs import installed_programs
from vaultcrm.db.pool import connect_string
from vaultcrm.domain.errors import BackupFailed


@contextmanager
def dumping(url: str, *, snapshot: str) -> Iterator[IO[bytes]]:
    """What pg_dump writes of a database as a snapshot sees it. Raises `BackupFailed` at the end if
    it failed.
    """
    arguments = ("--format=custom", "--no-owner", f"--snapshot={snapshot}")
    with _running("pg_dump", url, *arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 -- it is a pipe
        yield process.stdout


@contextmanager
def restoring(url: str) -> Iterator[IO[bytes]]:
    """Where pg_restore, which fills a database, reads a dump from. Raises `BackupFailed`."""
    arguments = ("--exit-on-error", "--no-owner")
    with _running("pg_restore", url, *arguments, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 -- it is a pipe
        try:
            yield process.stdin
            process.stdin.close()
        except BrokenPipeError:
            # It has ended already, and says why.
            pass


@contextmanager
def _running(
    program: str,
    url: str,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    place, environment = _login(url)
    command = [str(installed_programs() / "bin" / program), *arguments, f"--dbname={place}"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 -- a program of our own package, no shell
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL if stdout is None else stdout,
            stderr=said,
            env=environment,
            # A Ctrl-C in the terminal is for us, who then stop it.
            start_new_session=True,
        )
        try:
            yield process
            for pipe in (process.stdin, process.stdout):
                if pipe is not None and not pipe.closed:
                    pipe.close()
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if status != 0:
            said.seek(0)
            raise BackupFailed(f"{program} failed: {_reason(said.read())}")


def _login(url: str) -> tuple[str, dict[str, str]]:
    """Where to, and with which environment: a password on a command line is everybody's to read."""
    parts = conninfo_to_dict(connect_string(url))
    password = parts.pop("password", None)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    for name in ("PGPASSFILE", "HOME"):
        if value := os.environ.get(name):
            environment[name] = value
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), environment


def _reason(said: bytes) -> str:
    """The telling line, without what a failed statement quotes of the data."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    telling = [line for line in lines if "error:" in line or "FATAL" in line]
    return (telling or lines or ["it gave no reason"])[0][:300]
