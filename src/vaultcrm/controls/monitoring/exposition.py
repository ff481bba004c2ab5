"""Counts in the text format of Prometheus, version 0.0.4.

Written here and not by `prometheus-client`: its counts live in one process, or in files that the
processes of one machine share; ours come from the database and are those of all machines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from vaultcrm.controls.monitoring.observed import SECONDS

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. `suffix` is what a histogram's name ends with, as in `_bucket`."""

    value: float
    labels: Labels
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: tuple[Sample, ...]


def exposition(families: Iterable[Family]) -> str:
    """The page that Prometheus reads. Families without samples are left out."""
    lines = []
    for family in families:
        if family.samples:
            lines.append(f"# HELP {family.name} {family.help}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += [_line(family.name, sample) for sample in family.samples]
    return "\n".join(lines) + "\n"


def _line(name: str, sample: Sample) -> str:
    told = ",".join(f'{label}="{_escaped(text)}"' for label, text in sample.labels.items())
    labels = f"{{{told}}}" if told else ""
    return f"{name}{sample.suffix}{labels} {_number(sample.value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def gauge(name: str, text: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Family:
    """A family of gauges, by the values of its labels."""
    return Family(
        name,
        "gauge",
        text,
        tuple(Sample(value, dict(zip(labels, key, strict=True))) for key, value in values.items()),
    )


def of_processes(counts: Mapping[str, Mapping[str, Any]]) -> list[Family]:
    """What `Observed.counts` holds, of each process by its name.

    Each process has series of its own, which begin at 0 with it, as a counter must. Those of one
    that has ended stay for a while and then go.
    """
    return [
        _counter(
            "vaultcrm_http_requests_total",
            "Requests that were answered.",
            counts,
            "requests",
            "method",
            "route",
            "status",
        ),
        _histogram(
            "vaultcrm_http_request_duration_seconds",
            "Time from a request to the first byte of its answer.",
            counts,
            "latency",
            "method",
            "route",
        ),
        _counter(
            "vaultcrm_model_calls_total",
            "Calls to language models, retries not counted.",
            counts,
            "calls",
            "model",
            "purpose",
            "outcome",
        ),
        _histogram(
            "vaultcrm_model_call_duration_seconds",
            "Time of a call to a language model, with its retries.",
            counts,
            "call_times",
            "model",
            "purpose",
        ),
        _counter(
            "vaultcrm_model_tokens_total",
            "Tokens that language models have used.",
            counts,
            "tokens",
            "model",
            "purpose",
            "kind",
        ),
        _counter(
            "vaultcrm_model_cost_dollars_total",
            "What language models have cost.",
            counts,
            "micro_usd",
            "model",
            "purpose",
            unit=1_000_000,
        ),
        _single("vaultcrm_database_errors_total", "Failures to reach the database.", counts,
                "database_errors", "counter"),
        _single("vaultcrm_process_cpu_seconds_total", "Processor time used.", counts,
                "cpu_seconds", "counter"),
        _single("vaultcrm_pool_connections", "Connections to the database that are open.", counts,
                "pool_size", "gauge"),
        _single("vaultcrm_pool_connections_in_use", "Connections that are being used.", counts,
                "pool_in_use", "gauge"),
        _single("vaultcrm_pool_waiting", "Requests that wait for a connection.", counts,
                "pool_waiting", "gauge"),
    ]  # fmt: skip


def _counter(
    name: str,
    text: str,
    counts: Mapping[str, Mapping[str, Any]],
    key: str,
    *labels: str,
    unit: float = 1,
) -> Family:
    return Family(
        name,
        "counter",
        text,
        tuple(
            Sample(
                value / unit,
                {**dict(zip(labels, map(str, given), strict=True)), "process": process},
            )
            for process, found in counts.items()
            for *given, value in found.get(key, ())
        ),
    )


def _single(
    name: str,
    text: str,
    counts: Mapping[str, Mapping[str, Any]],
    key: str,
    kind: Literal["counter", "gauge"],
) -> Family:
    return Family(
        name,
        kind,
        text,
        tuple(
            Sample(found[key], {"process": process})
            for process, found in counts.items()
            if key in found
        ),
    )


def _histogram(
    name: str, text: str, counts: Mapping[str, Mapping[str, Any]], key: str, *labels: str
) -> Family:
    samples: list[Sample] = []
    for process, found in counts.items():
        for *given, buckets, seconds in found.get(key, ()):
            named = {**dict(zip(labels, map(str, given), strict=True)), "process": process}
            bounds = [*(f"{bound:g}" for bound in SECONDS), "+Inf"]
            for bound, count in zip(bounds, accumulate(buckets), strict=True):
                samples.append(Sample(count, {**named, "le": bound}, "_bucket"))
            samples.append(Sample(seconds, named, "_sum"))
            samples.append(Sample(sum(buckets), named, "_count"))
    return Family(name, "histogram", text, tuple(samples))
