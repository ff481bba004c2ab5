"""`vaultcrm check --rules`: texts against the content rules of a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.entrypoints.cli.running import in_process

PHRASE = {
    "kind": "phrase",
    "text": "otterfans",
    "category": "spam",
    "reason": "A rival.",
    "tier": "review",
}
EXCEPTION = {
    "kind": "exception",
    "text": "Cash App Blues",
    "category": "off_platform_payment",
    "reason": "A song.",
}


def rules_in(home: Path, *lines: Any) -> str:
    """The path of a file of these rules; what is a text already stands there as it is."""
    path = home / "rules.jsonl"
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(written), "utf-8")
    return str(path)


def test_texts_are_checked_with_the_rules_of_the_file(home: Path) -> None:
    rules = rules_in(home, PHRASE, "", EXCEPTION)
    lines = "".join(
        json.dumps({"id": text, "text": text}) + "\n"
        for text in ("see 0tterfans", "Cash App Blues", "cash app")
    )
    done = in_process({}, "check", "--rules", rules, lines=lines)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [one["verdict"] for one in answers] == ["review", "allow", "block"]
    (found,) = [f for f in answers[0]["findings"] if f["category"] == "spam"]
    assert (found["matched"], found["tier"]) == ("0tterfans", "review")
    assert found["rule"].startswith("own_rule.")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "is no rule"),
        ("[]", "must be an object"),
        (PHRASE | {"kind": "word"}, "'word' is not a valid RuleKind"),
        (PHRASE | {"scopes": "draft"}, "scopes must be a list"),
        (PHRASE | {"scopes": [["draft"]]}, "is not a valid Scope"),
        (PHRASE | {"colour": 1}, "there is no field colour"),
        (PHRASE | {"reason": None}, "reason must be a text"),
        (PHRASE | {"kind": "pattern", "text": "a(?=b)"}, "look ahead or behind"),
        (EXCEPTION | {"category": "minors"}, "never let through"),
    ],
)
def test_nothing_is_checked_with_half_of_the_rules(home: Path, line: Any, told: str) -> None:
    rules = rules_in(home, PHRASE, line)
    done = in_process({"COLUMNS": "1000"}, "check", "--rules", rules, "--text", "hi")
    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert "line 2" in said
    assert told in said


def test_a_file_of_rules_that_cannot_be_read_is_named(home: Path) -> None:
    missing = str(home / "none.jsonl")
    done = in_process({"COLUMNS": "1000"}, "check", "--rules", missing, "--text", "hi")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
