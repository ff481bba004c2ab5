"""`vaultcrm check`: the content filter over lines of JSON, or over one text.

Imports the filter and nothing of the web, the database or the language models.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import typer

from vaultcrm.domain.content_rules import NO_RULES, OwnRules
from vaultcrm.domain.safety import Category, Finding, FindingTier, Scope, Verdict
from vaultcrm.entrypoints.cli.rules_file import read_rules
from vaultcrm.pipeline.safety.filter import ContentFilter

_BOM = b"\xef\xbb\xbf"


class _BadLine(Exception):
    """A line that holds no text to check. `id` is the line's own where it could be read."""

    def __init__(self, problem: str, line_id: object = None) -> None:
        self.id = line_id
        super().__init__(problem)


def check(
    file: Annotated[
        str, typer.Argument(help='JSON lines {"id", "text"}; - reads standard input.')
    ] = "-",
    text: Annotated[str | None, typer.Option(help="Check this one text instead.")] = None,
    scope: Annotated[
        Scope, typer.Option(help="Whose text it is: some rules apply to some only.")
    ] = Scope.DRAFT,
    forbidden: Annotated[
        list[str] | None, typer.Option(help="A word that the creator never uses; repeatable.")
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Rules of the creator's own, a JSON object a line: see docs/safety.md."),
    ] = None,
) -> None:
    """Check texts with the content filter.

    Prints, for each line, {"id", "verdict", "findings"}. A line that cannot be read is answered
    with the verdict "review" and explained on standard error, and the exit status is then 1.
    """
    words = tuple(forbidden or ())
    own_rules = NO_RULES if rules is None else read_rules(rules)
    if text is not None:
        if file != "-":
            raise typer.BadParameter("Give either a file or --text, not both.")
        _print(_checked(ContentFilter.load(), None, text, scope, words, own_rules))
        return
    with _opened(file) as lines:
        content_filter = ContentFilter.load()
        well_formed = True
        for number, line in _numbered(lines):
            try:
                line_id, line_text = _parsed(line)
            except _BadLine as problem:
                well_formed = False
                typer.echo(f"line {number}: {problem}", err=True)
                _print(_unreadable(problem.id))
            else:
                _print(_checked(content_filter, line_id, line_text, scope, words, own_rules))
    if not well_formed:
        raise typer.Exit(1)


def _opened(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}.") from error


def _numbered(lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their number in the file."""
    for number, line in enumerate(lines, start=1):
        content = line.removeprefix(_BOM) if number == 1 else line
        if content.strip():
            yield number, content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is too great a number")
    return value


def _parsed(line: bytes) -> tuple[object, str]:
    try:
        data = json.loads(
            line.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise _BadLine("is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise _BadLine(f"is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise _BadLine('must be an object {"id", "text"}')
    if "id" not in data:
        raise _BadLine('has no "id"')
    line_id, text = data["id"], data.get("text")
    if isinstance(line_id, list | dict):
        raise _BadLine('has an "id" that is neither a string, a number, true, false nor null')
    if not isinstance(text, str):
        raise _BadLine('has no "text", or one that is not a string', line_id)
    return line_id, text


def _checked(
    content_filter: ContentFilter,
    line_id: object,
    text: str,
    scope: Scope,
    forbidden_words: tuple[str, ...],
    own_rules: OwnRules,
) -> dict[str, Any]:
    report = content_filter.check(text, scope, forbidden_words, own_rules=own_rules)
    return _answer(line_id, report.verdict, report.findings)


def _unreadable(line_id: object) -> dict[str, Any]:
    finding = Finding(
        category=Category.FILTER_ERROR,
        start=0,
        end=0,
        rule="filter_error.input",
        tier=FindingTier.REVIEW,
        score=1.0,
        matched="",
    )
    return _answer(line_id, Verdict.REVIEW, (finding,))


def _answer(line_id: object, verdict: Verdict, findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "id": line_id,
        "verdict": verdict,
        "findings": [
            {
                "category": finding.category,
                "start": finding.start,
                "end": finding.end,
                "rule": finding.rule,
                "tier": finding.tier,
                "score": finding.score,
                "matched": finding.matched,
            }
            for finding in findings
        ],
    }


def _print(answer: dict[str, Any]) -> None:
    # ASCII only: a text may hold halves of surrogate pairs, which no encoding can write.
    typer.echo(json.dumps(answer, ensure_ascii=True))
