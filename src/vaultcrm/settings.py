"""Every setting, typed, with its default and where its value comes from.

Values are looked up, first hit wins: the environment, then the file `vaultcrm.env` in
`VAULTCRM_HOME`. An empty value counts as none, in both. Settings marked as flags can also be
overridden at run time, globally or for one creator (`vaultcrm.controls.flags`).
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ENV_FILE = "vaultcrm.env"

AiMode = Literal["retrieval", "anthropic", "openai_compatible"]


def _empty_is_unset(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


OptionalStr = Annotated[str | None, BeforeValidator(_empty_is_unset)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_empty_is_unset)]


def _read_minutes(value: object) -> object:
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rising(value: tuple[int, ...]) -> tuple[int, ...]:
    if list(value) != sorted(set(value)) or any(not 1 <= minutes <= 10_080 for minutes in value):
        raise ValueError("give rising numbers of minutes between 1 and 10080, as in 15,60,240")
    return value


Minutes = Annotated[
    tuple[int, ...], NoDecode, BeforeValidator(_read_minutes), AfterValidator(_rising)
]


def default_home() -> Path:
    """Where all data lies unless VAULTCRM_HOME says otherwise.

    Not below root's home: PostgreSQL refuses to run as root, and the user that it runs as would
    need root's home opened for reading.
    """
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/vaultcrm")
    return platformdirs.user_data_path("vaultcrm")


def _flag(name: str) -> AliasChoices:
    return AliasChoices(name, f"NEXT_PUBLIC_{name}")


class Settings(BaseSettings):
    """All settings. Field names are the environment's names in lower case."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        # What `AI_MODEL=${AI_MODEL:-}` in a service's description makes of an unset variable.
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    vaultcrm_home: Path = Field(
        default_factory=default_home, description="folder that holds all data"
    )
    database_url: OptionalStr = Field(
        default=None, description="any PostgreSQL >= 15; empty means the embedded server"
    )
    database_pool_size: int = Field(default=10, ge=2, le=200, description="connections a process")

    anthropic_api_key: OptionalSecret = Field(default=None, description="key for Claude")
    anthropic_base_url: OptionalStr = Field(default=None, description="another address for Claude")
    openai_base_url: OptionalStr = Field(
        default=None, description="an OpenAI-compatible server (Ollama, vLLM, llama.cpp)"
    )
    openai_api_key: OptionalSecret = Field(default=None, description="key for that server, if any")
    ai_model: str = Field(default="claude-sonnet-5-5", description="model that drafts")
    ai_model_checker: str = Field(default="claude-haiku-5-5", description="model that checks")
    ai_timeout_seconds: float = Field(
        default=20.0, gt=0, le=120, description="one call to the model, retries not counted"
    )
    ai_max_retries: int = Field(default=2, ge=0, le=6, description="retries of one model call")

    enable_ai_chat: bool = Field(
        default=True, validation_alias=_flag("ENABLE_AI_CHAT"), description="AI on or off (flag)"
    )
    ai_auto_send_threshold: int = Field(
        default=80,
        ge=0,
        le=100,
        validation_alias=_flag("AI_AUTO_SEND_THRESHOLD"),
        description="least confidence for automatic sending (flag)",
    )
    ai_ppv_approval_threshold: float = Field(
        default=50,
        ge=0,
        validation_alias=_flag("AI_PPV_APPROVAL_THRESHOLD"),
        description="offers of this many dollars or more wait for a person (flag)",
    )
    ai_rate_limit_per_hour: int = Field(
        default=100,
        ge=0,
        validation_alias=_flag("AI_RATE_LIMIT_PER_HOUR"),
        description="generations per user and hour (flag)",
    )
    ai_max_tokens_per_day: int = Field(
        default=100_000,
        ge=0,
        validation_alias=_flag("AI_MAX_TOKENS_PER_DAY"),
        description="tokens a day, everybody together (flag)",
    )
    ai_max_tokens_per_message: int = Field(
        default=512,
        ge=512,
        le=1024,
        validation_alias=_flag("AI_MAX_TOKENS_PER_MESSAGE"),
        description="most tokens the model may write for one draft (flag)",
    )
    ai_rollout_stage: int = Field(
        default=2,
        ge=1,
        le=4,
        validation_alias=_flag("AI_ROLLOUT_STAGE"),
        description="1 one creator, 2 manual approval, 3 auto-send low value, 4 full (flag)",
    )
    ai_rollout_creator: OptionalStr = Field(
        default=None, description="handle of the one creator of rollout stage 1 (flag)"
    )

    ai_stale_drafts: Literal["mark", "discard", "regenerate"] = Field(
        default="mark", description="what becomes of a waiting draft when the fan writes again"
    )
    ai_quiet_seconds: float = Field(
        default=2.0, ge=0, le=60, description="how long a fan must be quiet before a draft is made"
    )
    queue_sla_minutes: Minutes = Field(
        default=(15, 60, 240),
        description="waiting times at which a draft becomes more urgent, as in 15,60,240",
    )
    send_delay_seconds: int = Field(
        default=0, ge=0, le=3600, description="time to take an approved message back"
    )
    send_delay_paid_seconds: int = Field(
        default=10, ge=0, le=3600, description="the same for a message with a price"
    )

    worker_stalled_seconds: float = Field(
        default=30.0,
        ge=1,
        le=3600,
        description="a worker that gave no sign of life for so long is dead: its jobs run again",
    )
    lost_work_seconds: float = Field(
        default=120.0,
        ge=1,
        le=86_400,
        description="what should have been done so long ago has lost its job and gets a new one",
    )
    recovery_every_seconds: int = Field(
        default=60,
        ge=1,
        le=60,
        description="how often dead workers and lost work are looked for",
    )

    webhook_secret: OptionalSecret = Field(
        default=None, description="signs the generic webhook both ways (whsec_…)"
    )
    webhook_target_url: OptionalStr = Field(
        default=None, description="where the generic webhook delivers messages"
    )
    simulated_fans: bool = Field(
        default=False, description="fans of the simulator channel answer by themselves"
    )

    vaultcrm_secret_key: OptionalSecret = Field(
        default=None,
        min_length=32,
        description="signs links and seals credentials; the same on every machine of an "
        "installation (empty: a key of its own in VAULTCRM_HOME)",
    )
    vaultcrm_base_url: str = Field(
        default="http://127.0.0.1:8000", description="where people reach the console"
    )

    @property
    def drafter(self) -> AiMode:
        """What the keys allow: Claude, else an OpenAI-compatible server, else retrieval."""
        if self.anthropic_api_key is not None:
            return "anthropic"
        if self.openai_base_url is not None:
            return "openai_compatible"
        return "retrieval"


def chosen_home(home: Path | None = None) -> Path:
    """The given home, else VAULTCRM_HOME, else the default one. Absolute, `~` written out."""
    return (home or Path(os.environ.get("VAULTCRM_HOME") or default_home())).expanduser().absolute()


def load_settings(home: Path | None = None) -> Settings:
    """Settings of this process.

    Raises pydantic's ValidationError, which names field and reason, and OSError or
    UnicodeDecodeError when `vaultcrm.env` cannot be read.
    """
    chosen = chosen_home(home)
    return Settings(_env_file=chosen / ENV_FILE, vaultcrm_home=chosen)


def environment_names(field: str) -> tuple[str, ...]:
    """The names under which a setting may stand in the environment, preferred first."""
    alias = Settings.model_fields[field].validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(str(choice) for choice in alias.choices)
    return (field.upper(),)
