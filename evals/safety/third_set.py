"""The third held-out set, half of which the rules have never been mended by.

Its writer did not know the rules, and was asked for what is hinted at rather than named, and for
innocent lines of which about half come near to an offence. The half that a hash calls `seen` was
then given to those who widened the rules; the other half, `unseen`, says how far that carries over
to words that nobody has written down: 41 % of it were found before, 55 % after. Its false alarms
were looked at and mended, its misses never.
"""

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.pipeline.safety.filter import ContentFilter

FOLDER: Final = Path(__file__).parent / "third"
THRESHOLDS: Final = Path(__file__).parent / "thresholds.toml"
HALVES: Final = ("seen", "unseen")
_SCOPES: Final = {"creator": Scope.DRAFT, "fan": Scope.FAN}


@dataclass(frozen=True, slots=True)
class Half:
    """Counts of one half. `found` by category: [texts, with any finding, as strict as asked]."""

    found: dict[str, tuple[int, int, int]]
    innocent: int
    blocked: int
    reviewed: int

    @property
    def recall(self) -> float:
        """The share of offences with any finding."""
        return self.found["all"][1] / self.found["all"][0]


def half_of(text: str) -> str:
    """Which half a text belongs to: the first hexadecimal digit of its SHA-256, even or odd."""
    return HALVES[int(hashlib.sha256(text.encode()).hexdigest()[0], 16) % 2]


def measure(content_filter: ContentFilter) -> dict[str, Half]:
    """Both halves, by name."""
    counts: dict[str, dict[str, list[int]]] = {half: {} for half in HALVES}
    for one in _read("offences.jsonl"):
        verdict = content_filter.check(one["text"], Scope(one["scope"])).verdict
        found = verdict is not Verdict.ALLOW
        strict = found if one["tier"] == "review" else verdict is Verdict.BLOCK
        for category in (one["category"], "all"):
            row = counts[half_of(one["text"])].setdefault(category, [0, 0, 0])
            for place, value in enumerate((True, found, strict)):
                row[place] += value
    alarms: dict[str, Counter[Verdict]] = {half: Counter() for half in HALVES}
    for one in _read("benign.jsonl"):
        verdict = content_filter.check(one["text"], _SCOPES[one["voice"]]).verdict
        alarms[half_of(one["text"])][verdict] += 1
    return {
        half: Half(
            {category: (row[0], row[1], row[2]) for category, row in counts[half].items()},
            alarms[half].total(),
            alarms[half][Verdict.BLOCK],
            alarms[half][Verdict.REVIEW],
        )
        for half in HALVES
    }


def rendered(halves: dict[str, Half]) -> str:
    """A row a category: share found, and share found as strictly as asked, in each half."""
    seen, unseen = (halves[half] for half in HALVES)
    heads = ("seen", "strict", "unseen", "strict", "texts")
    rows = [f"{'recall, third set':24}" + "".join(f"{head:>8}" for head in heads)]
    for category in [*sorted(set(unseen.found) - {"all"}), "all"]:
        (n, found, strict), (m, found_unseen, strict_unseen) = (
            each.found.get(category, (0, 0, 0)) for each in (seen, unseen)
        )
        shares = (found / n, strict / n, found_unseen / m, strict_unseen / m)
        rows.append(f"{category:24}" + "".join(f"{one:8.2f}" for one in shares) + f"{n + m:8}")
    for half, each in halves.items():
        rows.append(
            f"innocent lines, {half}: {each.blocked} blocked and {each.reviewed} held for review "
            f"of {each.innocent}"
        )
    return "\n".join([*rows, ""])


def failures(halves: dict[str, Half]) -> list[str]:
    """What is worse than the thresholds allow, a sentence each."""
    limits = tomllib.loads(THRESHOLDS.read_text("utf-8"))["third"]
    found = [
        f"third set, {name}: recall {half.recall:.2f}, at least {limits[name]} is asked for"
        for name, half in halves.items()
        if half.recall < limits[name]
    ]
    for name, half in halves.items():
        for kind, count in (("block", half.blocked), ("review", half.reviewed)):
            if count > limits[kind] * half.innocent:
                found.append(
                    f"third set, {name}: {kind} for {count} of {half.innocent} innocent lines, "
                    f"at most {limits[kind]} is asked for"
                )
    return found


def _read(file: str) -> Iterator[dict[str, Any]]:
    for line in (FOLDER / file).read_text("utf-8").splitlines():
        yield json.loads(line)
