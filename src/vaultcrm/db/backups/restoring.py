"""Put a backup back: into a fresh database, which is compared and then takes the other's place.

The database that is there is not touched until the fresh one is known to be the same as the backup,
row for row. Killed at any moment, one of the two is in place, whole.
"""

import hashlib
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from vaultcrm.db import migrate
from vaultcrm.db.backups.manifest import DUMP, MANIFEST, Manifest, read_manifest
from vaultcrm.db.backups.programs import restoring
from vaultcrm.db.backups.tables import read_tables
from vaultcrm.db.backups.writing import PIECE, Labels, Watch, ignore, write_backup
from vaultcrm.db.pool import connect
from vaultcrm.db.queries.alerts import RAISE
from vaultcrm.db.role_setup import ensure_application_role
from vaultcrm.domain.alerts import AlertKind, Severity, creator_subject
from vaultcrm.domain.errors import BackupFailed
from vaultcrm.domain.ids import new_id

_MAINTENANCE_DATABASE = "postgres"
_LONGEST_NAME = 63
LEAVING_SECONDS = 2.0
"""So long a connection that was just closed may still be seen."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: `safety_copy` is a backup of what was there before, `held` how many
    messages that waited to leave wait for a person now, `applied` the migrations since.
    """

    manifest: Manifest
    safety_copy: Path | None
    held: int
    applied: tuple[str, ...]


def open_backup(file: Path) -> Manifest:
    """What a file says it holds, after it has been read to its end and found whole.

    Raises `BackupFailed`.
    """
    with _archive(file) as archive:
        manifest = _manifest(archive)
        digest, size = hashlib.sha256(), 0
        with archive.open(DUMP) as stream:
            while piece := stream.read(PIECE):
                digest.update(piece)
                size += len(piece)
    if (size, digest.hexdigest()) != (manifest.dump_bytes, manifest.dump_sha256):
        raise BackupFailed(f"{file} is damaged: its content is not what was written. Use another.")
    if not migrate.is_known(manifest.revision):
        raise BackupFailed(
            f"The backup was written by VaultCRM {manifest.version}, whose tables this release "
            "does not know. Install that release or a newer one, and restore with it."
        )
    return manifest


def holds_data(url: str) -> bool:
    """Whether there is anything that a restored backup would replace: a creator or a person."""
    with connect(url) as connection:
        row = connection.execute("SELECT to_regclass('creators'), to_regclass('users')").fetchone()
        if row is None or None in row:
            return False
        row = connection.execute(
            """SELECT EXISTS (SELECT 1 FROM creators)
                   OR EXISTS (SELECT 1 FROM users WHERE email IS NOT NULL)"""
        ).fetchone()
        return row == (True,)


def restore_backup(
    url: str,
    file: Path,
    labels: Labels,
    *,
    safety_copy: Path | None = None,
    moved: bool = False,
    watch: Watch = ignore,
) -> Restored:
    """Put in the place of the database at `url` what a backup holds, migrated to this release.

    Where there is data, it is backed up to `safety_copy` first; without one that is an error. The
    login must be allowed to make databases, and nobody else may be connected.

    What waited to leave when the backup was written may have left since. So it waits for a person
    to say, unless the installation has only `moved`. Raises `BackupFailed` or
    `DatabaseUnavailable`; everything is as it was then.
    """
    watch("Reading the backup", None)
    manifest = open_backup(file)
    name = str(conninfo_to_dict(url).get("dbname") or "")
    fresh, replaced = _beside(name, "restoring"), _beside(name, "replaced")
    with connect(_at(url, _MAINTENANCE_DATABASE)) as server:
        major = server.info.server_version // 10000
        if major < manifest.postgres:
            raise BackupFailed(
                f"The backup is of PostgreSQL {manifest.postgres}, and this server is PostgreSQL "
                f"{major}. Restore it to a server that is as new."
            )
        _require_alone(server, name)
        copied = _copy_first(url, labels, safety_copy, watch)
        for left in (fresh, replaced):
            _drop(server, left)
        with _explained():
            server.execute(SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(fresh)))
        try:
            applied, held = _fill(_at(url, fresh), file, manifest, labels.now, moved, watch)
            _require_alone(server, name)
            _swap(server, name, fresh, replaced)
        except BaseException:
            _drop(server, fresh)
            raise
        _drop(server, replaced)
    return Restored(manifest, copied, held, applied)


def _drop(server: psycopg.Connection, name: str) -> None:
    # By force: what was killed may have left a pg_restore behind.
    server.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _copy_first(url: str, labels: Labels, safety_copy: Path | None, watch: Watch) -> Path | None:
    if not holds_data(url):
        return None
    if safety_copy is None:
        raise BackupFailed(
            "There is data already, which the backup would replace. Add --replace to do that; what "
            "is there is backed up first."
        )
    safety_copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_backup(url, safety_copy, labels, lambda what, share: watch(f"Safety copy. {what}", share))
    return safety_copy


