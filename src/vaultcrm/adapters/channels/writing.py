"""Sending where the platform knows no idempotency key: how far a request got.

A message whose body was begun may have been taken; before that it certainly was not.
"""

from typing import Any

import httpx2


class Writing:
    """How far the request under way got. `note` is for the HTTP client's extension `trace`."""

    def __init__(self) -> None:
        self.begun = False

    async def note(self, step: str, _: dict[str, Any]) -> None:
        """Told by the HTTP client of each of its steps."""
        self.begun = self.begun or step.endswith("send_request_body.started")


def client_of_new_connections(timeout_seconds: float) -> httpx2.AsyncClient:
    """A client that connects anew for each request and follows no redirect.

    A kept connection that the other side has just closed takes a message and gives no answer, which
    nobody can tell from a message that was taken: every send would risk being uncertain.
    """
    return httpx2.AsyncClient(
        timeout=timeout_seconds,
        follow_redirects=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
    )
