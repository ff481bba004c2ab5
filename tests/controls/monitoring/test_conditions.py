"""When an alert opens and closes, as values."""

from datetime import UTC, datetime, timedelta

import pytest

from vaultcrm.controls.monitoring.conditions import (
    CALM,
    KINDS,
    LEAST_CALLS,
    LEAST_DRAFTS,
    LOW,
    Condition,
    Seen,
    Step,
    conditions,
    next_step,
    rules,
)
from vaultcrm.domain.alerts import AlertKind
from vaultcrm.settings import Settings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)


def seen_as(kind: AlertKind, seen: Seen) -> Condition:
    return next(one for one in conditions(SETTINGS, seen) if one.kind is kind)


@pytest.mark.parametrize(
    ("kind", "at", "above"),
    [
        (AlertKind.MODEL_ERRORS, Seen(calls=100, failed_calls=5), Seen(calls=100, failed_calls=6)),
        (
            AlertKind.REQUEST_ERRORS,
            Seen(requests=100, failed_requests=5),
            Seen(requests=100, failed_requests=6),
        ),
        (AlertKind.MODEL_LATENCY, Seen(calls=10, call_ms=50_000), Seen(calls=10, call_ms=50_001)),
        (
            AlertKind.REQUEST_LATENCY,
            Seen(requests=10, request_ms=50_000),
            Seen(requests=10, request_ms=50_001),
        ),
        (
            AlertKind.DAILY_COST,
            Seen(cost_micro_usd=100_000_000),
            Seen(cost_micro_usd=100_000_001),
        ),
        (AlertKind.FILTER_RATE, Seen(drafts=20, with_findings=4), Seen(drafts=20, with_findings=5)),
        (AlertKind.DATABASE_ERRORS, Seen(), Seen(database_errors=1)),
    ],
)
def test_an_alert_opens_above_the_specified_limit_and_not_at_it(
    kind: AlertKind, at: Seen, above: Seen
) -> None:
    assert not seen_as(kind, at).is_above
    assert seen_as(kind, above).is_above


def test_there_is_a_rule_in_words_for_each_condition() -> None:
    assert {one.kind for one in conditions(SETTINGS, Seen())} == KINDS
    told = list(rules(SETTINGS))
    assert len(told) == len(KINDS)
    assert "More than 5% of the calls to models fail" in told[0]
    assert any("$100.00" in rule for rule in told)


def test_too_few_events_give_no_reading() -> None:
    few = Seen(
        requests=LEAST_CALLS - 1,
        failed_requests=LEAST_CALLS - 1,
        calls=LEAST_CALLS - 1,
        failed_calls=LEAST_CALLS - 1,
        call_ms=10**6,
        request_ms=10**6,
        drafts=LEAST_DRAFTS - 1,
        with_findings=LEAST_DRAFTS - 1,
    )
    assert not any(condition.is_above for condition in conditions(SETTINGS, few))


def condition(reading: float | None) -> Condition:
    return seen_as(AlertKind.DAILY_COST, Seen(cost_micro_usd=round((reading or 0) * 10**6)))


def test_an_alert_stays_open_between_its_limit_and_the_lower_bound() -> None:
    between = condition(SETTINGS.alert_daily_cost_usd * (LOW + 1) / 2)
    assert next_step(between, NOW, is_open=False, calm_since=None) is Step.NOTHING
    assert next_step(between, NOW, is_open=True, calm_since=None) is Step.NOTHING
    long_ago = NOW - 2 * CALM
    assert next_step(between, NOW, is_open=True, calm_since=long_ago) is Step.RESTLESS


def test_an_alert_closes_after_it_was_low_for_long_enough() -> None:
    low = condition(1)
    assert next_step(low, NOW, is_open=True, calm_since=None) is Step.CALMING
    almost = NOW - CALM + timedelta(seconds=1)
    assert next_step(low, NOW, is_open=True, calm_since=almost) is Step.NOTHING
    assert next_step(low, NOW, is_open=True, calm_since=NOW - CALM) is Step.CLEAR
    assert next_step(low, NOW, is_open=False, calm_since=None) is Step.NOTHING
