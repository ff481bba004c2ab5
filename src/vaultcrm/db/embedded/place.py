"""Where the files of a home's server lie, and whether a server can live there."""

import errno
import logging
import os
import pwd
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from vaultcrm.db.embedded.account import Account
from vaultcrm.domain.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

DATABASE = "vaultcrm"
SUPERUSER = "postgres"
PORT = 5432

_LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one home's server. `home` is absolute and without symbolic links."""

    home: Path

    @property
    def data(self) -> Path:
        """The data folder, which PostgreSQL calls a database cluster."""
        return self.home / "postgres"

    @property
    def journal(self) -> Path:
        """The server's own log."""
        return self.data / "server.log"

    @property
    def pid_file(self) -> Path:
        """Where PostgreSQL keeps the process id of the server that uses the data folder."""
        return self.data / "postmaster.pid"

    @property
    def socket(self) -> Path:
        return self.data / f".s.PGSQL.{PORT}"

    def url(self, database: str) -> str:
        """The address of a database, as libpq and psycopg take it."""
        host = quote(str(self.data), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"


def place_of(home: Path) -> Place:
    """The place that a home as users write it stands for."""
    return Place(home.expanduser().resolve())


def check_place(place: Place) -> None:
    """Raise `DatabaseUnavailable` for a path that no server can live in. Changes nothing."""
    home = place.home
    longest = len(os.fsencode(place.socket))
    if longest > _LONGEST_SOCKET_PATH:
        raise DatabaseUnavailable(
            f"The path {home} is {longest - _LONGEST_SOCKET_PATH} bytes too long for the socket of "
            "a database server. Set VAULTCRM_HOME to a shorter path."
        )
    if any(character in str(home) for character in ',"$`\\\n'):
        raise DatabaseUnavailable(
            f"The path {home} holds a character that PostgreSQL's programs do not take. Set "
            'VAULTCRM_HOME to a path without , " $ ` \\ and line breaks.'
        )
    if os.geteuid() != 0:
        return
    root_home = Path(pwd.getpwuid(0).pw_dir).resolve()
    if root_home != Path(root_home.anchor) and home.is_relative_to(root_home):
        raise DatabaseUnavailable(
            f"PostgreSQL does not run as root, and the user that it runs as cannot reach {home} "
            f"unless {root_home} is opened to all users. Set VAULTCRM_HOME to a folder outside "
            f"{root_home}, such as /var/lib/vaultcrm, or start VaultCRM as another user."
        )


def prepare_home(place: Place, account: Account) -> None:
    """Make the home when it is missing, and let the server's user pass through to it.

    Raises OSError when the home cannot be made or written.
    """
    home = place.home
    home.mkdir(mode=0o711 if account.switch else 0o700, parents=True, exist_ok=True)
    if not os.access(home, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "not writable", str(home))
    if account.switch:
        for folder in (home, *home.parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                # Passing through, not reading: names of files below stay hidden.
                log.info("Letting all users pass through %s, as PostgreSQL's must", folder)
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
