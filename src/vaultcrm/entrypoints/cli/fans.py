"""`vaultcrm fan …`: everything that is held about a fan, and erasing one."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Role
from vaultcrm.entrypoints.cli.environment import run, say, settings_or_exit, stdout

if TYPE_CHECKING:
    from uuid import UUID

    from vaultcrm.db.queries.erased_fans import FoundFan
    from vaultcrm.domain.erasure import Erasure, ErasureCounts
    from vaultcrm.settings import Settings
    from vaultcrm.workflows.parts import Parts

fans = typer.Typer(no_args_is_help=True, add_completion=False)

CreatorHandle = Annotated[str, typer.Argument(metavar="CREATOR", help="handle of the creator")]
FanName = Annotated[str, typer.Argument(metavar="FAN", help="handle or id of the fan")]


@fans.callback()
def fans_are_a_group() -> None:
    """What fans may ask for: export, erase."""


@fans.command("export")
def export(
    creator: CreatorHandle,
    fan: FanName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="a new file; default: standard output"),
    ] = None,
) -> None:
    """Write everything that is held about a fan as one JSON document. It is audited."""
    from vaultcrm.workflows.erase_fan import look_at_fan
    from vaultcrm.workflows.export_fan import export_fan

    settings = settings_or_exit()

    async def work() -> int:
        async with _found(settings, creator) as (parts, caller, creator_id):
            found, _ = await look_at_fan(parts, caller, creator_id, fan)
            pieces = await export_fan(parts, caller, creator_id, found.id)
            if output is None:
                return await _write(pieces, sys.stdout.buffer.write)
            try:
                # Not over a file that is there: it may be another fan's.
                file = output.open("xb")
            except FileExistsError:
                raise Conflict(f"{output} is there already. Name another file.") from None
            with file:
                output.chmod(0o600)
                return await _write(pieces, file.write)

    size = run(work)
    if output is not None:
        stdout.print(f"Wrote {size:,} bytes to {output}.", markup=False, soft_wrap=True)


@fans.command("erase")
def erase(
    creator: CreatorHandle,
    fan: FanName,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="why; it is kept, so leave their name out")
    ],
    handle: Annotated[
        str | None,
        typer.Option(metavar="HANDLE", help="the fan's handle, to confirm it without being asked"),
    ] = None,
) -> None:
    """Erase a fan: what they wrote, what was written to and about them, and their names.

    Nothing leaves for them from the first moment on. This cannot be undone.
    """
    from vaultcrm.workflows.erase_fan import carry_on, erase_fan, look_at_fan

    settings = settings_or_exit()

    async def work() -> "Erasure":
        async with _found(settings, creator) as (parts, caller, creator_id):
            found, held = await look_at_fan(parts, caller, creator_id, fan)
            say(_told(found, held))
            erasure = await erase_fan(
                parts, caller, creator_id, found.id, handle=handle or _asked(), reason=reason
            )
            await carry_on(parts, creator_id, erasure.id)
            return erasure

    erasure = run(work)
    stdout.print(
        f"Erased, as {erasure.id}. A worker looks once more for what was under way, from "
        f"{erasure.last_look_at:%H:%M} UTC on; the console lists it under Data.",
        markup=False,
        soft_wrap=True,
    )


def _asked() -> str:
    """The handle as somebody types it, or one line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Type their handle to erase them", err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _told(found: "FoundFan", held: "ErasureCounts") -> str:
    return (
        f"{found.display_name} ({found.handle}): {held.conversations:,} conversations, "
        f"{held.messages:,} messages, {held.drafts:,} drafts, {held.leaving:,} messages that wait "
        "to leave."
    )


@asynccontextmanager
async def _found(
    settings: "Settings", creator: str
) -> AsyncIterator[tuple["Parts", Caller, "UUID"]]:
    """The parts, whoever works at this machine as the caller, and the creator's id."""
    from vaultcrm.bootstrap import open_parts
    from vaultcrm.db.queries import creators

    async with open_parts(settings) as parts:
        async with parts.pool.connection() as connection:
            found = await (await creators.creator_by_handle(connection, creator)).answer()
        if found is None:
            raise InvalidInput(
                FieldProblem("creator", f"there is no creator with handle {creator}")
            )
        caller = Caller(SYSTEM_USER_ID, Role.ADMIN, "VaultCRM", all_creators=True)
        try:
            yield parts, caller, found.id
        except NotFound:
            raise InvalidInput(
                FieldProblem("fan", f"{creator} has no fan with this handle or id")
            ) from None


async def _write(pieces: AsyncIterator[bytes], write: Callable[[bytes], object]) -> int:
    size = 0
    async for piece in pieces:
        write(piece)
        size += len(piece)
    return size
