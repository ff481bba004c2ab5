"""`make bench`: the tables of docs/benchmarks.md, measured here and now.

Everything runs on loopback, bounded in count, against the stub of `stubs.llm`. Each comparison is
made in pairs within one run, because machines differ and one machine differs from hour to hour.
"""

from rich.console import Console
from rich.table import Table

from bench import filter as filter_bench
from bench import generate


def main() -> None:
    console = Console()
    table = Table("what", "measured", "to reach")
    cpu = generate.measure_cpu()
    table.add_row(
        "CPU of the web process per generate, stub at 0 ms",
        f"{cpu['ours_ms']:.2f} ms = {cpu['ratio']:.2f} x the bare SDK call of {cpu['bare_ms']:.2f} ms "
        f"({cpu['ratio_low']:.2f}-{cpu['ratio_high']:.2f} over {generate.ROUNDS} pairs)",
        "<= 2 x",
    )
    stored = cpu["bytes"]
    table.add_row(
        "bytes stored per generation",
        f"{stored['queued']:,.0f} waiting, {stored['with_feedback_and_outbox']:,.0f} "
        "approved, with audit, feedback and outbox",
        "<= 4,000",
    )
    latency = generate.measure_latency()
    table.add_row(
        "added latency p50, one client, stub at 300 ms",
        f"{latency['ours_added_ms']:.1f} ms (bare SDK {latency['bare_added_ms']:.1f} ms)",
        "<= 10 ms",
    )
    checks = filter_bench.measure()
    for name, value in checks.items():
        table.add_row(f"content filter: {name}", f"{value:,.2f}", "")
    console.print(table)


if __name__ == "__main__":
    main()
