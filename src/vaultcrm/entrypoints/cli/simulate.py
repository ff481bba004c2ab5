"""`vaultcrm simulate`: a made-up world meets the real pipeline, and a report says what happened."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vaultcrm.adapters.worlds.presets import PRESETS, PresetName, WorldSpec
from vaultcrm.entrypoints.cli.environment import explained, say, settings_or_exit, stderr, stdout

if TYPE_CHECKING:
    from vaultcrm.entrypoints.cli.simulation.running import Plan, Ran

BROKEN = 1
NOT_RUN = 2
_PRESETS = " ".join(f"{one.name.value}: {one.summary}" for one in PRESETS.values())


def simulate(
    preset: Annotated[
        PresetName, typer.Option(help=f"what kind of world. {_PRESETS}")
    ] = PresetName.STANDARD,
    creators: Annotated[int, typer.Option(min=1, max=200, help="how many creators")] = 3,
    fans: Annotated[int, typer.Option(min=1, max=5000, help="fans of each creator")] = 20,
    days: Annotated[int, typer.Option(min=1, max=730, help="days that pass in the world")] = 14,
    seed: Annotated[int, typer.Option(help="another seed is another world")] = 0,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="processes that share the work")] = 1,
    drafter: Annotated[
        str, typer.Option(help="voice: a drafter of known quality; retrieval: the product's own")
    ] = "voice",
    guarantee: Annotated[
        bool,
        typer.Option(
            "--guarantee/--no-guarantee",
            help="whether messages leave by themselves only under the guarantee, as in earnest, or "
            "by the plain threshold",
        ),
    ] = True,
    learning_only: Annotated[
        bool,
        typer.Option(
            "--learning-only", help="no database and no pipeline: fans and chatters as arrays"
        ),
    ] = False,
    database_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="an empty PostgreSQL database; else a scratch server"),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="where the report goes")] = Path(
        "simulation.html"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="print the figures, as JSON, on standard output")
    ] = False,
) -> None:
    """Let a made-up world meet the real pipeline, and write a report of what came of it.

    Fans, chatters and the clock are simulated; receiving, drafting, filtering, deciding and sending
    are the product's own, on a scratch database that is removed afterwards. As the truth is known,
    the report can say how good confidence and learning are. Nothing leaves this machine, and no
    data of yours is touched. Ctrl-C stops in order and reports what is there.

    Flags and settings of the environment count, such as AI_AUTO_SEND_THRESHOLD. The same seed and
    settings give the same figures.

    Ends with 0 when all invariants hold (nothing lost, nothing sent twice, counters add up), 1 when
    one does not, 2 when it could not run.
    """
    if drafter not in {"voice", "retrieval"}:
        raise typer.BadParameter("must be voice or retrieval", param_hint="--drafter")
    spec = WorldSpec(preset, creators, fans, days, seed)
    from vaultcrm.entrypoints.cli.simulation.running import Plan

    if learning_only:
        holds = _learning(spec, out, as_json=as_json)
    else:
        plan = Plan(spec, drafter, jobs, database_url, guarantee)
        holds = _whole(plan, out, as_json=as_json)
    if not holds:
        raise typer.Exit(BROKEN)


def _whole(plan: "Plan", out: Path, *, as_json: bool) -> bool:
    """Run the pipeline in a world; whether all invariants hold."""
    import asyncio

    from vaultcrm.entrypoints.cli.simulation.figures import figures_of, measured
    from vaultcrm.entrypoints.cli.simulation.page import page
    from vaultcrm.entrypoints.cli.simulation.running import run_world, scratch_settings

    settings = settings_or_exit()
    try:
        with (
            explained(),
            scratch_settings(settings, plan) as own,
            _progress(plan.spec) as show,
        ):
            ran: Ran = asyncio.run(run_world(own, plan, on_day=show))
    except typer.Exit:
        raise typer.Exit(NOT_RUN) from None
    figures = figures_of(
        ran.world, ran.runs, ran.invariants, plan.drafter, guarantee=plan.guarantee
    )
    times = measured(ran.runs, ran.seconds, plan.jobs)
    _keep(out, page(figures, times))
    if as_json:
        _print({**figures, "measured": times})
    else:
        _tell(figures, times, out)
    return all(one.holds for one in ran.invariants)


def _learning(spec: WorldSpec, out: Path, *, as_json: bool) -> bool:
    from vaultcrm.entrypoints.cli.simulation.learning import learn_in_world
    from vaultcrm.entrypoints.cli.simulation.page import learning_page

    figures, times = learn_in_world(spec)
    _keep(out, learning_page(figures, times))
    if as_json:
        _print({**figures, "measured": times})
        return True
    say_line(
        f"{times['decisions']:,} messages in {times['seconds']:.1f} s "
        f"({times['decisionsPerSecond']:,.0f} a second)."
    )
    gap = figures["gapClosed"]
    say_line(
        "Nothing to learn in this world: oracle and beginning are the same."
        if gap is None
        else f"A plain learner closed {100 * gap:.0f} % of the gap to the oracle by the last week."
    )
    say_line(f"The report is in {out}.")
    return True


def _tell(figures: dict[str, Any], times: dict[str, Any], out: Path) -> None:
    """The outcome in a few lines."""
    totals = figures["totals"]
    if not figures["complete"]:
        say_line(f"Stopped after {figures['daysDone']} days.")
    say_line(
        f"{totals['fanMessages']:,} messages from fans, {totals['sent']:,} to them, "
        f"{totals['automatic']:,} of these by themselves; {times['seconds']:.1f} s, "
        f"{times['messagesPerSecond']} messages a second."
    )
    for one in figures["invariants"]:
        say_line(f"{'holds ' if one['holds'] else 'BROKEN'}  {one['name']}")
        for wrong in one.get("wrong", ()):
            say_line(f"        {wrong}")
    say_line(f"The report is in {out}.")


def say_line(sentence: str) -> None:
    stdout.print(sentence, markup=False, soft_wrap=True)


def _print(figures: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def _keep(out: Path, html: str) -> None:
    try:
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        say(f"{out} cannot be written: {error.strerror}. Name another file with --out.")
        raise typer.Exit(NOT_RUN) from None


@contextmanager
def _progress(spec: WorldSpec) -> Iterator[Any]:
    """Shows days that are over, of all creators together, and the time that is left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} creator-days"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sent]:,} sent"),
    )
    sent: dict[str, int] = {}
    with Progress(*columns, console=stderr, transient=True) as progress:
        task = progress.add_task("Living", total=spec.creators * spec.days, sent=0)

        def show(handle: str, day: int, messages: int) -> None:
            sent[handle] = messages
            progress.update(task, advance=1, sent=sum(sent.values()))

        yield show
