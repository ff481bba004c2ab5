"""What every command needs: settings that could be read, errors that say what to do, a pool."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from vaultcrm.domain.errors import VaultError
from vaultcrm.settings import Settings, environment_names, load_settings

T = TypeVar("T")

stdout = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def settings_or_exit(home: Path | None = None) -> Settings:
    """The settings, or exit code 2 with each setting at fault named."""
    try:
        return load_settings(home)
    except ValidationError as error:
        for item in error.errors():
            field = str(item["loc"][0])
            name = environment_names(field)[0] if field in Settings.model_fields else field
            stderr.print(f"{name}: {item['msg']}", markup=False)
        raise typer.Exit(2) from None


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error of ours into its sentence and exit code 1."""
    try:
        yield
    except VaultError as error:
        stderr.print(str(error), markup=False)
        raise typer.Exit(1) from None


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run one command's work to its end, with errors explained."""

    async def main() -> T:
        return await work()

    with explained():
        return asyncio.run(main())
