"""`vaultcrm audit …`: whether the audit log is what was written, and its rows with proofs."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from vaultcrm.domain.audit_seals import KnownHead, Verified
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.entrypoints.cli.environment import run, say, settings_or_exit, stderr, stdout

if TYPE_CHECKING:
    from vaultcrm.workflows.parts import Pool

audit = typer.Typer(no_args_is_help=True, add_completion=False)

EVERYBODY = "the installation"
MOST_SHOWN = 100
"""Of the faults of one log so many are shown."""


@audit.callback()
def audit_is_a_group() -> None:
    """The audit log: verify, head, export, check."""


def _moment(text: str) -> datetime:
    """A day or a moment, in UTC unless it says otherwise."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no day such as 2026-11-22.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _end(text: str) -> datetime:
    """The end of a day, or a moment."""
    return _moment(text) + (timedelta(days=1) if len(text) <= len("2026-11-22") else timedelta())


@dataclass(frozen=True, slots=True)
class Kept:
    """The heads in a file. A class of its own: Typer reads a tuple as several values."""

    heads: tuple[KnownHead, ...]


def _heads(text: str) -> Kept:
    try:
        content = json.loads(Path(text).read_text(encoding="utf-8"))
        return Kept(
            tuple(
                KnownHead(UUID(each["creatorId"]), int(each["number"]), bytes.fromhex(each["hash"]))
                for each in content["heads"]
            )
        )
    except OSError as error:
        raise typer.BadParameter(f"{text} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise typer.BadParameter(f"{text} is not what vaultcrm audit head prints.") from None


CreatorOption = Annotated[
    str | None,
    typer.Option("--creator", metavar="HANDLE", help="only this creator's; default: everything"),
]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", metavar="DAY", parser=_moment, help="from this day or moment on, UTC"),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", metavar="DAY", parser=_end, help="up to this day or moment"),
]
HeadOption = Annotated[
    Kept | None,
    typer.Option(
        "--head", metavar="FILE", parser=_heads, help="heads that were kept: vaultcrm audit head"
    ),
]


@audit.command("verify")
def verify(
    creator: CreatorOption = None,
    since: FromOption = None,
    until: ToOption = None,
    head: HeadOption = None,
) -> None:
    """Compare the audit log with its seals, and name each row that is not what was sealed.

    Changes nothing but the note of when this was done. Ends with 0 when there is no fault and with
    1 otherwise.
    """
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.db.queries import audit_seals
    from vaultcrm.workflows.verify_audit import compare_heads, verify_creator

    settings = settings_or_exit()

    async def work() -> int:
        count = 0
        async with open_database(settings) as pool:
            names = await _wanted(pool, creator)
            for creator_id, name in names.items():
                with stderr.status(f"Looking through {name}") as status:

                    def tell(rows: int, faults: Sequence[object], name: str = name) -> None:
                        status.update(
                            f"Looking through {name}: {rows:,} rows, {len(faults)} faults"
                        )

                    found = await verify_creator(
                        pool, creator_id, since=since, until=until, watch=tell
                    )
                if since is None and until is None:
                    async with pool.connection() as connection:
                        await audit_seals.record_check(connection, found, utc_now())
                _report(name, found, utc_now())
                count += found.fault_count
            kept = () if head is None else head.heads
            wanted = [each for each in kept if each.creator_id in names or creator is None]
            for fault in await compare_heads(pool, wanted):
                stdout.print(f"{_name(names, fault.creator_id)}: {fault.said}", markup=False)
                count += 1
            if wanted:
                stdout.print(f"Compared with {_count(len(wanted), 'head')} kept elsewhere.")
        return count

    faults = run(work)
    if faults:
        stdout.print(
            f"{_count(faults, 'fault')}. Keep a copy of the database before you do anything."
        )
        raise typer.Exit(1)
    stdout.print("No faults.")


