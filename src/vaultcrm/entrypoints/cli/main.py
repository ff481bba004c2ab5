"""The `vaultcrm` command. A subcommand's module is imported when it is called, and what it works
with when it works: the lists of commands and options come at once, and `check` starts without a
web server, a database driver or a language model's SDK.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from vaultcrm import __version__


@dataclass(frozen=True, slots=True)
class Entry:
    """One subcommand: a function, or a group, in a module of this package, and what it is for."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "demo": Entry("demo", "demo", "Run everything with made-up creators and fans."),
    "serve": Entry("serving", "serve", "Serve the console and the JSON API."),
    "worker": Entry("serving", "worker", "Run jobs: sending, answering, what comes in."),
    "migrate": Entry("serving", "migrate", "Bring the database's schema up to this release."),
    "doctor": Entry("doctor", "doctor", "Say of every setting and every part whether it works."),
    "user": Entry("people", "users", "People who may sign in: add, assign, link."),
    "token": Entry("people", "tokens", "Tokens for the JSON API: create."),
    "channel": Entry(
        "channels", "channels", "Creators' accounts on platforms: connect, pause, resume, remove."
    ),
    "import": Entry("import_file", "import_command", "Import conversations."),
    "fan": Entry("fans", "fans", "What fans may ask for: export, erase."),
    "budget": Entry("budgets", "budgets", "What models may use: list, set, clear."),
    "backup": Entry("backups", "backup", "Write everything that is stored into a new file."),
    "restore": Entry("backups", "restore", "Put back what a backup holds."),
    "generate": Entry("generate", "generate", "Draft a message, and say what happens to it."),
    "check": Entry("check", "check", "Check texts with the content filter."),
    "calibrate": Entry(
        "calibration",
        "calibrate",
        "Fit confidence to people's decisions, anew even where little has changed.",
    ),
    "learn": Entry("learn", "learn", "Learn from outcomes now, and say what was found."),
    "simulate": Entry("simulate", "simulate", "Let a made-up world meet the real pipeline."),
    "audit": Entry("audit", "audit", "The audit log: verify, head, export, check."),
}


class LazyGroup(TyperGroup):
    """Knows names and summaries of its commands, and imports one when it is asked for."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, (_load(name) if name in COMMANDS else listed), rest


def _load(name: str) -> Any:
    entry = COMMANDS[name]
    module = import_module(f"vaultcrm.entrypoints.cli.{entry.module}")
    found = getattr(module, entry.attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        found = single
    command = typer.main.get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def vaultcrm(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """AI chat for creators' teams: drafts in the creator's voice, checked, approved, sent once.

    To look around: vaultcrm demo. To set up: vaultcrm user add, then vaultcrm serve. When
    something is wrong: vaultcrm doctor.
    """
