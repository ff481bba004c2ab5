"""Whom the server runs as: the user of this process, or a system user when that is root."""

import os
import pwd
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from vaultcrm.domain.errors import DatabaseUnavailable

SERVICE_USER = "vaultcrm-db"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as. `switch` is true when that is not the user of this process."""

    uid: int
    gid: int
    switch: bool


def server_account() -> Account:
    """The user of this process; for root the system user, made when missing.

    Raises `DatabaseUnavailable` when that user cannot be made.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    said = ""
    for attempt in range(10):
        with suppress(KeyError):
            entry = pwd.getpwnam(SERVICE_USER)
            return Account(entry.pw_uid, entry.pw_gid, switch=True)
        # useradd fails while another process edits the user list.
        time.sleep(0.1 * attempt)
        said = _add_service_user()
    raise DatabaseUnavailable(
        f"PostgreSQL does not run as root, and the system user {SERVICE_USER} for it cannot be "
        f"made ({said}). Make that user, start VaultCRM as another user, or set DATABASE_URL to a "
        "PostgreSQL server."
    )


def user_name(uid: int) -> str:
    """The name of a user, for sentences; `user 1234` when the system knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _add_service_user() -> str:
    """What useradd said; empty when it made the user."""
    shell = ["--shell", "/usr/sbin/nologin"]
    command = ["useradd", "--system", "--user-group", "--no-create-home", *shell, SERVICE_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    except OSError as error:
        return str(error)
    return done.stderr.strip()
