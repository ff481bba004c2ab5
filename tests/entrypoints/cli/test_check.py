"""`vaultcrm check` as a program sees it: lines of JSON in, lines of JSON out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("vaultcrm"))


def _check(*arguments: str, lines: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [COMMAND, "check", *arguments], input=lines, capture_output=True, check=False, timeout=60
    )


def _answers(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def _line(line_id: object, text: str) -> bytes:
    return json.dumps({"id": line_id, "text": text}).encode() + b"\n"


def test_each_line_is_answered_in_order_with_exactly_the_promised_keys() -> None:
    done = _check(lines=_line("a", "hi there") + _line("b", "ok, Venmo me"))
    assert done.returncode == 0
    assert done.stderr == b""
    assert _answers(done) == [
        {"id": "a", "verdict": "allow", "findings": []},
        {
            "id": "b",
            "verdict": "block",
            "findings": [
                {
                    "category": "off_platform_payment",
                    "start": 4,
                    "end": 9,
                    "rule": "off_platform_payment.payment_app",
                    "tier": "block",
                    "score": 0.95,
                    "matched": "Venmo",
                }
            ],
        },
    ]


@pytest.mark.parametrize("line_id", ["7", 7, 7.5, True, None, "", "\ud800"])
def test_an_id_comes_back_as_it_was_sent(line_id: object) -> None:
    (answer,) = _answers(_check(lines=_line(line_id, "hi")))
    assert answer["id"] == line_id
    assert type(answer["id"]) is type(line_id)


@pytest.mark.parametrize(
    ("line", "line_id", "said"),
    [
        (b"nonsense\n", None, "is not JSON"),
        (b'{"id": 1, "text": "cut o\n', None, "is not JSON"),
        (b'{"id": NaN, "text": "hi"}\n', None, "is not JSON"),
        (b'{"id": 1e999, "text": "hi"}\n', None, "is not JSON"),
        (b"[" * 100_000 + b"\n", None, "is not JSON"),
        (b'["id", "text"]\n', None, "must be an object"),
        (b'{"text": "hi"}\n', None, 'has no "id"'),
        (b'{"id": [1], "text": "hi"}\n', None, "neither a string, a number"),
        (b'{"id": "x"}\n', "x", 'has no "text"'),
        (b'{"id": 5, "text": 5}\n', 5, 'has no "text"'),
        (b'{"id": 1, "text": "\xff"}\n', None, "is not UTF-8"),
    ],
    ids=str,
)
def test_a_bad_line_is_answered_with_review_and_named_and_the_rest_goes_on(
    line: bytes, line_id: object, said: str
) -> None:
    done = _check(lines=_line(1, "hi") + line + _line(3, "hi"))
    assert done.returncode == 1
    first, bad, last = _answers(done)
    assert (first["id"], last["id"]) == (1, 3)
    assert bad == {
        "id": line_id,
        "verdict": "review",
        "findings": [
            {
                "category": "filter_error",
                "start": 0,
                "end": 0,
                "rule": "filter_error.input",
                "tier": "review",
                "score": 1.0,
                "matched": "",
            }
        ],
    }
    message = done.stderr.decode()
    assert message.startswith("line 2: ")
    assert said in message


def test_blank_lines_and_a_byte_order_mark_are_passed_over() -> None:
    done = _check(lines=b"\xef\xbb\xbf" + _line(1, "hi") + b"\n  \r\n" + _line(2, "hi"))
    assert done.returncode == 0
    assert [answer["id"] for answer in _answers(done)] == [1, 2]


def test_nothing_in_is_nothing_out() -> None:
    done = _check()
    assert (done.returncode, done.stdout) == (0, b"")


def test_text_that_no_encoding_can_write_comes_back_as_escapes() -> None:
    (answer,) = _answers(_check(lines=b'{"id": 1, "text": "\\ud800 ven\\u200bmo \\u0000"}\n'))
    payment = [f for f in answer["findings"] if f["category"] == "off_platform_payment"]
    assert [(f["start"], f["end"], f["matched"]) for f in payment] == [(2, 8, "ven\u200bmo")]


def test_offsets_count_code_points_of_the_text_that_was_sent() -> None:
    text = "\U0001f600\U0001f600 VENMO"
    (answer,) = _answers(_check(lines=_line(1, text)))
    (finding,) = answer["findings"]
    assert text[finding["start"] : finding["end"]] == finding["matched"] == "VENMO"


def test_a_file_is_read_as_standard_input_is(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_bytes(_line(1, "hi") + _line(2, "venmo"))
    done = _check(str(file))
    assert [answer["verdict"] for answer in _answers(done)] == ["allow", "block"]


def test_a_file_that_is_not_there_is_said_and_nothing_is_printed(tmp_path: Path) -> None:
    done = _check(str(tmp_path / "missing.jsonl"))
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"cannot be read" in done.stderr


def test_one_text_is_checked_from_the_command_line() -> None:
    done = _check("--text", "i'm not a bot")
    (answer,) = _answers(done)
    assert (answer["id"], answer["verdict"]) == (None, "block")
    assert done.returncode == 0


def test_a_file_and_a_text_together_are_refused(tmp_path: Path) -> None:
    done = _check(str(tmp_path), "--text", "hi")
    assert done.returncode == 2
    assert done.stdout == b""


def test_the_scope_decides_which_rules_apply() -> None:
    (as_fan,) = _answers(_check("--scope", "fan", "--text", "can i venmo you? i'm 16"))
    assert {f["category"] for f in as_fan["findings"]} == {"minors"}
    assert as_fan["verdict"] == "review"
    (as_draft,) = _answers(_check("--text", "can i venmo you? i'm 16"))
    assert {f["category"] for f in as_draft["findings"]} == {"minors", "off_platform_payment"}


def test_forbidden_words_may_be_given_more_than_once() -> None:
    done = _check("--forbidden", "boo", "--forbidden", "sweetie pie", "--text", "boo, Sweetie Pie")
    (answer,) = _answers(done)
    assert [f["matched"] for f in answer["findings"]] == ["boo", "Sweetie Pie"]
    assert {f["category"] for f in answer["findings"]} == {"forbidden_word"}


def test_an_answer_is_written_before_the_next_line_is_read() -> None:
    with subprocess.Popen([COMMAND, "check"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        for number in range(3):
            run.stdin.write(_line(number, "hi"))
            run.stdin.flush()
            assert json.loads(run.stdout.readline())["id"] == number
        run.stdin.close()
    assert run.returncode == 0


def test_checking_loads_no_web_database_or_language_model_code() -> None:
    program = """
import sys
sys.argv = ["vaultcrm", "check", "--text", "hi"]
from vaultcrm.entrypoints.cli.main import app
try:
    app()
except SystemExit:
    pass
heavy = {"fastapi", "starlette", "uvicorn", "psycopg", "sqlalchemy", "alembic", "procrastinate",
         "anthropic", "httpx2", "jinja2"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
