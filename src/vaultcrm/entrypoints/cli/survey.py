"""Every setting at once: where its value comes from, and what is wrong with it.

`vaultcrm.settings.load_settings` stops at the first reading that fails; this goes on, so that
people can mend all of it in one go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

from vaultcrm.settings import (
    ENV_FILE,
    Settings,
    chosen_home,
    environment_names,
    read_secret,
    secret_file,
)

Values = Mapping[str, str | None]
"""Variables by their name in lower case, as pydantic-settings reads them."""

_HOME = "vaultcrm_home"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one setting's value comes from. `variable` and `text` are empty for a default."""

    place: Literal["environment", "file", "default"]
    variable: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A value that cannot be used. `variable` is the name under which it was given."""

    field: str
    variable: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """All settings as far as they can be used.

    A value that is in `problems` is replaced by its default in `settings`. `origins` is by field
    name. `unknown_in_file` are names in `vaultcrm.env` that mean nothing there. `unreadable` says
    why that file could not be read; it is empty when it could, or when there is none.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    problems: tuple[SettingProblem, ...]
    unknown_in_file: tuple[str, ...]
    unreadable: str

    @property
    def file(self) -> Path:
        return self.settings.vaultcrm_home / ENV_FILE


def survey_settings(home: Path | None = None) -> Survey:
    """Look at every setting, and go on past those that are wrong. Raises nothing."""
    chosen = chosen_home(home)
    in_file, unreadable = _read(chosen / ENV_FILE)
    environment = EnvSettingsSource(Settings).env_vars
    origins = {field: _origin(field, environment, in_file) for field in Settings.model_fields}
    unread = _read_secrets(origins, environment)
    given: dict[str, Any] = {
        field: origin.text for field, origin in origins.items() if origin.place != "default"
    }
    settings, problems = _usable({**given, _HOME: chosen}, origins)
    problems = (*unread, *problems)
    known = {
        name.lower()
        for field in Settings.model_fields
        if field != _HOME
        for name in environment_names(field)
    }
    unknown = tuple(name.upper() for name in in_file if name not in known)
    return Survey(settings, origins, problems, unknown, unreadable)


def _read(file: Path) -> tuple[Values, str]:
    try:
        return DotEnvSettingsSource(Settings, env_file=file).env_vars, ""
    except UnicodeDecodeError:
        return {}, "it is not UTF-8"
    except OSError as error:
        return {}, error.strerror or type(error).__name__


def _origin(field: str, environment: Values, in_file: Values) -> Origin:
    for name in environment_names(field):
        if text := environment.get(name.lower()):
            return Origin("environment", name, text)
    # The home is where the file is looked for, so the file cannot name it.
    for name in () if field == _HOME else environment_names(field):
        if text := in_file.get(name.lower()):
            return Origin("file", name, text)
    return Origin("default")


def _read_secrets(origins: dict[str, Origin], environment: Values) -> list[SettingProblem]:
    """Put what stands in the files of secrets in its place; what could not be read."""
    problems = []
    for field, origin in origins.items():
        file = secret_file(field, environment)
        if origin.place == "environment" or file is None:
            continue
        variable = f"{environment_names(field)[0]}_FILE"
        try:
            text = read_secret(file)
        except UnicodeDecodeError:
            problems.append(SettingProblem(field, variable, "the file is not UTF-8"))
            continue
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror or type(error).__name__}"
            problems.append(SettingProblem(field, variable, reason))
            continue
        if text:
            origins[field] = Origin("environment", variable, text)
    return problems


def _usable(
    given: Mapping[str, Any], origins: Mapping[str, Origin]
) -> tuple[Settings, tuple[SettingProblem, ...]]:
    try:
        return _Given(**given), ()
    except ValidationError as error:
        by_name = {name: f for f in Settings.model_fields for name in (f, *environment_names(f))}
        faulty = {by_name[str(item["loc"][0])]: item["msg"] for item in error.errors()}
    problems = tuple(
        SettingProblem(field, origins[field].variable, _plain(message))
        for field, message in faulty.items()
    )
    return _Given(**{k: v for k, v in given.items() if k not in faulty}), problems


def _plain(message: str) -> str:
    """pydantic's "Input should be a number, unable to parse string …" without its frame."""
    return message.removeprefix("Input ").partition(", unable")[0]


class _Given(Settings):
    """Settings from what the constructor is given, and from nowhere else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)
