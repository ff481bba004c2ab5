"""Locks of a home: one process at a time starts or stops its server, any number use it.

The kernel lets go of them when a process ends, however it ends.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from vaultcrm.db.embedded.place import Place
from vaultcrm.domain.errors import DatabaseUnavailable

_WAIT_FOR_OTHERS_SECONDS = 180


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """Only one process at a time starts or stops the server of a home.

    Raises `DatabaseUnavailable` when another one has been at it for three minutes.
    """
    deadline = time.monotonic() + _WAIT_FOR_OTHERS_SECONDS
    with _open_lock(place.home / "postgres.lock") as lock:
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another process has been starting or stopping the database of {place.home} "
                    f"for {_WAIT_FOR_OTHERS_SECONDS} seconds. Look at {place.journal}, end that "
                    "process, and try again."
                )
            time.sleep(0.05)
        yield


def hold(place: Place) -> FileIO:
    """Keep the server from being shut down until the file is closed or the process ends.

    Call it, as `is_held`, within `alone`.
    """
    file = _open_lock(_users(place))
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def is_held(place: Place) -> bool:
    """Whether any process, this one too, holds the server of a home."""
    with _open_lock(_users(place)) as users:
        return not _try_lock(users, fcntl.LOCK_EX)


def _users(place: Place) -> Path:
    return place.home / "postgres.users"


def _open_lock(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")


def _try_lock(file: FileIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
