"""Approvals a second over HTTP, 16 people side by side. No worker: what is approved waits."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from bench.clients import encode, send_all
from bench.drafts import Plan, fill, waiting_ids
from bench.servers import Server, vaultcrm
from stubs.llm import llm_stub_process

CLIENTS = 16
WARM_UP = 500
APPROVALS = 1_500
ROUNDS = 7


@dataclass(frozen=True)
class Approvals:
    """Per round: approvals a second, CPU milliseconds of the web processes an approval, and the
    machine's load at its end. `latency_ms` holds p50 and p99 over all rounds.
    """

    processes: int
    rates: Sequence[float]
    cpu_ms: Sequence[float]
    loads: Sequence[float]
    latency_ms: tuple[float, float]

    @property
    def rate(self) -> float:
        return median(self.rates)


def measure(processes: int) -> Approvals:
    """Approve drafts of 20 creators in 500 conversations, each once."""
    drafts = WARM_UP + ROUNDS * APPROVALS
    with (
        llm_stub_process() as stub,
        vaultcrm(stub.url, processes=processes, conversations=1) as server,
    ):
        fill(server, Plan(generations=drafts, waiting=drafts))
        requests = _requests(server, drafts)
        send_all(server, requests[:WARM_UP], CLIENTS)
        rates: list[float] = []
        cpu_ms: list[float] = []
        loads: list[float] = []
        each: list[float] = []
        for start in range(WARM_UP, drafts, APPROVALS):
            before = server.cpu_seconds()
            run = send_all(server, requests[start : start + APPROVALS], CLIENTS)
            cpu_ms.append((server.cpu_seconds() - before) * 1000 / APPROVALS)
            rates.append(APPROVALS / run.seconds)
            loads.append(os.getloadavg()[0])
            each += run.each
    percentiles = quantiles(each, n=100)
    return Approvals(
        processes, rates, cpu_ms, loads, (percentiles[49] * 1000, percentiles[98] * 1000)
    )


def _requests(server: Server, drafts: int) -> list[bytes]:
    return [
        encode(
            server,
            "POST",
            "/api/ai/approve",
            json.dumps({"generationId": one, "action": "approve"}).encode(),
        )
        for one in waiting_ids(server, drafts)
    ]


def told(measured: Approvals) -> str:
    """One line for the table."""
    return (
        f"{measured.rate:,.0f}/s ({min(measured.rates):,.0f}-{max(measured.rates):,.0f} over "
        f"{len(measured.rates)} rounds, load {min(measured.loads):.1f}-{max(measured.loads):.1f}); "
        f"{median(measured.cpu_ms):.2f} ms CPU of the web process each; "
        f"p50 {measured.latency_ms[0]:.0f} ms, p99 {measured.latency_ms[1]:.0f} ms"
    )


if __name__ == "__main__":
    for number in (1, 2):
        print(number, told(measure(number)))
