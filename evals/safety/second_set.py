"""The second held-out set: `second/offences.txt` and `second/benign.txt`.

It was written after the packs, without looking at them, and names the word to disguise itself, so
that nothing of it depends on what the filter finds. First measured, before anything was mended by
it: 335 of the 475 offences found as typed; of those that were found, .98 to 1.00 in each family;
0.5 % of the innocent lines blocked and 0.9 % held for review. What was missing was then mended by
kind, not by sentence, and so its figures now show that nothing got worse, not what to expect of
texts never seen. Sixty-nine more offences that were written after that, and kept out of the packs,
were found in 40 cases after the same kind of mending, 29 before it: words alone see less than half
of what is said in new words, and the judge exists for the rest.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from evals.safety.benign import SCOPES, Line
from evals.safety.recall import Offence
from vaultcrm.domain.safety import Category, Scope

FOLDER = Path(__file__).parent / "second"

_KEY = re.compile(r"\{(.+?)\}")


def offences() -> list[Offence]:
    """Each with its key word and where that stands."""
    return [
        _offence(Category(category), Scope(scope), language, text)
        for (category, scope, language), text in _lines("offences.txt")
    ]


def benign_lines() -> list[Line]:
    """Every line once for each scope that it is said in."""
    return [
        Line(subject, language, scope, text)
        for (subject, voice, language), text in _lines("benign.txt")
        for scope in SCOPES[voice]
    ]


def _lines(file: str) -> Iterator[tuple[tuple[str, str, str], str]]:
    heading = ("", "", "")
    for line in (FOLDER / file).read_text("utf-8").splitlines():
        if line.startswith("["):
            first, second, third = line.strip("[]").split()
            heading = first, second, third
        elif line and not line.startswith("#"):
            yield heading, line


def _offence(category: Category, scope: Scope, language: str, text: str) -> Offence:
    key = _KEY.search(text)
    if key is None:
        raise ValueError(f"no key word is marked in {text!r}")
    plain = text[: key.start()] + key[1] + text[key.end() :]
    return Offence(category, scope, plain, "second_set", language, key=(key[1], key.start()))
