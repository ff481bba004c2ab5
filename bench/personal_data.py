"""Personal data alone: messages a second, and whether the worst long texts cost linear time.

Seconds are CPU time of the thread, so that other work on the machine does not count.
"""

import time
from collections.abc import Mapping
from statistics import median

from bench.filter import SAMPLES
from vaultcrm.pipeline.safety.normalise.views import views_of
from vaultcrm.pipeline.safety.personal_data import redact, sightings

LONG = 100_000
ROUNDS = 3

# Each is repeated up to the length that is measured.
WORST: Mapping[str, str] = {
    "digits": "4155552671",
    "digits apart": "4 1 5 ",
    "telephone numbers": "call 415 555 2671, ",
    "numbers of 8": "10000001 and ",
    "cards": "4111 1111 1111 1112 ",
    "IBAN starts": "de89 ",
    "one long word": "a1",
    "wallets": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed ",
    "base58": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3 btc ",
    "numbers in words": "one two nine ",
    "signs at": "a@",
    "at in words": "a at b dot ",
    "dots": "a.b.c",
    "links": "a.com/",
    "networks": "my insta is ",
    "names": "a_b_c on ",
    "streets": "12 oak street ",
    "street words": "oak street ",
    "calles": "calle a b c d ",
    "rues": "12 rue de la ",
    "strassen": "x-strasse 1 ",
    "dates": "2026-11-01 ",
}


def _seconds(text: str, *, redacting: bool) -> float:
    times = []
    for _ in range(ROUNDS):
        before = time.thread_time()
        if redacting:
            redact(text)
        else:
            list(sightings(views_of(text)[0], "US"))
        times.append(time.thread_time() - before)
    return median(times)


def messages_per_second() -> int:
    """Texts of `filter_samples.txt` that one core searches for personal data in a second."""
    views = [views_of(text)[0] for text in SAMPLES] * 200
    before = time.thread_time()
    for view in views:
        list(sightings(view, "US"))
    return round(len(views) / (time.thread_time() - before))


def measure() -> dict[str, tuple[float, float, float]]:
    """For each of `WORST`: ms for 100,000 characters in the filter; redacting; and linearity.

    Linearity is the time per character at 100,000 over that at 10,000, of whichever is worse: 1 is
    linear.
    """
    figures = {}
    for name, piece in WORST.items():
        long = (piece * (LONG // len(piece) + 1))[:LONG]
        found, redacted = _seconds(long, redacting=False), _seconds(long, redacting=True)
        short_found = _seconds(long[: LONG // 10], redacting=False)
        short_redacted = _seconds(long[: LONG // 10], redacting=True)
        ratio = max(found / short_found, redacted / short_redacted) / 10
        figures[name] = round(1000 * found, 1), round(1000 * redacted, 1), round(ratio, 2)
    return figures


if __name__ == "__main__":
    print(f"{'messages a second':20}{messages_per_second():>12,}")
    print(f"{'100,000 characters':20}{'filter ms':>12}{'redact ms':>12}{'linearity':>12}")
    for name, (found, redacted, ratio) in measure().items():
        print(f"{name:20}{found:>12,}{redacted:>12,}{ratio:>12}")
