"""`python -m evals.personal_data [--misses]`: the figures as a table; exits 1 below the targets."""

import sys

from evals.personal_data.measure import measure, read_messages
from evals.personal_data.report import table
from evals.personal_data.targets import SETS, failures


def main() -> int:
    """0 when every set reaches its targets, else 1."""
    failed: list[str] = []
    for name, files in SETS.items():
        figures = measure(read_messages(*files))
        sys.stdout.write(table(name, figures))
        if "--misses" in sys.argv:
            sys.stdout.writelines(f"  {what}: {shown}\n" for what, shown in figures.misses)
        failed += [f"{name}: {failure}" for failure in failures(figures)]
    sys.stdout.writelines(f"BELOW TARGET  {failure}\n" for failure in failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
