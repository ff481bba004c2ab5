"""`make faults`: many rounds of kills, with a table at the end.

In the environment ROUNDS (200) says how many, SEED repeats a course of events; only its moments
differ. A round takes a quarter of a minute.
"""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.rounds import Report, run_rounds
from tests.support.databases import new_home, new_run

_TOLD_AT_MOST = 30


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__).parse_args()
    # So that what was started is stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rounds = int(os.environ.get("ROUNDS") or 200)
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6))
    logs = Path(tempfile.mkdtemp(prefix="vaultcrm-faults-"))
    _say(f"{rounds} rounds, SEED={seed}, logs in {logs}")
    with new_run() as run, new_home(run) as home:
        report = asyncio.run(
            run_rounds(home, logs, rounds=rounds, seed=seed, progress=_Progress().tell)
        )
    _say(table(report))
    sys.exit(1 if report.violations else 0)


class _Progress:
    """A line a round, and each violation as it is found."""

    def __init__(self) -> None:
        self._told = 0

    def tell(self, report: Report) -> None:
        _say(
            f"round {report.rounds}: {report.seconds:.0f} s, {report.kills.total()} kills, "
            f"{sum(report.states.values())} messages, {len(report.violations)} violations"
        )
        for violation in report.violations[self._told : _TOLD_AT_MOST]:
            _say(f"  {violation}")
        self._told = len(report.violations)


def table(report: Report) -> str:
    """Kills by target, messages by final state, and what was wrong."""
    rows = [
        ("rounds", report.rounds),
        ("seconds", round(report.seconds)),
        *((f"seconds {phase}", number) for phase, number in report.spent.items()),
        ("slowest recovery, seconds", round(report.slowest_recovery, 1)),
        *((f"kills: {target}", number) for target, number in sorted(report.kills.items())),
        ("fans' messages taken", report.fan_messages),
        ("decisions answered", report.decisions),
        ("own messages answered", report.own_messages),
        *(
            (f"messages: {channel}, {status}", number)
            for (channel, status), number in sorted(report.states.items())
        ),
        ("violations", len(report.violations)),
    ]
    return "\n".join(f"{name:<40}{number:>8}" for name, number in rows)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 -- this is what the command is for


if __name__ == "__main__":
    main()
