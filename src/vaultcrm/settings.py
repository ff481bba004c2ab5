"""Every setting, typed, with its default and where its value comes from.

Values are looked up, first hit wins: the environment, for secrets the file that `NAME_FILE` in the
environment names, then the file `vaultcrm.env` in `VAULTCRM_HOME`. An empty value counts as none.
Settings marked as flags can also be overridden at run time, globally or for one creator
(`vaultcrm.controls.flags`).
"""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import platformdirs
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

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


def _read_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for each in value:
        if each != "*":
            try:
                ip_network(each)
            except ValueError:
                raise ValueError("give addresses or networks, as in 10.0.0.5,10.1.0.0/16") from None
    return value


Networks = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_read_list), AfterValidator(_networks)
]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "give a name of the IANA time zone database, as in Europe/Berlin"
        ) from None
    return value


TimeZone = Annotated[str, AfterValidator(_zone)]
PersonRoles = Annotated[
    tuple[Literal["chatter", "manager", "admin"], ...], NoDecode, BeforeValidator(_read_list)
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
        # What is wrong with a secret is said without the secret.
        hide_input_in_errors=True,
        frozen=True,
        populate_by_name=True,
    )

    vaultcrm_home: Path = Field(
        default_factory=default_home, description="folder that holds all data"
    )
    database_url: OptionalStr = Field(
        default=None,
        description="any PostgreSQL >= 15; empty means the embedded server",
        repr=False,
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

    ai_judge: bool = Field(
        default=True,
        validation_alias=_flag("AI_JUDGE"),
        description="the checker model judges what risky drafts mean, where a model is configured "
        "(flag)",
    )
    ai_judge_timeout_seconds: float = Field(
        default=5.0, gt=0, le=60, description="one judgement, with all retries"
    )

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
    ai_reservation_seconds: float = Field(
        default=600.0,
        ge=60,
        le=86_400,
        description="what a call holds of limits and budgets is given back so long after it began "
        "if its process has died",
    )
    agency_time_zone: TimeZone = Field(
        default="UTC",
        description="days and months of limits and budgets begin at midnight there, as in "
        "Europe/Berlin",
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

    ai_offers_per_fan_per_day: int = Field(
        default=3,
        ge=0,
        le=100,
        validation_alias=_flag("AI_OFFERS_PER_FAN_PER_DAY"),
        description="offers to one fan within 24 hours; 0 for no cap (flag)",
    )
    ai_spend_per_fan_per_week: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        validation_alias=_flag("AI_SPEND_PER_FAN_PER_WEEK"),
        description="whole units of a fan's currency that they may spend within 7 days before "
        "offers to them stop; 0 for no cap (flag)",
    )
    ai_cooling_off_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        validation_alias=_flag("AI_COOLING_OFF_HOURS"),
        description="how long a fan gets no offers once they have reached the weekly cap (flag)",
    )
    ai_learning_applies: bool = Field(
        default=False,
        validation_alias=_flag("AI_LEARNING_APPLIES"),
        description="what the weekly learning proposes is applied by itself (flag)",
    )
    ai_auto_send_guarantee: bool = Field(
        default=True,
        validation_alias=_flag("AI_AUTO_SEND_GUARANTEE"),
        description="nothing leaves by itself without a statistical guarantee; off: the plain "
        "threshold alone decides (flag)",
    )
    ai_auto_send_risk: float = Field(
        default=0.02,
        ge=0.001,
        le=0.5,
        validation_alias=_flag("AI_AUTO_SEND_RISK"),
        description="largest share of automatic messages that a person would have changed (flag)",
    )
    ai_auto_send_sample: float = Field(
        default=0.05,
        ge=0,
        le=0.9,
        validation_alias=_flag("AI_AUTO_SEND_SAMPLE"),
        description="share of automatic messages that a person looks at instead (flag)",
    )

    ai_disclosure_every_days: int = Field(
        default=90,
        ge=0,
        le=3650,
        description="after so many days a fan is told again that AI helps to write; 0 for once",
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
    attribution_hours: int = Field(
        default=24,
        ge=1,
        le=720,
        description="how long after a message an answer or a purchase counts as its effect",
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

    alert_error_rate: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="alert when a greater share of calls to models, or of requests, fails",
    )
    alert_latency_seconds: float = Field(
        default=5.0, gt=0, le=600, description="alert when these take longer on average"
    )
    alert_filter_rate: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="alert when the content filter has findings in a greater share of drafts",
    )
    alert_daily_cost_usd: float = Field(
        default=100.0, gt=0, description="alert when models cost more dollars on one day in UTC"
    )
    observe_every_seconds: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="how often a process writes down what it has counted, for /metrics and alerts",
    )
    smtp_host: OptionalStr = Field(
        default=None, description="mail server that alerts are sent by (empty: no e-mail)"
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="how the mail server is spoken to; none only on this very machine",
    )
    smtp_user: OptionalStr = Field(default=None, description="user at the mail server, if any")
    smtp_password: OptionalSecret = Field(default=None, description="password of that user")
    smtp_from: OptionalStr = Field(default=None, description="address that alerts come from")
    metrics_token: OptionalSecret = Field(
        default=None,
        min_length=16,
        description="what Prometheus sends as a bearer token to /metrics (empty: only this very "
        "machine may read it)",
    )
    vaultcrm_log_format: Literal["text", "json"] = Field(
        default="text",
        description="json writes a line of JSON for each request and each event of the log",
    )

    retention_messages_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="messages are deleted so many days after they came here; 0 keeps them",
    )
    retention_drafts_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="the same for drafts that were rejected or expired; 0 keeps them",
    )
    retention_inbound_days: int = Field(
        default=30, ge=0, le=3650, description="the same for webhooks that were worked through"
    )
    retention_events_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="the same for events to other systems that were delivered or given up",
    )
    retention_judgements_days: int = Field(
        default=90, ge=0, le=3650, description="the same for judgements of the checker model"
    )
    retention_alerts_days: int = Field(
        default=365, ge=0, le=3650, description="the same for alerts, once they are cleared"
    )
    retention_idempotency_days: int = Field(
        default=2, ge=0, le=3650, description="how long an Idempotency-Key gets the same answer"
    )
    retention_sessions_days: int = Field(
        default=7, ge=0, le=3650, description="sessions are deleted so many days after their end"
    )
    retention_sign_ins_days: int = Field(
        default=7, ge=0, le=3650, description="the same for counted tries to sign in"
    )
    retention_counters_days: int = Field(
        default=62,
        ge=0,
        le=3650,
        description="the same for counters of limits; budgets of a month need 32 or more",
    )
    retention_jobs_days: int = Field(
        default=14, ge=0, le=3650, description="the same for jobs that failed or were given up"
    )

    request_seconds: float = Field(
        default=180.0,
        ge=1,
        le=3600,
        description="a request that has no answer by then is given up",
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
    vaultcrm_trusted_proxies: Networks = Field(
        default=(),
        validation_alias=AliasChoices("VAULTCRM_TRUSTED_PROXIES", "FORWARDED_ALLOW_IPS"),
        description="proxies in front whose word on a visitor's address counts, as in "
        "10.0.0.5,10.1.0.0/16",
    )
    require_second_factor: PersonRoles = Field(
        default=(),
        description="roles that need a second factor in the console, as in admin,manager",
    )
    oidc_issuer: OptionalStr = Field(
        default=None,
        description="an OpenID Connect issuer, such as Supabase's, whose JWTs are bearer tokens",
    )
    oidc_audience: str = Field(
        default="authenticated", min_length=1, description="the audience that they must name"
    )
    oidc_jwks_url: OptionalStr = Field(
        default=None, description="where its keys are (empty: what its discovery document says)"
    )
    oidc_emails_are_verified: bool = Field(
        default=False,
        description="the issuer gives tokens only to owners of their e-mail address, so that a "
        "token need not say email_verified",
    )
    vaultcrm_base_url: str = Field(
        default="http://127.0.0.1:8000", description="where people reach the console"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings

    @property
    def drafter(self) -> AiMode:
        """What the keys allow: Claude, else an OpenAI-compatible server, else retrieval."""
        if self.anthropic_api_key is not None:
            return "anthropic"
        if self.openai_base_url is not None:
            return "openai_compatible"
        return "retrieval"


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets from files: `NAME_FILE` in the environment names the file that holds `NAME`.

    Line ends at the end of the file are not part of it. Raises OSError or UnicodeDecodeError.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        environment = EnvSettingsSource(self.settings_cls).env_vars
        found = {}
        for field in self.settings_cls.model_fields:
            file = secret_file(field, environment)
            if file is not None and (text := read_secret(file)):
                found[field] = text
        return found


def is_secret(field: str) -> bool:
    """Whether a setting must not be shown and may be given as a file. An address of a database
    holds its password.
    """
    annotation = Settings.model_fields[field].annotation
    return field == "database_url" or annotation is SecretStr or SecretStr in get_args(annotation)


def secret_file(field: str, environment: Mapping[str, str | None]) -> Path | None:
    """The file that the environment (names in lower case) names for a secret, if any."""
    if not is_secret(field):
        return None
    for name in environment_names(field):
        if text := environment.get(f"{name}_FILE".lower()):
            return Path(text)
    return None


def read_secret(file: Path) -> str:
    """What a secret's file holds; raises OSError or UnicodeDecodeError."""
    return file.read_text(encoding="utf-8").rstrip("\r\n")


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
