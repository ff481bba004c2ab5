"""Disclosure: in which words a fan is told about AI, and whether a text asks for it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from vaultcrm.domain.disclosure import Wording
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.safety import SafetyReport, Verdict

LONGEST_WORDING = 600
"""In characters."""
ASKS_IF_AI = "deception.asks_if_ai"
"""The rule of the content filter that sees a fan ask whether AI writes."""
LAST_RESORT = "en"
"""The language of those whose own has no wording."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language that there are wordings in, by its ISO 639-1 code.

    `names_ai` are the words by which its speakers know AI; `shipped` is the wording that holds
    until a manager has set another one.
    """

    code: str
    name: str
    names_ai: tuple[str, ...]
    shipped: Wording


@cache
def languages() -> Mapping[str, Language]:
    """All languages that there are wordings in, by code, in the order of `wordings.toml`."""
    source = (resources.files(__name__) / "wordings.toml").read_text("utf-8")
    return {
        code: Language(code, told["name"], tuple(told["names_ai"]), Wording(code, 0, told["text"]))
        for code, told in tomllib.loads(source).items()
    }


def asks_if_ai(report: SafetyReport) -> bool:
    """Whether a fan's text, by what the content filter saw in it, asks if AI writes."""
    return any(finding.rule == ASKS_IF_AI for finding in report.findings)


def choose_wording(own: Mapping[str, Wording], wanted: Sequence[str | None]) -> Wording:
    """The wording in the first of the wanted languages that has one, else in English.

    `own` are a creator's wordings by language. A language may be given as `pt-BR`; only what
    stands before the `-` counts.
    """
    for one in (*wanted, LAST_RESORT):
        code = re.split("[-_]", (one or "").strip().lower(), maxsplit=1)[0]
        known = languages().get(code)
        if known is not None:
            return own.get(code, known.shipped)
    raise AssertionError("there is a wording in English")


def check_wording(language: str, text: str, report: SafetyReport) -> str:
    """The wording as it is kept, without blanks around it.

    `report` is what the content filter says about it as a chatter's text. Raises InvalidInput
    naming `language` or `text`, and what is wrong.
    """
    known = languages().get(language)
    if known is None:
        raise InvalidInput(
            FieldProblem("language", f"must be one of {', '.join(sorted(languages()))}")
        )
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise InvalidInput(FieldProblem("text", "must not be empty"))
    if len(text) > LONGEST_WORDING:
        raise InvalidInput(
            FieldProblem("text", f"must have at most {LONGEST_WORDING} characters, not {len(text)}")
        )
    if report.verdict is not Verdict.ALLOW:
        raise InvalidInput(
            *(
                FieldProblem("text", f"“{finding.matched}”: {finding.reason}")
                for finding in report.findings
            )
        )
    if not names_ai(known, text):
        told = ", ".join(f"“{word}”" for word in known.names_ai)
        raise InvalidInput(
            FieldProblem("text", f"must say in {known.name} that it is AI: with {told}")
        )
    return text


def names_ai(language: Language, text: str) -> bool:
    """Whether a text holds one of the words for AI, as a whole word and in any case."""
    words = "|".join(re.escape(word) for word in language.names_ai)
    return re.search(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE) is not None
