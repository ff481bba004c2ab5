"""What a request is answered that was under way for too long when the server stopped."""

import asyncio
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultcrm.entrypoints.api.problems import problem

AGAIN_SECONDS = 5


class AnswerWhenStopped:
    """Answers 503 where the server cancels a request that has no answer yet.

    uvicorn itself says 500 then, as if something were broken; but whoever asks again, with the same
    `Idempotency-Key`, is served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def noting(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if answered:
                raise
            refusal = problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "stopping",
                "The server is stopping. Whether anything was changed is not known: send the "
                "request again with the same Idempotency-Key.",
                headers={"Retry-After": str(AGAIN_SECONDS)},
            )
            await refusal(scope, receive, send)