@audit.command("head")
def head(creator: CreatorOption = None) -> None:
    """Print the newest seals' heads, to be kept where nobody who can reach the database can."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.db.queries import audit_seals

    settings = settings_or_exit()

    async def work() -> list[dict[str, object]]:
        found = []
        async with open_database(settings) as pool:
            names = await _wanted(pool, creator)
            async with pool.connection() as connection:
                for creator_id, name in names.items():
                    newest = await audit_seals.newest(connection, creator_id)
                    if newest is not None:
                        found.append(
                            {
                                "creatorId": str(creator_id),
                                "creator": name,
                                "number": newest.number,
                                "hash": newest.hash.hex(),
                                "sealedAt": newest.sealed_at.isoformat(),
                            }
                        )
        return found

    heads = run(work)
    typer.echo(json.dumps({"printedAt": utc_now().isoformat(), "heads": heads}, indent=2))


@audit.command("export")
def export(creator: CreatorOption = None, since: FromOption = None, until: ToOption = None) -> None:
    """Print the audit log as JSON Lines with proofs, in whole seals. The export is audited."""
    from vaultcrm.bootstrap import open_database, utc_now
    from vaultcrm.workflows.export_audit import export_audit, note_export

    settings = settings_or_exit()

    async def work() -> None:
        async with open_database(settings) as pool:
            wanted = list(await _wanted(pool, creator))
            now = utc_now()
            await note_export(pool, None, wanted, since=since, until=until, now=now)
            async for line in export_audit(pool, wanted, since=since, until=until, now=now):
                sys.stdout.write(line)
            sys.stdout.flush()

    run(work)


@audit.command("check")
def check(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", allow_dash=True, help="an export; - reads standard input"),
    ],
    head: HeadOption = None,
) -> None:
    """Check an export by itself, without any database, against a head that was kept.

    Ends with 0 when every row in it was sealed as it is, and with 1 otherwise.
    """
    from vaultcrm.controls.audit.exporting import check_lines

    try:
        with (
            sys.stdin if str(file) == "-" else file.open(encoding="utf-8", errors="replace")
        ) as lines:
            found = check_lines(lines, () if head is None else head.heads)
    except OSError as error:
        say(f"{file} cannot be read: {error.strerror}.")
        raise typer.Exit(2) from None
    for fault in found.faults[:MOST_SHOWN]:
        typer.echo(fault)
    for note in found.notes:
        typer.echo(note)
    counts = (_count(found.rows, "row"), _count(found.seals, "seal"))
    typer.echo(f"{' in '.join(counts)}, {_count(found.fault_count, 'fault')}.")
    if found.fault_count:
        raise typer.Exit(1)


async def _wanted(pool: "Pool", handle: str | None) -> Mapping[UUID, str]:
    """Whose log is wanted, and what to call them. Raises NotFound."""
    from vaultcrm.db.queries import audit_seals, creators

    async with pool.connection() as connection:
        if handle is not None:
            found = await (await creators.creator_by_handle(connection, handle)).answer()
            if found is None:
                raise NotFound("creator")
            return {found.id: found.handle}
        names = {}
        for creator_id in await audit_seals.owners(connection):
            known = await (await creators.get_creator(connection, creator_id)).answer()
            names[creator_id] = str(creator_id) if known is None else known.handle
    return names | ({NIL: EVERYBODY} if NIL in names else {})


def _name(names: Mapping[UUID, str], creator_id: UUID) -> str:
    return names.get(creator_id, EVERYBODY if creator_id == NIL else str(creator_id))


def _report(name: str, found: Verified, now: datetime) -> None:
    """What was found in one log: the faults, then the counts."""
    for fault in found.faults[:MOST_SHOWN]:
        stdout.print(f"{name}: {fault.said}", markup=False, soft_wrap=True)
    if found.fault_count > MOST_SHOWN:
        stdout.print(f"{name}: and {found.fault_count - MOST_SHOWN:,} more faults.", markup=False)
    told = [f"{_count(found.rows, 'row')} in {_count(found.seals, 'seal')}"]
    if found.erased:
        told.append(f"{found.erased:,} with their details erased")
    if found.late:
        told.append(f"{found.late:,} sealed after their time")
    if found.unsealed:
        since = found.unsealed_since
        age = "" if since is None else f", the oldest {_age(now - since)} old"
        told.append(f"{found.unsealed:,} not sealed yet{age}")
    stdout.print(f"{name}: {'; '.join(told)}.", markup=False, soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} seconds"
    return f"{seconds // 60} minutes" if seconds < 7_200 else f"{seconds // 3_600} hours"
