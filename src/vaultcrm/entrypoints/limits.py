"""The most that one request may send."""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultcrm.entrypoints.api.problems import problem

MOST_BODY_BYTES = 1_000_000


class BodyLimit:
    """Refuses bodies over a million bytes, by their header or, without one, as they come in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > MOST_BODY_BYTES:
                await _too_large(scope, receive, send)
                return
        counted = 0
        refused = False

        async def counting_receive() -> Message:
            nonlocal counted, refused
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > MOST_BODY_BYTES:
                refused = True
                return {"type": "http.disconnect"}
            return message

        async def answering_send(message: Message) -> None:
            if not refused:
                await send(message)

        await self._app(scope, counting_receive, answering_send)
        if refused:
            await _too_large(scope, receive, send)


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    response = problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        f"A request may send at most {MOST_BODY_BYTES:,} bytes.",
    )
    await response(scope, receive, send)
