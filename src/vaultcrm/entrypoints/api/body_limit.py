"""The most that one request may send.

FastAPI has such a limit too (`max_body_size`), but answers a declared length that is over it with
a plain text of its own, whatever the handlers of errors say.
"""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultcrm.entrypoints.api.problems import body_too_large, most_bytes


class BodyLimit:
    """Refuses a body by its declared length or, where none is declared, as it comes in.

    A server never hands on more than was declared, so such a body needs no counting.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        most = most_bytes(scope["path"])
        declared = _declared_length(scope)
        if declared is None:
            await self._app(scope, _counted(receive, most), send)
        elif declared > most:
            await body_too_large(scope["path"])(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else None
    return None


def _counted(receive: Receive, most: int) -> Receive:
    read = 0

    async def counting() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return message

    return counting
