"""Which process serves a data folder."""

import logging
import os
import socket
import subprocess
from pathlib import Path

from vaultcrm.db.embedded.place import Place

log = logging.getLogger(__name__)


def is_running(place: Place) -> bool:
    """Whether a server of `place` runs, ready to answer or not."""
    return postmaster(place) is not None or _is_listening(place)


def postmaster(place: Place) -> int | None:
    """The process id of the server of `place`; None when none runs that can be seen from here."""
    pid = _recorded_pid(place.pid_file)
    return pid if pid is not None and _serves(pid, place.data) else None


def drop_reused_locks(place: Place) -> None:
    """Remove PostgreSQL's lock files whose process id now belongs to some other program.

    PostgreSQL drops a lock whose process is gone; it would take the other program for a server.
    Its shared memory still guards the folder. Call it only when no server of `place` runs.
    """
    socket_lock = place.socket.with_name(f"{place.socket.name}.lock")
    for lock in (place.pid_file, socket_lock):
        pid = _recorded_pid(lock)
        if pid is not None and _is_alive(pid):
            log.info("Removing %s: process %d is not a server of this folder", lock, pid)
            lock.unlink(missing_ok=True)


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


def _is_listening(place: Place) -> bool:
    """Whether anybody answers on the socket: also a server whose process cannot be seen from here,
    as from another container that shares the folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(place.socket))
        except OSError:
            return False
        return True


def _is_alive(pid: int) -> bool:
    """Whether PostgreSQL could take process `pid` for a server; not when it is another user's."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
