"""Logs without what people wrote: no personal data, and no text out of an error.

An error's own words may quote a message: a database names the value that it refuses, a parser the
input that it stopped at. So of an error only its kind and the places in the code are logged. Lines
of a log are read for personal data as prompts are.
"""

import logging
import traceback
from collections.abc import Callable, Iterator

from vaultcrm.pipeline.safety.personal_data import redact

LONGEST_LINE = 2_000
"""A longer line is cut: no line of ours is, so that it holds something that was sent to us."""

SHORTEST_WORDS = 4
"""Words of an error that are shorter are not looked for in a line: they say nothing of anybody."""

UNREADABLE = "A line of the log could not be written: its values do not fit its text."


def keep_texts_out() -> None:
    """From now on every line that this process logs, by whichever logger, is without them."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, _Redacting):
        logging.setLogRecordFactory(_Redacting(make))


class _Redacting:
    """Makes log records as `make` does, and takes out what must not be read in a log."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *arguments: object, **named: object) -> logging.LogRecord:
        record = self._make(*arguments, **named)
        error = record.exc_info[1] if record.exc_info else None
        try:
            line = record.getMessage()
        except Exception:
            line = UNREADABLE
        for one in _chain(error):
            # "Exception in ASGI application: ..." and the like repeat the error's words.
            if len(words := str(one)) >= SHORTEST_WORDS:
                line = line.replace(words, type(one).__name__)
        record.msg, record.args = redact(line[:LONGEST_LINE]), ()
        record.exc_info = None
        if error is not None:
            record.exc_text = places(error)
        return record


def places(error: BaseException) -> str:
    """Where an error and those that led to it came about, innermost last, without their words."""
    lines: list[str] = []
    for one in _chain(error):
        kind = type(one)
        lines.append(f"{kind.__module__}.{kind.__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(one.__traceback__)
        ]
    return "\n".join(lines)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it came from, and so on; for a group of errors, its parts too."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.append(one.__cause__ or one.__context__)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
