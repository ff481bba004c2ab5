"""What every command needs: settings that could be read, errors that say what to do, a loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console

from vaultcrm.domain.errors import VaultError

if TYPE_CHECKING:
    from vaultcrm.settings import Settings

T = TypeVar("T")

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def settings_or_exit(home: Path | None = None) -> "Settings":
    """The settings, or exit code 2 with each setting at fault named."""
    from vaultcrm.entrypoints.cli.survey import survey_settings

    survey = survey_settings(home)
    if survey.unreadable:
        say(f"{survey.file} cannot be read: {survey.unreadable}.")
    for problem in survey.problems:
        say(f"{problem.variable}: {problem.reason}")
    if survey.unreadable or survey.problems:
        raise typer.Exit(2)
    return survey.settings


def say(sentence: str) -> None:
    """One line for people, on standard error, never broken in two."""
    stderr.print(sentence, markup=False, soft_wrap=True)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what is nobody's mistake in the program into a sentence and exit code 1."""
    try:
        yield
    except VaultError as error:
        say(str(error))
        raise typer.Exit(1) from None
    except OSError as error:
        if error.filename is None:
            raise
        say(
            f"{error.filename} cannot be used: {error.strerror}. Give it to the user that runs "
            "this, or set VAULTCRM_HOME to another folder."
        )
        raise typer.Exit(1) from None
    except Exception as error:
        problem = _database_problem(error)
        if problem is None:
            raise
        say(problem)
        raise typer.Exit(1) from None


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run one command's work to its end, with errors explained."""

    async def main() -> T:
        return await work()

    with explained():
        return asyncio.run(main())


def _database_problem(error: Exception) -> str | None:
    """What the database says, where it is about rights or the connection; None for all else."""
    import psycopg

    # SQLAlchemy, which runs migrations, wraps the driver's error.
    said = getattr(error, "orig", error)
    if isinstance(said, psycopg.errors.InsufficientPrivilege):
        return (
            f"The database does not allow this: {_first_line(said)}. Grant it to the user in "
            "DATABASE_URL, or name another user there."
        )
    if isinstance(said, psycopg.OperationalError):
        return (
            f"The database stopped answering: {_first_line(said)}. Try again; vaultcrm doctor "
            "says what is wrong."
        )
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
