"""`python -m evals [--small] [--details]`: the tables; exit status 1 if a figure is too bad."""

import argparse
import sys

from evals.safety.report import measure, rendered, shortfalls


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals", description="Evaluate the filter.")
    parser.add_argument("--small", action="store_true", help="a third of the texts, for tests")
    parser.add_argument("--details", action="store_true", help="every miss and false alarm")
    options = parser.parse_args(arguments)
    report = measure(small=options.small)
    print(rendered(report, details=options.details))
    failed = shortfalls(report, small=options.small)
    for sentence in failed:
        print(f"below target: {sentence}", file=sys.stderr)
    if not failed:
        print("every figure reaches its target (evals/safety/thresholds.toml)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
