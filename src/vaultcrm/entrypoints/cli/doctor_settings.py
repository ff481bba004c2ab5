"""The settings as `vaultcrm doctor` shows them: value, origin, and what looks misspelt."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from vaultcrm.entrypoints.cli.doctor_checks import Check, failed, warning
from vaultcrm.entrypoints.cli.survey import Survey
from vaultcrm.settings import Settings, environment_names, is_secret

NOT_SET = "not set"

_ALIKE = 0.85
"""Where a variable of any program counts as one of ours misspelt (difflib's ratio)."""

_OURS = ("VAULTCRM_", "NEXT_PUBLIC_AI_", "NEXT_PUBLIC_ENABLE_AI")


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `value` is the one in force, fit to be shown.

    `origin` is "environment", "file" or "default"; `variable` is the name under which it is given
    there. When what is given cannot be used, `usable` is false and the default is in force.
    """

    name: str
    value: str
    origin: str
    variable: str
    usable: bool
    description: str


def rows(survey: Survey) -> Iterator[Row]:
    """Every setting, in the order of `vaultcrm.settings`."""
    wrong = {problem.field for problem in survey.problems}
    for name, info in Settings.model_fields.items():
        origin = survey.origins[name]
        yield Row(
            name=environment_names(name)[0],
            value=_shown(name, getattr(survey.settings, name)),
            origin=origin.place,
            variable=origin.variable,
            usable=name not in wrong,
            description=info.description or "",
        )


def check_settings(survey: Survey) -> list[Check]:
    """A failed check for each value that cannot be used, a warning for each odd name."""
    return [*_wrong_values(survey), *_odd_names(survey)]


def _wrong_values(survey: Survey) -> Iterator[Check]:
    for problem in survey.problems:
        origin = survey.origins[problem.field]
        given = "" if is_secret(problem.field) else f", not {origin.text}"
        in_file = origin.place == "file" and not problem.variable.endswith("_FILE")
        place = survey.file if in_file else "the environment"
        yield failed(
            problem.variable, f"{problem.reason}{given}", f"Mend it in {place}, or remove it."
        )


def _odd_names(survey: Survey) -> Iterator[Check]:
    known = {name for field in Settings.model_fields for name in environment_names(field)}
    for name in survey.unknown_in_file:
        if name == "VAULTCRM_HOME":
            todo = "Set it in the environment: the file is looked for in that folder."
            yield warning(name, f"has no effect in {survey.file}", todo)
        else:
            yield warning(name, f"is no setting, in {survey.file}", _advice(name, known, 0.6))
    known |= {
        f"{name}_FILE"
        for f in filter(is_secret, Settings.model_fields)
        for name in environment_names(f)
    }
    for name in sorted(os.environ):
        upper = name.upper()
        if upper in known:
            continue
        if upper.startswith(_OURS):
            yield warning(name, "is no setting, in the environment", _advice(upper, known, 0.6))
        elif get_close_matches(upper, known, 1, _ALIKE):
            yield warning(name, "is no setting, in the environment", _advice(upper, known, _ALIKE))


def _advice(name: str, known: set[str], alike: float) -> str:
    nearest = get_close_matches(name, sorted(known), 1, alike)
    return f"Did you mean {nearest[0]}?" if nearest else "Remove it."


def _shown(field: str, value: Any) -> str:
    if value is None:
        return NOT_SET
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, bool):
        return str(value).lower()
    if field == "database_url":
        return _database_shown(str(value))
    if field.endswith("_url"):
        return _address_shown(str(value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, Path | str | int) else repr(value)


def _database_shown(url: str) -> str:
    """The address with everything that could be secret left out."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError:
        return "set, but no address"
    user = f"{parts['user']}@" if parts.get("user") else ""
    host = parts.get("host") or parts.get("hostaddr") or "(local socket)"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{user}{host}{port}/{parts.get('dbname') or ''}"


def _address_shown(url: str) -> str:
    """The address without user, password and query, which may hold keys."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "set, but no address"
    if not parts.scheme or not host:
        return "set, but no address"
    return f"{parts.scheme}://{host}{parts.path}{'?…' if parts.query else ''}"
