"""`vaultcrm learn`: the weekly learning, now, with a report in words."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from vaultcrm.entrypoints.cli.environment import run, settings_or_exit

if TYPE_CHECKING:
    from vaultcrm.domain.people import Creator
    from vaultcrm.workflows.learn_weekly import Learned

MOST_SHOWN = 12


def learn(
    creator: Annotated[
        str | None, typer.Option(metavar="HANDLE", help="conclude for this creator only")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DAY",
            help="also gather weeks from this day's on, as in 2026-09-01",
        ),
    ] = None,
) -> None:
    """Learn from outcomes now, and say what was found.

    Weeks that were gathered are not read again, so this may be stopped and called again.
    """
    from vaultcrm.bootstrap import open_parts
    from vaultcrm.workflows.learn_weekly import learn_now

    settings = settings_or_exit()

    async def work() -> "list[Learned]":
        console = Console(stderr=True)
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        with bar:
            task = bar.add_task("Reading", total=None)

            def show(one: "Creator", week: date, read: int, size: int) -> None:
                bar.update(
                    task, description=f"{one.handle}, week of {week}", completed=read, total=size
                )

            async with open_parts(settings) as parts:
                day = None if since is None else since.date()
                return await learn_now(parts, creator, day, show)

    for one in run(work):
        for line in report_lines(one):
            typer.echo(line)


def report_lines(learned: "Learned") -> Iterator[str]:
    """What came of one creator's week, for people."""
    from vaultcrm.pipeline.learning.telling import sentence

    report, proposal = learned.report, learned.proposal
    yield f"{learned.creator.handle}, up to the week of {report.week}:"
    if not report.enough:
        yield f"  Not enough data yet: {_count(report.messages, 'message')} with an outcome."
        return
    yield (
        f"  {_count(report.messages, 'message')}, {_count(report.tested, 'question')} asked, "
        f"{_count(len(report.findings), 'difference')} found."
    )
    for one in report.findings[:MOST_SHOWN]:
        yield f"  {sentence(one)}"
    if len(report.findings) > MOST_SHOWN:
        yield f"  and {len(report.findings) - MOST_SHOWN} more"
    if proposal is None:
        yield "  Nothing to propose."
    else:
        changed = ", ".join(sorted(proposal.fields))
        yield f"  Proposed a change of {changed} ({proposal.status.value})."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
