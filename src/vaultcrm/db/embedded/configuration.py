"""The server's settings, in a file of our own that `postgresql.conf` includes."""

import os
from pathlib import Path

from vaultcrm.db.embedded.account import Account
from vaultcrm.db.embedded.place import PORT, Place

SETTINGS_FILE = "vaultcrm.conf"

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Files in the data folder, where PostgreSQL's default on Linux is files in /dev/shm. Those are
    # lost when something cleans that folder, stay behind when the server is killed, and have no
    # room in a container's usual 64 MB: a parallel join there failed with "No space left on
    # device". Transactions of inserts ran equally fast with both.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Failed statements carry the texts of messages, which belong in the database and nowhere else.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def write_settings(folder: Path, place: Place, account: Account, *, durable: bool) -> None:
    """Write the settings of the server of `place` into `folder`, whole or not at all.

    `folder` is the data folder, or the one that is going to be it.
    """
    settings = {
        **_SETTINGS,
        # A list of folders; the quotes keep blanks in a name.
        "unix_socket_directories": f'"{place.data}"',
        **({} if durable else _NOT_DURABLE),
    }
    lines = ["# Written at every start of the server. For your own: ALTER SYSTEM SET name = value."]
    for name, value in settings.items():
        quoted = value.replace("'", "''")
        lines.append(f"{name} = '{quoted}'")
    unfinished = folder / f"{SETTINGS_FILE}.new"
    with unfinished.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if account.switch:
        os.chown(unfinished, account.uid, account.gid)
    unfinished.replace(folder / SETTINGS_FILE)
