"""`python -m evals.learning [--small]`: the figures; exit status 1 if one misses its target."""

import argparse
import sys

from evals.learning.report import failures, measure, rendered


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.learning")
    parser.add_argument("--small", action="store_true", help="few and small worlds, for tests")
    options = parser.parse_args(arguments)
    figures = measure(small=options.small)
    print(rendered(figures))
    failed = failures(figures)
    for sentence in failed:
        print(f"below target: {sentence}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
