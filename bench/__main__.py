"""`make bench`, or `python -m bench [PART ...]`: what docs/benchmarks.md tells of, measured here.

Everything runs on loopback, bounded in count, against the stub of `stubs.llm`. Each comparison is
made in pairs within one run, because machines differ and one machine differs from hour to hour.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from statistics import quantiles
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import approve, audit, generate, queue, reservations
from bench import filter as filter_bench

Row = tuple[str, str, str]
"""What was measured, the figure, what is to be reached."""
CONSOLE: Final = Console(width=140)


def generate_rows() -> Iterator[Row]:
    cpu = generate.measure_cpu()
    low, _, high = quantiles(cpu.ratios)
    yield (
        "CPU of the web process per generate, model at 0 ms",
        (
            f"{cpu.ours_ms:.2f} ms = {cpu.ratio:.2f} x the bare SDK call of {cpu.bare_ms:.2f} ms "
            f"(half of {len(cpu.ratios)} pairs within {low:.2f}-{high:.2f})"
        ),
        "<= 2 x",
    )
    latency = generate.measure_latency()
    yield (
        "added latency p50, one client, model at 300 ms",
        f"{latency.ours_ms:.1f} ms (bare SDK call {latency.bare_ms:.1f} ms)",
        "<= 10 ms",
    )
    stored = generate.measure_storage()
    yield (
        "transactions per generate",
        f"{stored.transactions:.2f}",
        "1 round trip before the model, 1 transaction after",
    )
    yield (
        "bytes stored per generation, indexes included",
        (
            f"{stored.waiting_bytes:,.0f} waiting, {stored.approved_bytes:,.0f} approved, "
            "with audit, usage, feedback and outbox"
        ),
        "<= 4,000",
    )
    cached = generate.measure_cached()
    yield (
        (
            "cached share of the prompt in a conversation's second draft, one message of ours and "
            "one of the fan's later"
        ),
        (
            f"{cached.shares[0]:.2f} where the first came with the first message of a sitting, "
            f"{cached.mean:.2f} on average ({', '.join(f'{share:.2f}' for share in cached.shares)})"
        ),
        ">= 0.8",
    )


def approve_rows() -> Iterator[Row]:
    for processes in (1, 2):
        yield (
            f"approvals a second over HTTP, {approve.CLIENTS} clients, web processes: {processes}",
            approve.told(approve.measure(processes)),
            ">= 500",
        )


def queue_rows() -> Iterator[Row]:
    asked = queue.measure()
    yield from queue.rows(asked)
    plans = Table("installation", "statement", "plan once it is settled, with rows", "pages", "ms")
    for name, seen in asked.plans.items():
        for one in seen:
            nodes = " < ".join(one.nodes)
            plans.add_row(name, one.statement, nodes, f"{one.pages:,}", f"{one.ms:.2f}")
    CONSOLE.print(plans)


def audit_rows() -> Iterator[Row]:
    proven = audit.measure()
    yield (
        f"audit log, {proven.rows:,} rows, one process: sealed, verified, exported a second",
        (
            f"{proven.sealed_a_second:,.0f}, {proven.verified_a_second:,.0f}, "
            f"{proven.exported_a_second:,.0f}; {proven.seal_bytes:.0f} bytes a row in seals"
        ),
        "",
    )


def reservation_rows() -> Iterator[Row]:
    reserved = reservations.measure()
    yield (
        (
            f"{reserved.calls:,} reservations of {reservations.PROCESSES} processes, "
            f"{reservations.PROCESSES * reservations.AT_ONCE} at once"
        ),
        (
            f"{reserved.let_in:,} let in, {reserved.spent:,} of {reserved.limit:,} tokens spent, "
            f"{reserved.held} held at the end; {reserved.a_second:,.0f} a second"
        ),
        "exactly the limit",
    )


def filter_rows() -> Iterator[Row]:
    for name, value in filter_bench.measure().items():
        yield f"content filter, {name.replace('_', ' ')}", f"{value:,.2f}", ""


PARTS: Final[Mapping[str, Callable[[], Iterator[Row]]]] = {
    "generate": generate_rows,
    "approve": approve_rows,
    "queue": queue_rows,
    "audit": audit_rows,
    "reservations": reservation_rows,
    "filter": filter_rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure what docs/benchmarks.md tells of."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    wanted = parser.parse_args().parts or list(PARTS)
    if unknown := sorted(set(wanted) - set(PARTS)):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    table = Table("what", "measured", "to reach")
    for part in wanted:
        for row in PARTS[part]():
            # At once too, so that what takes minutes says where it is.
            CONSOLE.print(" · ".join(filter(None, row)), style="dim", highlight=False)
            table.add_row(*row)
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
