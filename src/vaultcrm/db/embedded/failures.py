"""What went wrong, as sentences that say what to do.

A sentence that one check alone says stands beside that check.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vaultcrm.db.embedded.account import user_name
from vaultcrm.db.embedded.place import Place
from vaultcrm.domain.errors import DatabaseUnavailable

_LITTLE_SPACE_BYTES = 32 * 1024 * 1024


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Turn what the file system refuses into `DatabaseUnavailable`."""
    home = place.home
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(place) from error
        what = f"{error.filename or home}: {error.strerror or error}"
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            user = user_name(os.geteuid())
            raise DatabaseUnavailable(
                f"The folder {home} cannot be used by {user} ({what}). Give it to {user}, or set "
                "VAULTCRM_HOME to a folder that this user can write."
            ) from error
        raise DatabaseUnavailable(
            f"The database folder in {home} cannot be used ({what}). Set VAULTCRM_HOME to another "
            "folder."
        ) from error


def failure(place: Place, what: str, said: str) -> DatabaseUnavailable:
    """The error for a program of PostgreSQL that failed at `what`, with the telling line of `said`.

    Its text names the full disk instead when that is the reason.
    """
    # A server whose log cannot grow says nothing. Root may still write where its user may not.
    if "No space left on device" in said or _free_bytes(place) < _LITTLE_SPACE_BYTES:
        return _disk_full(place)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    reason = (telling or lines or ["it gave no reason"])[-1]
    where = f" The whole log is in {place.journal}." if place.journal.exists() else ""
    return DatabaseUnavailable(f"{what}: {reason}.{where}")


def _disk_full(place: Place) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The disk that holds {place.home} is full. Free at least 200 MB there, or set "
        "VAULTCRM_HOME to a folder on another disk, and start again. Nothing that was stored is "
        "lost."
    )


def _free_bytes(place: Place) -> int:
    room = os.statvfs(place.home)
    return room.f_bavail * room.f_frsize
