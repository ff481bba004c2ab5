"""Which request a task answers, so that whatever is written down on its way can name it."""

from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The request that this task answers; None outside of one."""
    return _current.get()


def begin_request(request_id: str) -> None:
    """From now on this task answers a request of this name."""
    _current.set(request_id)
