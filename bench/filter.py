"""The content filter alone: how many texts of 120 characters one core checks in a second.

Seconds are CPU time of the thread, so that other work on the machine does not count.
"""

import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from vaultcrm.domain.safety import Scope
from vaultcrm.pipeline.safety.filter import ContentFilter

LENGTH = 120
TEXTS = 20_000
ROUNDS = 3
LONG = 100_000
FORBIDDEN = ("daddy", "hubby", "sweetie pie", "boo", "cutie patootie")

# Three in four are what a creator writes on a good day; the rest has something to find, a disguise
# to undo, or digits to check.
SAMPLES = (Path(__file__).parent / "filter_samples.txt").read_text("utf-8").splitlines()


def _texts() -> list[str]:
    # A running number keeps texts apart, so that nothing is remembered from one to the next.
    numbered = (f"{n % 97} {text}" for n, text in enumerate(islice(cycle(SAMPLES), TEXTS)))
    return [text.ljust(LENGTH, ".")[:LENGTH] for text in numbered]


def measure() -> dict[str, float]:
    """Texts a second (median of the rounds), milliseconds at p50 and p99, and long texts.

    `long_text_ms` is for one text of 100,000 characters, `long_over_short` is the time per
    character of that text over the time per character of one a tenth as long: 1 is linear.
    """
    content_filter = ContentFilter.load()
    texts = _texts()
    for text in texts[:500]:
        content_filter.check(text, Scope.DRAFT, FORBIDDEN)
    rates: list[float] = []
    each: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for text in texts:
            before = time.thread_time()
            content_filter.check(text, Scope.DRAFT, FORBIDDEN)
            each.append(time.thread_time() - before)
        rates.append(len(texts) / (time.thread_time() - began))
    each.sort()
    long_text = " ".join(texts)[:LONG]
    long_seconds = _seconds(content_filter, long_text)
    short_seconds = _seconds(content_filter, long_text[: LONG // 10])
    return {
        "texts_per_second": round(median(rates)),
        "p50_ms": round(1000 * each[len(each) // 2], 4),
        "p99_ms": round(1000 * each[len(each) * 99 // 100], 4),
        "long_text_ms": round(1000 * long_seconds, 1),
        "long_over_short": round(long_seconds / short_seconds / 10, 2),
    }


def _seconds(content_filter: ContentFilter, text: str) -> float:
    times = []
    for _ in range(5):
        before = time.thread_time()
        content_filter.check(text, Scope.DRAFT, FORBIDDEN)
        times.append(time.thread_time() - before)
    return median(times)


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:18} {value:>12,}")
