"""`python -m evals.personal_data [--misses]`: the figures as a table; exits 1 below the targets."""

import sys

from evals.personal_data.measure import Figures, KindFigures, measure, read_messages
from evals.personal_data.targets import SETS, failures


def _row(name: str, kind: KindFigures) -> str:
    return (
        f"{name:16}{kind.spans:7}{kind.precision:11.3f}{kind.recall:9.3f}{kind.exactness:12.3f}\n"
    )


def table(name: str, figures: Figures) -> str:
    """The figures of one set, a line a kind."""
    head = (
        f"\n{name}: messages with personal data {figures.with_data}, "
        f"without {figures.without_data}\n"
        f"by message: precision {figures.message_precision:.3f}, "
        f"recall {figures.message_recall:.3f}, false alarms {figures.alarmed}\n"
        f"{'kind':16}{'spans':>7}{'precision':>11}{'recall':>9}{'exact ends':>12}\n"
    )
    rows = [_row(kind, figures.kinds[kind]) for kind in sorted(figures.kinds)]
    return "".join([head, *rows, _row("all", figures.total)])


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
