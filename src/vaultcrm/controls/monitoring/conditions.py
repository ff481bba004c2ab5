"""When something is worth an alert, and when it is over.

An alert opens when a reading is above its threshold. It clears when readings have been at or below
a lower bound without a break for `CALM`, so that a reading that swings about the threshold is one
alert and not many. Where too little has happened for a reading there is none, which is calm too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from vaultcrm.domain.alerts import AlertKind, Severity
from vaultcrm.settings import Settings

CALM = timedelta(minutes=10)
"""How long readings must stay low before an alert clears."""
LOW = 0.8
"""The lower bound, as a share of the threshold."""

CALLS_WINDOW = timedelta(minutes=10)
DRAFTS_WINDOW = timedelta(hours=1)
DATABASE_WINDOW = timedelta(minutes=5)

LEAST_CALLS = 10
"""Calls or requests in the window, below which their error rate and latency say nothing."""
LEAST_DRAFTS = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen up to a moment: in `CALLS_WINDOW`, except for drafts (`DRAFTS_WINDOW`), errors
    of the database (`DATABASE_WINDOW`), and cost, which is that of the day in UTC. Times are sums
    in milliseconds.
    """

    requests: int = 0
    failed_requests: int = 0
    request_ms: int = 0
    calls: int = 0
    failed_calls: int = 0
    call_ms: int = 0
    database_errors: int = 0
    drafts: int = 0
    with_findings: int = 0
    cost_micro_usd: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition with its reading now. `rule` says in words when it opens; `message` says what
    is the matter and what to do.
    """

    kind: AlertKind
    severity: Severity
    reading: float | None
    threshold: float
    rule: str
    message: str

    @property
    def is_above(self) -> bool:
        return self.reading is not None and self.reading > self.threshold

    @property
    def is_low(self) -> bool:
        return self.reading is None or self.reading <= self.threshold * LOW


class Step(Enum):
    """What becomes of an alert: `CALMING` begins the time after which it clears, `RESTLESS` ends it
    too early.
    """

    NOTHING = "nothing"
    OPEN = "open"
    CALMING = "calming"
    RESTLESS = "restless"
    CLEAR = "clear"


def next_step(
    condition: Condition, now: datetime, *, is_open: bool, calm_since: datetime | None
) -> Step:
    """What a reading makes of an alert. `calm_since` is since when readings are low."""
    if not is_open:
        return Step.OPEN if condition.is_above else Step.NOTHING
    if not condition.is_low:
        return Step.NOTHING if calm_since is None else Step.RESTLESS
    if calm_since is None:
        return Step.CALMING
    return Step.CLEAR if now - calm_since >= CALM else Step.NOTHING


def conditions(settings: Settings, seen: Seen) -> tuple[Condition, ...]:
    """Every condition of the specification, with what was seen."""
    errors, latency = settings.alert_error_rate, settings.alert_latency_seconds
    minutes = f"in {CALLS_WINDOW.seconds // 60} minutes"
    enough = f"{minutes} with at least {LEAST_CALLS} of them"
    return (
        Condition(
            AlertKind.MODEL_ERRORS,
            Severity.CRITICAL,
            _share(seen.failed_calls, seen.calls, LEAST_CALLS),
            errors,
            f"More than {errors:.0%} of the calls to models fail {enough}.",
            f"{seen.failed_calls:,} of {seen.calls:,} calls to models have failed {minutes}. "
            "Fans get no drafts for these. Run vaultcrm doctor, which tries key and model; if the "
            "provider is down, people can write themselves meanwhile.",
        ),
        Condition(
            AlertKind.MODEL_LATENCY,
            Severity.WARNING,
            _mean_seconds(seen.call_ms, seen.calls),
            latency,
            f"A call to a model takes more than {latency:g} seconds on average {enough}.",
            f"A call to a model takes {_told(seen.call_ms, seen.calls)} on average {minutes}. "
            "Drafts come late. Choose a faster model with AI_MODEL, or wait if the provider says "
            "that it is busy.",
        ),
        Condition(
            AlertKind.REQUEST_ERRORS,
            Severity.CRITICAL,
            _share(seen.failed_requests, seen.requests, LEAST_CALLS),
            errors,
            f"More than {errors:.0%} of the requests to VaultCRM fail (500, 502, 504) {enough}.",
            f"{seen.failed_requests:,} of {seen.requests:,} requests have failed {minutes}. See in "
            "the logs, and by route on /metrics, which they were; 502 and 504 come from models.",
        ),
        Condition(
            AlertKind.REQUEST_LATENCY,
            Severity.WARNING,
            _mean_seconds(seen.request_ms, seen.requests),
            latency,
            f"A request to VaultCRM takes more than {latency:g} seconds on average {enough}.",
            f"A request takes {_told(seen.request_ms, seen.requests)} on average {minutes}. See on "
            "/metrics by route which are slow; start more web processes if all are.",
        ),
        Condition(
            AlertKind.DAILY_COST,
            Severity.CRITICAL,
            seen.cost_micro_usd / 1_000_000,
            settings.alert_daily_cost_usd,
            f"Models cost more than ${settings.alert_daily_cost_usd:,.2f} on one day in UTC.",
            f"Calls to models have cost ${seen.cost_micro_usd / 1_000_000:,.2f} today. Nothing is "
            "stopped by this alert: lower AI_MAX_TOKENS_PER_DAY under Flags & limits if it is too "
            "much.",
        ),
        Condition(
            AlertKind.FILTER_RATE,
            Severity.WARNING,
            _share(seen.with_findings, seen.drafts, LEAST_DRAFTS),
            settings.alert_filter_rate,
            f"The content filter has findings in more than {settings.alert_filter_rate:.0%} of the "
            f"drafts of an hour with at least {LEAST_DRAFTS} of them.",
            f"The content filter has findings in {seen.with_findings:,} of the {seen.drafts:,} "
            "drafts of the last hour. Read some of them in the queue: it may be the model, a "
            "personality, or a content rule of your own that is too strict.",
        ),
        Condition(
            AlertKind.DATABASE_ERRORS,
            Severity.CRITICAL,
            float(seen.database_errors),
            0.0,
            f"The database could not be reached in the last {DATABASE_WINDOW.seconds // 60} "
            "minutes.",
            f"The database could not be reached {seen.database_errors:,} times in the last "
            f"{DATABASE_WINDOW.seconds // 60} minutes. Nothing that was answered is lost. See that "
            "the server is up, has connections to give, and that the network between is sound.",
        ),
    )


KINDS = frozenset(
    {
        AlertKind.MODEL_ERRORS,
        AlertKind.MODEL_LATENCY,
        AlertKind.REQUEST_ERRORS,
        AlertKind.REQUEST_LATENCY,
        AlertKind.DAILY_COST,
        AlertKind.FILTER_RATE,
        AlertKind.DATABASE_ERRORS,
    }
)
"""The alerts that are decided here; others open and clear where their cause is."""


def rules(settings: Settings) -> Iterable[str]:
    """In words, when alerts open."""
    return (condition.rule for condition in conditions(settings, Seen()))


def _share(part: int, whole: int, least: int) -> float | None:
    return part / whole if whole >= least else None


def _mean_seconds(milliseconds: int, count: int) -> float | None:
    return milliseconds / count / 1000 if count >= LEAST_CALLS else None


def _told(milliseconds: int, count: int) -> str:
    return f"{milliseconds / max(count, 1) / 1000:.1f} s"
