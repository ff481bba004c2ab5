"""The address that `vaultcrm serve` listens on: taken before anything else is started."""

import errno
import socket

import typer

from vaultcrm.entrypoints.cli.environment import say

_BACKLOG = 2048


def listen_or_exit(host: str, port: int) -> socket.socket:
    """A listening socket, or exit code 1 with the reason. Port 0 is any that is free."""
    try:
        family, address = _resolve(host, port)
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except OSError as error:
        say(_reason(error, host, port))
        raise typer.Exit(1) from None


def address_of(listener: socket.socket) -> str:
    """Where a program on this machine reaches it, as http://host:port."""
    host, port = listener.getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- compared, not bound
    return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # "localhost" means both, and IPv4 is what the printed addresses are made of.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _reason(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{host} is not an address of this machine. Use 127.0.0.1 for this machine alone, or "
            "0.0.0.0 to be reached from others."
        )
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use. Stop the program that listens there, or choose "
            "another port with --port."
        )
    if error.errno == errno.EACCES:
        return (
            f"This user may not listen on port {port}. Choose one of 1024 or more with --port, "
            "and let a proxy pass requests on."
        )
    return f"Port {port} of {host} cannot be listened on: {error.strerror}. Choose another."
