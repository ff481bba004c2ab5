"""`vaultcrm doctor`: says of every setting where it comes from and of every part how it is."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.entrypoints.cli.environment import stderr, stdout

if TYPE_CHECKING:
    from vaultcrm.entrypoints.cli.doctor_checks import Check
    from vaultcrm.entrypoints.cli.doctor_settings import Row


@dataclass(frozen=True, slots=True)
class Diagnosis:
    settings: "tuple[Row, ...]"
    checks: "tuple[Check, ...]"

    @property
    def is_healthy(self) -> bool:
        """Nothing failed; warnings may be there."""
        return all(check.state != "failed" for check in self.checks)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say of every setting and every part whether it works, and what to do where it does not.

    Changes nothing. Ends with 0 when nothing failed, and with 1 otherwise.
    """
    with stderr.status("Looking"):
        diagnosis = diagnose()
    if as_json:
        typer.echo(_json(diagnosis))
    else:
        for line in _lines(diagnosis):
            stdout.print(line, soft_wrap=True)
    if not diagnosis.is_healthy:
        raise typer.Exit(1)


def diagnose() -> Diagnosis:
    """Look at everything. A check that breaks counts as failed, and the others go on."""
    from vaultcrm.entrypoints.cli import doctor_checks as local
    from vaultcrm.entrypoints.cli.doctor_database import examine_database
    from vaultcrm.entrypoints.cli.doctor_models import examine_drafter
    from vaultcrm.entrypoints.cli.doctor_settings import check_settings, rows
    from vaultcrm.entrypoints.cli.survey import survey_settings

    survey = survey_settings()
    settings = survey.settings
    clocks: dict[str, float] = {}

    home = _guarded("Home", lambda: local.check_home(settings))

    def database() -> "Sequence[Check]":
        if settings.database_url is None and any(check.state == "failed" for check in home):
            return [local.warning("Database", "embedded: not looked at", "Mend the home first.")]
        examined = examine_database(settings)
        if examined.clock_ahead is not None:
            clocks["the database"] = examined.clock_ahead
        return examined.checks

    def drafter() -> "Sequence[Check]":
        examined = examine_drafter(survey, datetime.now(UTC).date())
        clocks.update(examined.clock_ahead)
        return examined.checks

    checks = (
        *_guarded("Settings", lambda: check_settings(survey)),
        *_guarded("Program", lambda: [local.check_python()]),
        *_guarded("File", lambda: local.check_file(survey)),
        *home,
        *_guarded("Database", database),
        *_guarded("AI", lambda: [local.check_switches(settings)]),
        *_guarded("Drafter", drafter),
        *_guarded("Clock", lambda: [local.check_clock(clocks)]),
        *_guarded("Channels", lambda: local.check_channels(settings)),
        *_guarded("Filter", lambda: [local.check_filter()]),
        *_guarded("Console", lambda: [local.check_base_url(settings)]),
    )
    return Diagnosis(tuple(rows(survey)), checks)


def _guarded(name: str, look: "Callable[[], Sequence[Check]]") -> "Sequence[Check]":
    from vaultcrm.entrypoints.cli.doctor_checks import failed

    try:
        return look()
    except Exception as error:
        # Not its text, which may quote an address with a password in it.
        place = traceback.extract_tb(error.__traceback__)[-1]
        seen = f"could not be looked at: {type(error).__name__} in {place.name}"
        return [failed(name, seen, "Report this: the doctor should have known what it is.")]


# --- for people ------------------------------------------------------------------------------

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_ORIGINS = {"environment": "environment", "file": "file vaultcrm.env", "default": "default"}


def _lines(diagnosis: Diagnosis) -> "Iterator[str]":
    """One line a setting, one a check, in rich's markup."""
    from rich.markup import escape

    yield "[bold]Settings[/bold]"
    names = max(len(row.name) for row in diagnosis.settings)
    values = min(40, max(len(row.value) for row in diagnosis.settings))
    for row in diagnosis.settings:
        origin = _ORIGINS[row.origin]
        if row.variable not in {"", row.name}:
            origin = f"{origin}, as {row.variable}"
        if not row.usable:
            origin = f"default: that of the {origin} cannot be used"
        line = escape(f"{row.name:<{names}}  {row.value:<{values}}  {origin}")
        yield f"  [dim]{line}[/dim]" if row.origin == "default" else f"  {line}"
    yield ""
    yield "[bold]Checks[/bold]"
    names = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        style = _STYLES[check.state]
        todo = f". {check.todo}" if check.todo else ""
        text = escape(f"{check.name:<{names}}  {check.seen}{todo}")
        yield f"  [{style}]{check.state:<7}[/{style}]  {text}"
    yield ""
    yield _verdict(diagnosis)


def _verdict(diagnosis: Diagnosis) -> str:
    failures = sum(check.state == "failed" for check in diagnosis.checks)
    warnings = sum(check.state == "warning" for check in diagnosis.checks)
    if not failures and not warnings:
        return "Everything works."
    counted = [
        f"{count} {word}" if count == 1 else f"{count} {word}s"
        for count, word in ((failures, "failure"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counted)}."


# --- for programs ----------------------------------------------------------------------------


def _json(diagnosis: Diagnosis) -> str:
    import json

    return json.dumps(
        {
            "healthy": diagnosis.is_healthy,
            "settings": [asdict(row) for row in diagnosis.settings],
            "checks": [asdict(check) for check in diagnosis.checks],
        },
        ensure_ascii=False,
        indent=2,
    )
