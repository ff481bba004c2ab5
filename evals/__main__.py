"""`python -m evals [--small] [--details]`: the tables; exit status 1 if a figure is too bad."""

import argparse
import sys

from evals.experiments.measure import measure as measure_experiments
from evals.experiments.report import failures as experiment_failures
from evals.experiments.report import table as experiment_table
from evals.learning import report as learning
from evals.personal_data.measure import measure as measure_personal_data
from evals.personal_data.measure import read_messages
from evals.personal_data.report import table
from evals.personal_data.targets import SETS, failures
from evals.safety import third_set
from evals.safety.report import measure, rendered, shortfalls
from vaultcrm.pipeline.safety.filter import ContentFilter


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Evaluate the filter.")
    parser.add_argument("--small", action="store_true", help="a third of the texts, for tests")
    parser.add_argument("--details", action="store_true", help="every miss and false alarm")
    options = parser.parse_args(arguments)
    report = measure(small=options.small)
    print(rendered(report, details=options.details))
    failed = [*shortfalls(report, small=options.small), *_personal_data(details=options.details)]
    failed += _third_set()
    failed += _learning(small=options.small)
    failed += _experiments(small=options.small)
    for sentence in failed:
        print(f"below target: {sentence}", file=sys.stderr)
    if not failed:
        print("every figure reaches its target (evals/safety/thresholds.toml)")
    return 1 if failed else 0


def _third_set() -> list[str]:
    """Print the table of `evals.safety.third_set`; what is below its target, a sentence each."""
    halves = third_set.measure(ContentFilter.load())
    print(third_set.rendered(halves))
    return third_set.failures(halves)


def _personal_data(*, details: bool) -> list[str]:
    """Print the tables of `evals.personal_data`; what is below its target, a sentence each."""
    failed: list[str] = []
    for name, files in SETS.items():
        figures = measure_personal_data(read_messages(*files))
        print(table(name, figures))
        if details:
            print("".join(f"  {what}: {shown}\n" for what, shown in figures.misses))
        failed += [f"personal data, {name}: {failure}" for failure in failures(figures)]
    return failed


def _experiments(*, small: bool) -> list[str]:
    """Print the figures of `evals.experiments`; what is below its target, a sentence each."""
    figures = list(measure_experiments(worlds=60 if small else 1_000))
    print(experiment_table(figures))
    return experiment_failures(figures, small=small)


def _learning(*, small: bool) -> list[str]:
    """Print the figures of `evals.learning`; what is below its target, a sentence each."""
    figures = learning.measure(small=small)
    print(learning.rendered(figures))
    return learning.failures(figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
