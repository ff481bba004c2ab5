"""The `vaultcrm` command. A subcommand's module is imported when it is called, so that `check`
starts without a web server, a database driver or a language model's SDK.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "demo": ("demo", "demo"),
    "serve": ("serving", "serve"),
    "worker": ("serving", "worker"),
    "migrate": ("serving", "migrate"),
    "doctor": ("doctor", "doctor"),
    "user": ("people", "users"),
    "token": ("people", "tokens"),
    "import": ("import_file", "import_command"),
    "generate": ("generate", "generate"),
    "check": ("check", "check"),
}
"""Subcommand: module of this package, and the function or group in it."""


class LazyGroup(TyperGroup):
    """Knows the names of its commands and imports one when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(import_module(f"vaultcrm.entrypoints.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def vaultcrm() -> None:
    """AI chat for creators' teams: drafts in the creator's voice, checked, approved, sent once.

    Start with `vaultcrm demo`, or with `vaultcrm user add` and `vaultcrm serve`.
    """
