"""Write a backup: one snapshot of the database, streamed into a new file."""

import errno
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from vaultcrm.db import migrate
from vaultcrm.db.backups.manifest import DUMP, MANIFEST, Manifest
from vaultcrm.db.backups.programs import dumping
from vaultcrm.db.backups.tables import read_tables
from vaultcrm.db.pool import connect
from vaultcrm.domain.errors import BackupFailed

PIECE = 1 << 20
Watch = Callable[[str, float | None], None]
"""Is told what is being done, and which share of it is done where that is known."""


def ignore(what: str, share: float | None) -> None:
    """A watch that tells nobody."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What stands in a backup of whoever writes it."""

    version: str
    key_hint: str
    now: datetime


def write_backup(url: str, file: Path, labels: Labels, watch: Watch = ignore) -> Manifest:
    """Write all that the database at `url` holds into a new file, readable by its owner alone.

    The login must be allowed to read everything. The file is there as a whole or not at all.
    Raises `BackupFailed` or `DatabaseUnavailable`.
    """
    if file.exists():
        raise BackupFailed(f"{file} is there already. Name another file, or remove it.")
    revision = migrate.current(url)
    if revision is None:
        raise BackupFailed("There is nothing to back up: the database has no tables yet.")
    unfinished = file.with_name(f"{file.name}.part")
    with _explained(file), connect(url) as connection:
        try:
            manifest = _write(connection, url, unfinished, revision, labels, watch)
            _put_in_place(unfinished, file)
        finally:
            unfinished.unlink(missing_ok=True)
    return manifest


def _write(
    connection: psycopg.Connection,
    url: str,
    unfinished: Path,
    revision: str,
    labels: Labels,
    watch: Watch,
) -> Manifest:
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = connection.execute(
        "SELECT pg_export_snapshot(), pg_database_size(current_database())"
    ).fetchone()
    assert row is not None  # noqa: S101 -- a SELECT without FROM answers one row
    snapshot, size = row
    tables = read_tables(
        connection, lambda name, number, count: watch(f"Reading {name}", number / count / 2)
    )
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("r+b") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            written, digest = _dump(archive, url, snapshot, size, watch)
            manifest = Manifest(
                version=labels.version,
                taken_at=labels.now,
                revision=revision,
                postgres=connection.info.server_version // 10000,
                size=size,
                key_hint=labels.key_hint,
                dump_bytes=written,
                dump_sha256=digest,
                tables=tables,
            )
            archive.writestr(_entry(MANIFEST, labels.now), manifest.as_json())
        out.flush()
        os.fsync(out.fileno())
    return manifest


def _dump(
    archive: zipfile.ZipFile, url: str, snapshot: str, size: int, watch: Watch
) -> tuple[int, str]:
    """Bytes and SHA-256 of what pg_dump wrote."""
    written, digest = 0, hashlib.sha256()
    with (
        archive.open(zipfile.ZipInfo(DUMP), "w", force_zip64=True) as entry,
        dumping(url, snapshot=snapshot) as stream,
    ):
        while piece := stream.read(PIECE):
            entry.write(piece)
            digest.update(piece)
            written += len(piece)
            watch(f"Writing, {written / 1e6:,.0f} MB", 0.5 + min(written / max(size, 1), 1) / 2)
    return written, digest.hexdigest()


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, now.timetuple()[:6])


def _put_in_place(unfinished: Path, file: Path) -> None:
    try:
        # Fails, where a rename would replace what has come up meanwhile.
        file.hardlink_to(unfinished)
    except OSError as error:
        # Some disks know no links.
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP} or file.exists():
            raise
        unfinished.rename(file)
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise BackupFailed(f"{file} is there already. Name another file, or remove it.") from None
    except psycopg.errors.InsufficientPrivilege:
        raise BackupFailed(
            "The login may not see every row, and a part of them is no backup. Name the owner of "
            "the tables in DATABASE_URL for this command."
        ) from None
    except OSError as error:
        raise BackupFailed(_advice(file, error)) from error


def _advice(file: Path, error: OSError) -> str:
    folder = file.parent
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(folder).free / 1e6
        return (
            f"The disk of {folder} is full ({free:,.0f} MB are free). Free some, or name a file on "
            "another disk. Nothing was left there."
        )
    return f"{file} cannot be written: {error.strerror or error}. Name another file."
