"""The name of the request that is being answered, the same in answers, logs and other systems."""

import re
import secrets
from contextvars import ContextVar

_GOOD = re.compile(r"[A-Za-z0-9._-]{1,64}")

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The request that this task answers; None outside of one."""
    return _current.get()


def take_request_id(given: str | None) -> str:
    """The id that the caller gave if it is a plain one, else a new one; from now on it is this
    task's.
    """
    chosen = given if given and _GOOD.fullmatch(given) else secrets.token_hex(8)
    _current.set(chosen)
    return chosen
