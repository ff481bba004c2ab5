"""The figures of one set as a table."""

from evals.personal_data.measure import Figures, KindFigures


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
