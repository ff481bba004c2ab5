"""`python -m evals.calibration [--small]`: the tables; exit status 1 if a target is missed."""

import sys

from evals.calibration.report import FULL, SMALL, measure, rendered, shortfalls


def main(arguments: list[str]) -> int:
    small = "--small" in arguments
    report = measure(SMALL if small else FULL)
    print(rendered(report))
    failed = [] if small else shortfalls(report)
    for sentence in failed:
        print(f"below target: calibration: {sentence}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
