"""What a process counts, and how Prometheus reads it."""

import json
import re

from vaultcrm.controls.monitoring.exposition import Family, Sample, exposition, gauge, of_processes
from vaultcrm.controls.monitoring.observed import OK, SECONDS, Observed
from vaultcrm.controls.monitoring.request_id import current_request_id, take_request_id

_LABEL = r'[a-z_]+="(?:\\.|[^"\\])*"'
LINE = re.compile(rf"[a-z_]+(?:\{{{_LABEL}(?:,{_LABEL})*\}})? -?[0-9.e+-]+")


def text_of(observed: Observed) -> str:
    counts = json.loads(json.dumps(observed.counts()))
    return exposition(of_processes({"one": counts}))


def test_requests_are_counted_by_route_and_status_and_timed_in_buckets() -> None:
    observed = Observed()
    for status, seconds in ((200, 0.02), (200, 0.3), (500, 99.0)):
        observed.request("GET", "/api/fans/{fan_id}", status, seconds)

    text = text_of(observed)

    where = 'method="GET",route="/api/fans/{fan_id}"'
    assert f'vaultcrm_http_requests_total{{{where},status="200",process="one"}} 2' in text
    assert f'vaultcrm_http_requests_total{{{where},status="500",process="one"}} 1' in text
    name = "vaultcrm_http_request_duration_seconds"
    for bound, count in (("0.01", 0), ("0.025", 1), ("0.5", 2), ("30", 2), ("+Inf", 3)):
        assert f'{name}_bucket{{{where},process="one",le="{bound}"}} {count}' in text
    assert f'{name}_count{{{where},process="one"}} 3' in text
    assert f'{name}_sum{{{where},process="one"}} 99.32' in text


def test_a_duration_at_a_bound_is_in_its_bucket() -> None:
    observed = Observed()
    observed.request("GET", "/", 200, SECONDS[0])
    assert f'le="{SECONDS[0]:g}"}} 1' in text_of(observed)


def test_calls_to_models_are_counted_with_tokens_and_dollars() -> None:
    observed = Observed()
    observed.model_call("m", "draft", OK, 1.0)
    observed.model_call("m", "draft", "drafter-timeout", 20.0)
    observed.model_usage("m", "draft", {"input": 100, "output": 20}, 1500)

    text = text_of(observed)

    assert 'model_calls_total{model="m",purpose="draft",outcome="drafter-timeout"' in text
    assert 'model_tokens_total{model="m",purpose="draft",kind="input",process="one"} 100' in text
    assert 'model_cost_dollars_total{model="m",purpose="draft",process="one"} 0.0015' in text


def test_every_line_is_one_that_prometheus_reads() -> None:
    observed = Observed()
    observed.request("GET", "/x", 200, 0.1)
    observed.model_call('odd "name"\\with\nall', "draft", OK, 0.1)
    observed.database_error()
    lines = text_of(observed).splitlines()
    assert lines
    for line in lines:
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.fullmatch(line), line


def test_a_family_without_samples_is_left_out() -> None:
    empty = gauge("nothing", "Nothing.", {})
    full = Family("something", "gauge", "Something.", (Sample(1.5, {}),))
    assert exposition([empty, full]) == (
        "# HELP something Something.\n# TYPE something gauge\nsomething 1.5\n"
    )


def test_what_is_handed_on_is_not_kept_and_what_could_not_be_is() -> None:
    observed = Observed()
    observed.request("GET", "/", 502, 0.5)
    taken = observed.take_minutes()
    [minute] = taken.values()
    assert (minute.requests, minute.failed_requests, minute.request_ms) == (1, 1, 500)
    assert observed.take_minutes() == {}
    observed.database_error()
    observed.give_back(taken)
    sums = [
        (minute.requests, minute.database_errors) for minute in observed.take_minutes().values()
    ]
    assert [sum(column) for column in zip(*sums, strict=True)] == [1, 1]


def test_a_refusal_on_purpose_is_no_failure() -> None:
    observed = Observed()
    for status in (200, 404, 422, 429, 503):
        observed.request("GET", "/", status, 0.1)
    assert sum(minute.failed_requests for minute in observed.take_minutes().values()) == 0


def test_questions_for_health_hide_no_failure() -> None:
    observed = Observed()
    for _ in range(1000):
        observed.request("GET", "/readyz", 200, 0.001)
    observed.request("POST", "/api/ai/generate", 502, 1.0)
    sums = [(one.requests, one.failed_requests) for one in observed.take_minutes().values()]
    assert [sum(column) for column in zip(*sums, strict=True)] == [1, 1]


def test_a_plain_request_id_is_taken_over_and_another_is_not() -> None:
    assert take_request_id("crm-42.a_b") == "crm-42.a_b" == current_request_id()
    for odd in (None, "", "a b", "x" * 65, 'x"y', "tom@example.com", "x\ny"):
        made = take_request_id(odd)
        assert made != odd
        assert re.fullmatch(r"[0-9a-f]{16}", made)
