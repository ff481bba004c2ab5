"""One process of `vaultcrm serve`, started as `python -m vaultcrm.entrypoints.cli.child …`.

    … web FD    serve HTTP on the listening socket that is open as file descriptor FD
    … worker    run jobs

Standard input is a pipe into which the parent writes nothing. It ends when the parent is gone,
however it went (also by `kill -9`), and then this process stops as it does on SIGTERM.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

GRACE_SECONDS = 30
"""How long a process whose parent is gone may take to finish what it is doing."""

REQUEST_SECONDS = 10
"""How long requests under way may take when the process is told to stop."""


def main() -> None:
    from vaultcrm.entrypoints.log_lines import log_as_set
    from vaultcrm.entrypoints.logs import keep_texts_out
    from vaultcrm.settings import load_settings

    keep_texts_out()
    as_json = log_as_set(load_settings())
    threading.Thread(target=_follow_the_parent, name="parent", daemon=True).start()
    match sys.argv[1:]:
        case ["web", descriptor]:
            _serve_web(int(descriptor), own_log=as_json)
        case ["worker"]:
            _run_worker()
        case _:
            sys.exit("This is a part of vaultcrm serve and is started by it.")


def _follow_the_parent() -> None:
    # Not sys.stdin: a thread that waits in it keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _serve_web(descriptor: int, *, own_log: bool) -> None:
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    from vaultcrm.entrypoints.asgi import create_app
    from vaultcrm.entrypoints.cli.patient_protocol import PatientProtocol
    from vaultcrm.settings import load_settings

    settings = load_settings()
    app = create_app(settings)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            # Rules and schemas stay as long as the process: to look through their 260,000 objects
            # for garbage takes a tenth of a second, in which nobody is answered.
            gc.collect()
            gc.freeze()

        # uvicorn waits for all that it serves, and a page that listens would listen on.
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if live := getattr(app.state, "live", None):
                live.stop()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=PatientProtocol,
        access_log=False,
        server_header=False,
        # Only proxies that are named may say whose request it is; uvicorn alone would believe any
        # on this machine.
        proxy_headers=bool(settings.vaultcrm_trusted_proxies),
        forwarded_allow_ips=list(settings.vaultcrm_trusted_proxies),
        log_config=None if own_log else LOGGING_CONFIG,
        log_level="warning",
        timeout_graceful_shutdown=REQUEST_SECONDS,
    )
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _run_worker() -> None:
    from vaultcrm.entrypoints.worker.run import main as run_jobs
    from vaultcrm.settings import load_settings

    run_jobs(load_settings())


if __name__ == "__main__":
    main()
