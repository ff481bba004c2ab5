"""Innocent chat, and how much of it the filter stops or holds."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from math import prod
from pathlib import Path

from vaultcrm.domain.safety import SafetyReport, Scope, Verdict
from vaultcrm.pipeline.safety.filter import ContentFilter

SOURCE = Path(__file__).parent / "benign.toml"
FILLINGS = 20
"""So many lines at most are made from one template."""

_SLOT = re.compile(r"\{(\w+)\}")
SCOPES = {
    "creator": (Scope.DRAFT,),
    "fan": (Scope.FAN,),
    "both": (Scope.DRAFT, Scope.FAN),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One innocent message of the set `group`."""

    group: str
    language: str
    scope: Scope
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    line: Line
    report: SafetyReport

    @property
    def is_alarm(self) -> bool:
        return self.report.verdict is not Verdict.ALLOW


def lines() -> list[Line]:
    """Every line once for each scope that it is said in, the same ones on every run."""
    source = tomllib.loads(SOURCE.read_text("utf-8"))
    made = []
    for group in source["sets"]:
        turn = count()
        texts = dict.fromkeys(
            text
            for template in group["templates"]
            for text in _filled(template, source["words"], turn)
        )
        made += [
            Line(group["name"], group["language"], scope, text)
            for text in texts
            for scope in SCOPES[group["voice"]]
        ]
    return made


def _filled(template: str, words: dict[str, list[str]], turn: Iterator[int]) -> Iterator[str]:
    """The template with its slots filled in turn, as often as it has different fillings."""
    ways = prod(len(words[slot]) for slot in set(_SLOT.findall(template)))
    for _ in range(min(ways, FILLINGS)):
        # Each slot goes through its words at a pace of its own, so that they do not go in step.
        number, pace = next(turn), count(1)
        yield _SLOT.sub(
            lambda slot, n=number, step=pace: words[slot[1]][  # type: ignore[misc]
                n * next(step) % len(words[slot[1]])
            ],
            template,
        )


def check(content_filter: ContentFilter, chat: list[Line]) -> list[Checked]:
    return [Checked(line, content_filter.check(line.text, line.scope)) for line in chat]
