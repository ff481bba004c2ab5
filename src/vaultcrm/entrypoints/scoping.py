"""A request sees nobody's rows until it is known who asks."""

from starlette.types import ASGIApp, Receive, Scope, Send

from vaultcrm.db.row_scope import NOTHING, seeing


class SeesNothingYet:
    """Around everything that a request runs through, errors included.

    A server may begin a request in the task of the one before it, and what that one saw goes no
    further.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with seeing(NOTHING):
            await self._app(scope, receive, send)
