"""`vaultcrm import FILE.jsonl`: conversations from a file, with progress and a report."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vaultcrm.domain.errors import VaultError
from vaultcrm.entrypoints.cli.environment import settings_or_exit

if TYPE_CHECKING:
    from vaultcrm.settings import Settings
    from vaultcrm.workflows.import_conversations import ImportProgress, ImportReport

MOST_SHOWN = 50
"""So many bad lines are shown one by one."""

SKIPPED_SOME = 1
NOT_DONE = 2


class _Unreadable(Exception):
    """The file cannot be read, or not to its end."""


def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            allow_dash=True,
            help="JSON Lines, one conversation a line; - reads standard input.",
        ),
    ],
) -> None:
    """Import conversations. A bad line is reported and skipped; the same file twice is harmless.

    Ends with 0 when every line was good, 1 when some were skipped, 2 when the file or the database
    could not be read.
    """
    import psycopg

    settings = settings_or_exit()
    try:
        with _opened(file) as stream:
            report = asyncio.run(_import(settings, stream))
    except _Unreadable as error:
        _give_up(f"{file} cannot be read: {error}.")
    except VaultError as error:
        _give_up(str(error))
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        _give_up(
            f"The database stopped answering: {reason}. What was imported stays; run the same "
            "command again for the rest."
        )
    for line in report_lines(report):
        typer.echo(line)
    if report.lines_skipped:
        raise typer.Exit(SKIPPED_SOME)


def report_lines(report: "ImportReport") -> Iterator[str]:
    """What a person is told after an import: counts, then each bad line with its reasons."""
    good = report.lines - report.lines_skipped
    noun = "line" if report.lines == 1 else "lines"
    yield f"{report.lines:,} {noun}: {good:,} imported, {report.lines_skipped:,} skipped."
    yield f"Conversations: {report.conversations_new:,} new, {report.conversations_known:,} known."
    yield f"Messages: {report.messages_new:,} new, {report.messages_known:,} known."
    yield f"Fans: {report.fans_new:,} new, {report.fans_changed:,} brought up to date."
    yield f"Creators: {report.creators_new:,} new."
    if report.purchases_new:
        yield f"Known messages now marked as bought: {report.purchases_new:,}."
    if good and not report.changed:
        yield "Nothing changed: all of this was there already."
    yield from map(str, report.problems[:MOST_SHOWN])
    if report.lines_skipped > MOST_SHOWN:
        yield f"and {report.lines_skipped - MOST_SHOWN:,} more"


def _give_up(reason: str) -> NoReturn:
    typer.echo(reason, err=True)
    raise typer.Exit(NOT_DONE)


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise _Unreadable(error.strerror) from error
    with stream:
        yield stream


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    from vaultcrm.workflows.import_format import read_lines

    try:
        yield from read_lines(stream)
    except OSError as error:
        raise _Unreadable(error.strerror) from error


async def _import(settings: "Settings", stream: BinaryIO) -> "ImportReport":
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.pipeline.safety.filter import ContentFilter
    from vaultcrm.workflows.import_conversations import import_conversations

    console = Console(stderr=True)
    content_filter = ContentFilter.load()
    async with open_database(settings) as pool:
        if not console.is_terminal:
            return await import_conversations(
                pool, _lines(stream), content_filter=content_filter, now=utc_now()
            )
        with _progress(console) as bar:
            size = _size(stream)
            task = bar.add_task("Importing", total=size, done="")

            def show(progress: "ImportProgress") -> None:
                done = f"{progress.lines:,} lines, {progress.messages:,} messages"
                read = None if size is None else stream.tell()
                bar.update(task, completed=read, done=done)

            return await import_conversations(
                pool,
                _lines(stream),
                content_filter=content_filter,
                now=utc_now(),
                on_progress=show,
            )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[done]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def _size(stream: BinaryIO) -> int | None:
    """Bytes of the whole file; None for a pipe, which does not know."""
    if not stream.seekable():
        return None
    return os.fstat(stream.fileno()).st_size
