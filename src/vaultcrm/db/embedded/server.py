"""The embedded server as the rest of the product sees it: start, hold, let go."""

from contextlib import suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from vaultcrm.db.embedded.account import server_account
from vaultcrm.db.embedded.data_folder import initialise, is_initialised
from vaultcrm.db.embedded.failures import explained
from vaultcrm.db.embedded.holds import alone, hold, is_held
from vaultcrm.db.embedded.place import DATABASE, Place, check_place, place_of, prepare_home
from vaultcrm.db.embedded.process import bring_up, ensure_database, shut_down
from vaultcrm.db.embedded.programs import Programs, find_programs
from vaultcrm.db.embedded.running import is_running, postmaster
from vaultcrm.domain.errors import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """One process's hold on the server of a home. Leaving the `with` block is `stop()`."""

    place: Place
    _hold: FileIO = field(repr=False)

    @property
    def data_directory(self) -> Path:
        return self.place.data

    def url(self, database: str = DATABASE) -> str:
        """The address of a database, as libpq and psycopg take it."""
        return self.place.url(database)

    def stop(self) -> None:
        """Let go of the server; it is shut down when nobody else holds it. May be called again.

        Raises `DatabaseUnavailable` when it was to be shut down and does not end.
        """
        if self._hold.closed:
            return
        self._hold.close()
        stop_if_unused(self.place.home)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_embedded(home: Path, *, durable: bool = True) -> EmbeddedServer:
    """The running server of `home`, started (and its folder made) when it is not running yet.

    The database `vaultcrm` exists afterwards. `durable=False` gives up crash safety for speed, for
    tests; it takes effect when this call is the one that starts the server. Raises
    `DatabaseUnavailable`, whose text says what to do.
    """
    place = place_of(home)
    check_place(place)
    account = server_account()
    with explained(place):
        prepare_home(place, account)
        # Before the lock, so that the answer is whose folder it is and not that a lock is closed.
        is_initialised(place, account)
        with alone(place):
            programs = find_programs(place, account)
            if not is_initialised(place, account):
                initialise(place, programs, durable=durable)
            held = hold(place)
            try:
                bring_up(place, programs, durable=durable)
                ensure_database(place)
            except BaseException:
                held.close()
                with suppress(DatabaseUnavailable):
                    _stop_unless_held(place, programs)
                raise
            return EmbeddedServer(place, held)


def revive_embedded(home: Path) -> bool:
    """Start the server of `home` again if it was killed while a process holds it; true if it was.

    Cheap while it runs. Raises `DatabaseUnavailable`.
    """
    place = place_of(home)
    if is_running(place):
        return False
    account = server_account()
    with explained(place), alone(place):
        if not is_held(place) or is_running(place):
            return False
        bring_up(place, find_programs(place, account), durable=True)
        return True


def stop_if_unused(home: Path) -> bool:
    """Shut the server of `home` down unless a process holds it; true when it was shut down.

    This ends a server whose processes were all killed. Raises `DatabaseUnavailable` when the server
    does not end.
    """
    place = place_of(home)
    with explained(place):
        if not place.pid_file.exists():
            return False
        account = server_account()
        with alone(place):
            return _stop_unless_held(place, find_programs(place, account))


def _stop_unless_held(place: Place, programs: Programs) -> bool:
    if is_held(place) or postmaster(place) is None:
        return False
    shut_down(place, programs)
    return True
