"""`make bench`: what docs/benchmarks.md tells of, measured here and now.

Everything runs on loopback, bounded in count, against the stub of `stubs.llm`. Each comparison is
made in pairs within one run, because machines differ and one machine differs from hour to hour.
"""

from statistics import quantiles

from rich.console import Console
from rich.table import Table

from bench import approve, audit, generate, queue, reservations
from bench import filter as filter_bench


def main() -> None:
    console = Console(width=140)
    table = Table("what", "measured", "to reach")

    cpu = generate.measure_cpu()
    low, _, high = quantiles(cpu.ratios)
    table.add_row(
        "CPU of the web process per generate, model at 0 ms",
        f"{cpu.ours_ms:.2f} ms = {cpu.ratio:.2f} x the bare SDK call of {cpu.bare_ms:.2f} ms "
        f"(half of {len(cpu.ratios)} pairs within {low:.2f}-{high:.2f})",
        "<= 2 x",
    )
    latency = generate.measure_latency()
    table.add_row(
        "added latency p50, one client, model at 300 ms",
        f"{latency.ours_ms:.1f} ms (bare SDK call {latency.bare_ms:.1f} ms)",
        "<= 10 ms",
    )
    stored = generate.measure_storage()
    table.add_row(
        "transactions per generate",
        f"{stored.transactions:.2f}",
        "1 round trip before the model, 1 transaction after",
    )
    table.add_row(
        "bytes stored per generation, indexes included",
        f"{stored.waiting_bytes:,.0f} waiting, {stored.approved_bytes:,.0f} approved, with audit, "
        "usage, feedback and outbox",
        "<= 4,000",
    )
    cached = generate.measure_cached()
    table.add_row(
        "cached share of the prompt in a conversation's second draft, one message of ours and one "
        "of the fan's later",
        f"{cached.shares[0]:.2f} where the first came with the first message of a sitting, "
        f"{cached.mean:.2f} on average ({', '.join(f'{share:.2f}' for share in cached.shares)})",
        ">= 0.8",
    )
    for processes in (1, 2):
        table.add_row(
            f"approvals a second over HTTP, {approve.CLIENTS} clients, web processes: {processes}",
            approve.told(approve.measure(processes)),
            ">= 500",
        )
    asked = queue.measure()
    for row in queue.rows(asked):
        table.add_row(*row)
    proven = audit.measure()
    table.add_row(
        f"audit log, {proven.rows:,} rows, one process: sealed, verified, exported a second",
        f"{proven.sealed_a_second:,.0f}, {proven.verified_a_second:,.0f}, "
        f"{proven.exported_a_second:,.0f}; {proven.seal_bytes:.0f} bytes a row in seals",
        "",
    )
    reserved = reservations.measure()
    table.add_row(
        f"{reserved.calls:,} reservations of {reservations.PROCESSES} processes, "
        f"{reservations.PROCESSES * reservations.AT_ONCE} at once",
        f"{reserved.let_in:,} let in, {reserved.spent:,} of {reserved.limit:,} tokens spent, "
        f"{reserved.held} held at the end; {reserved.a_second:,.0f} a second",
        "exactly the limit",
    )
    checks = filter_bench.measure()
    for name, value in checks.items():
        table.add_row(f"content filter, {name.replace('_', ' ')}", f"{value:,.2f}", "")
    console.print(table)

    plans = Table("installation", "statement", "plan once it is settled, with rows", "pages", "ms")
    for name, seen in asked.plans.items():
        for one in seen:
            nodes = " < ".join(one.nodes)
            plans.add_row(name, one.statement, nodes, f"{one.pages:,}", f"{one.ms:.2f}")
    console.print(plans)


if __name__ == "__main__":
    main()