def _fill(
    url: str, file: Path, manifest: Manifest, now: datetime, moved: bool, watch: Watch
) -> tuple[tuple[str, ...], int]:
    """Migrations that were applied, and messages that are held."""
    # The dump gives rights to the application's role, which may not be there yet.
    ensure_application_role(url)
    with _archive(file) as archive, archive.open(DUMP) as stream, restoring(url) as into:
        done = 0
        while piece := stream.read(PIECE):
            into.write(piece)
            done += len(piece)
            watch(f"Restoring, {done / 1e6:,.0f} MB", done / max(manifest.dump_bytes, 1) / 2)
    with connect(url) as connection:
        tables = read_tables(
            connection,
            lambda name, number, count: watch(f"Comparing {name}", 0.5 + number / count / 2),
        )
    differing = sorted(
        name
        for name in {*tables, *manifest.tables}
        if tables.get(name) != manifest.tables.get(name)
    )
    if differing:
        raise BackupFailed(
            f"What was restored is not what the backup was made of, in {', '.join(differing)}. "
            "Nothing was replaced. Use another backup."
        )
    watch("Migrating", None)
    applied = tuple(migrate.upgrade(url))
    ensure_application_role(url)
    return applied, 0 if moved else _hold(url, now)


# Whoever answers for the fan looks on the platform and says whether it arrived.
_HOLD = """
    UPDATE outbox
    SET delivery_status = 'uncertain', updated_at = %(now)s,
        error = 'restored from a backup: it may have left since'
    WHERE delivery_status IN ('pending', 'sending')
    RETURNING creator_id
"""


def _hold(url: str, now: datetime) -> int:
    with connect(url) as connection, connection.transaction():
        held = connection.execute(_HOLD, {"now": now}).fetchall()
        for creator_id in {row[0] for row in held}:
            alert = {
                "id": new_id(),
                "kind": AlertKind.MESSAGE_UNCERTAIN.value,
                "subject": creator_subject(creator_id),
                "severity": Severity.WARNING.value,
                "message": "A backup was restored, and messages that waited to leave then may have "
                "left since. They are not sent again. Look on the platform, then say what "
                "happened.",
                "details": "{}",
                "now": now,
            }
            connection.execute(RAISE.encode(), alert)
    return len(held)


def _swap(server: psycopg.Connection, name: str, fresh: str, replaced: str) -> None:
    rename = SQL("ALTER DATABASE {} RENAME TO {}")
    with _explained(), server.transaction():
        server.execute(rename.format(Identifier(name), Identifier(replaced)))
        server.execute(rename.format(Identifier(fresh), Identifier(name)))


def _require_alone(server: psycopg.Connection, name: str) -> None:
    """Raise BackupFailed while somebody is connected. Who has just gone may take a moment."""
    until = time.monotonic() + LEAVING_SECONDS
    while connected := _connected(server, name):
        if time.monotonic() > until:
            raise BackupFailed(
                f"The database is in use, by {connected} connections. Stop vaultcrm serve and "
                "every worker, and try again."
            )
        time.sleep(0.05)


def _connected(server: psycopg.Connection, name: str) -> int:
    row = server.execute(
        """SELECT count(*) FROM pg_stat_activity
           WHERE datname = %(name)s AND backend_type = 'client backend'""",
        {"name": name},
    ).fetchone()
    return 0 if row is None else int(row[0])


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg.errors.ObjectInUse:
        raise BackupFailed(
            "Somebody has connected to the database meanwhile. Stop vaultcrm serve and every "
            "worker, and try again."
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise BackupFailed(
            "The login may not make databases, which restoring needs. Name one in DATABASE_URL "
            "that may (CREATEDB), or restore database.dump of the file with pg_restore."
        ) from None
    except psycopg.errors.DiskFull:
        raise BackupFailed(
            "The disk of the database is full. Free as much as the database takes, and try again. "
            "Nothing was replaced."
        ) from None


@contextmanager
def _archive(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except zipfile.BadZipFile:
        raise BackupFailed(f"{file} is no backup, or it was cut off. Use another.") from None
    except KeyError:
        raise BackupFailed(f"{file} is no backup of VaultCRM.") from None
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror or error}.") from None


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    return read_manifest(archive.read(MANIFEST))


def _at(url: str, database: str) -> str:
    return make_conninfo(url, dbname=database)


def _beside(name: str, what: str) -> str:
    return f"{name[: _LONGEST_NAME - len(what) - 1]}_{what}"
