"""What has to be reached, and over which files."""

from collections.abc import Iterator

from evals.personal_data.measure import Figures

SETS = {
    "messages": ("with.jsonl", "without.jsonl"),
    "held out": ("held_out.jsonl",),
}

LEAST_PRECISION = 0.97
LEAST_RECALL = 0.85
LEAST_EXACTNESS = 0.95
LEAST_RECALL_OF_A_KIND = 0.85


def failures(figures: Figures) -> Iterator[str]:
    """What is below its target, in words."""
    total = figures.total
    for name, value, least in (
        ("precision by message", figures.message_precision, LEAST_PRECISION),
        ("recall by message", figures.message_recall, LEAST_RECALL),
        ("precision of all kinds", total.precision, LEAST_PRECISION),
        ("recall of all kinds", total.recall, LEAST_RECALL),
        ("exact ends of all kinds", total.exactness, LEAST_EXACTNESS),
        *(
            (f"recall of {kind}", one.recall, LEAST_RECALL_OF_A_KIND)
            for kind, one in figures.kinds.items()
            if one.spans
        ),
    ):
        if value < least:
            yield f"{name} is {value:.3f}, not {least}"
