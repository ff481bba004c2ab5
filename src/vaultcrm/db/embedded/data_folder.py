"""The data folder: whether it is ours, and making a new one."""

import os
import shutil

from vaultcrm.db.embedded.account import SERVICE_USER, Account, user_name
from vaultcrm.db.embedded.configuration import SETTINGS_FILE, write_settings
from vaultcrm.db.embedded.failures import failure
from vaultcrm.db.embedded.place import SUPERUSER, Place
from vaultcrm.db.embedded.programs import MAJOR_VERSION, Programs
from vaultcrm.domain.errors import DatabaseUnavailable


def is_initialised(place: Place, account: Account) -> bool:
    """True for a data folder of ours, false when there is none yet.

    Raises `DatabaseUnavailable` for any other folder, and for data of another PostgreSQL version.
    """
    data = place.data
    if not data.exists():
        return False
    if not data.is_dir():
        raise DatabaseUnavailable(
            f"{data} is a file, and the database's folder must stand there. Move it away, or set "
            "VAULTCRM_HOME to another folder."
        )
    owner = data.stat().st_uid
    if owner != account.uid and not os.access(data, os.R_OK | os.X_OK):
        raise _somebody_elses(place, owner)
    if not any(data.iterdir()) and (owner == account.uid or account.switch):
        return False
    if not (data / "PG_VERSION").exists() or not (data / SETTINGS_FILE).exists():
        raise DatabaseUnavailable(
            f"The folder {data} was not made by VaultCRM and is left as it is. Move it away, or "
            "set VAULTCRM_HOME to another folder."
        )
    if owner != account.uid:
        raise _somebody_elses(place, owner)
    version = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != str(MAJOR_VERSION):
        raise DatabaseUnavailable(
            f"The folder {data} holds data of PostgreSQL {version}; this release of VaultCRM "
            f"brings PostgreSQL {MAJOR_VERSION}. Start the release that made it and dump the data "
            "with pg_dump, or set DATABASE_URL to a server that holds it."
        )
    return True


def initialise(place: Place, programs: Programs, *, durable: bool) -> None:
    """Make the data folder, whole or not at all. Raises `DatabaseUnavailable` or OSError."""
    # Made beside its place and renamed when complete: initdb writes PG_VERSION early, so that a
    # folder left by a killed initdb would look like a good one.
    fresh = place.data.with_name("postgres.new")
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    account = programs.account
    try:
        if account.switch:
            os.chown(fresh, account.uid, account.gid)
        done = programs.run(
            "initdb",
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            # Upper and lower case of all scripts, the same on every machine.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        )
        if done.returncode != 0:
            raise failure(place, "PostgreSQL could not make its data folder", done.stderr)
        with (fresh / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(f"\ninclude '{SETTINGS_FILE}'\n")
            file.flush()
            os.fsync(file.fileno())
        write_settings(fresh, place, account, durable=durable)
        fresh.rename(place.data)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _somebody_elses(place: Place, owner: int) -> DatabaseUnavailable:
    name = user_name(owner)
    user = "root" if name == SERVICE_USER else name
    return DatabaseUnavailable(
        f"The data folder {place.data} belongs to {name}. Start VaultCRM as {user}, or set "
        "VAULTCRM_HOME to another folder."
    )
