"""`vaultcrm backup` and `vaultcrm restore`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.entrypoints.cli.environment import explained, say, settings_or_exit, stderr, stdout

if TYPE_CHECKING:
    from vaultcrm.db.backups.writing import Labels, Watch
    from vaultcrm.settings import Settings

SAFETY_COPIES = "backups"
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="the backup")]


def backup(file: BackupFile) -> None:
    """Write everything that is stored into a new file. May be done while VaultCRM works.

    The installation's key is not in it: keep VAULTCRM_SECRET_KEY, or signing.key of the home, too.
    """
    from vaultcrm.db.backups.writing import write_backup

    settings = settings_or_exit()
    with explained(), _database(settings) as url, _progress() as watch:
        manifest = write_backup(url, file.absolute(), _labels(settings), watch)
    stdout.print(
        f"Wrote {file}: {manifest.rows:,} rows of {len(manifest.tables)} tables, "
        f"{file.stat().st_size / 1e6:,.1f} MB.",
        markup=False,
        soft_wrap=True,
    )


def restore(
    file: BackupFile,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="also where there is data, which is backed up first"),
    ] = False,
    moved: Annotated[
        bool,
        typer.Option(
            "--moved",
            help="nothing has worked since the backup: what waited to leave then leaves now",
        ),
    ] = False,
) -> None:
    """Put back what a backup holds, after everything that uses the database was stopped.

    Messages that waited to leave may have left since the backup, so a person is asked about each.
    """
    from vaultcrm.db.backups.restoring import restore_backup

    settings = settings_or_exit()
    labels = _labels(settings)
    copy = settings.vaultcrm_home / SAFETY_COPIES / f"before-restore-{labels.now:%Y%m%dT%H%M%S}.zip"
    with explained(), _database(settings) as url, _progress() as watch:
        done = restore_backup(
            url,
            file.absolute(),
            labels,
            safety_copy=copy if replace else None,
            moved=moved,
            watch=watch,
        )
    manifest = done.manifest
    restored = f"Restored {manifest.rows:,} rows of {len(manifest.tables)} tables"
    as_of = f"{manifest.taken_at:%Y-%m-%d %H:%M} UTC"
    told = [f"{restored}, as of {as_of}. Each table was compared with the backup."]
    if done.applied:
        told.append(f"Migrated to this release: {', '.join(done.applied)}.")
    if done.safety_copy is not None:
        told.append(f"What was there before is in {done.safety_copy}.")
    if done.held:
        told.append(
            f"{done.held:,} messages that waited to leave are uncertain now: look on the platform, "
            "then say in the console what happened."
        )
    for line in told:
        stdout.print(line, markup=False, soft_wrap=True)
    if manifest.key_hint != labels.key_hint:
        say(
            "The backup was written with another installation's key. Set that key as "
            "VAULTCRM_SECRET_KEY, or connect the channels anew: their credentials cannot be read."
        )


@contextmanager
def _database(settings: "Settings") -> Iterator[str]:
    """The address of the database as its owner, not migrated."""
    from vaultcrm.db.embedded import start_embedded

    if settings.database_url is not None:
        yield settings.database_url
        return
    with stderr.status("Starting the database"):
        server = start_embedded(settings.vaultcrm_home)
    with server:
        yield server.url()


def _labels(settings: "Settings") -> "Labels":
    import hashlib
    import hmac

    from vaultcrm import __version__
    from vaultcrm.bootstrap import utc_now
    from vaultcrm.controls.secrets import installation_key
    from vaultcrm.db.backups.writing import Labels

    with explained():
        key = installation_key(settings.vaultcrm_home, settings.vaultcrm_secret_key)
    hint = hmac.new(key, b"vaultcrm:backup", hashlib.sha256).hexdigest()[:16]
    return Labels(__version__, hint, utc_now())


@contextmanager
def _progress() -> Iterator["Watch"]:
    """A line on the terminal that says what is done; nothing where there is no terminal."""
    with stderr.status("Looking") as status:

        def watch(what: str, share: float | None) -> None:
            status.update(what if share is None else f"{what} ({share:.0%})")

        yield watch
