"""`vaultcrm import` as a person uses it: a file, a database, a report and an exit status."""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner, Result

from vaultcrm.entrypoints.cli.import_file import import_command

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    app = typer.Typer()
    app.command()(import_command)

    def invoke(*arguments: str, given: bytes | None = None, database: str = database_url) -> Result:
        environment = {"DATABASE_URL": database, "VAULTCRM_HOME": str(tmp_path)}
        return CliRunner().invoke(app, arguments, input=given, env=environment)

    return invoke


def line(fan: str, *texts: str) -> bytes:
    messages = [
        {"id": f"m{n}", "from": "fan", "text": text, "sentAt": "2026-11-01T10:00:00Z"}
        for n, text in enumerate(texts)
    ]
    content = {"creator": {"handle": "mia"}, "fan": {"handle": fan}, "messages": messages}
    return json.dumps(content).encode() + b"\n"


def stored_texts(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM messages ORDER BY text")]


def test_a_good_file_is_imported_and_counted(run: Run, tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "conversations.jsonl"
    file.write_bytes(line("tom88", "a", "b") + line("anna", "c"))
    result = run(str(file))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2 lines: 2 imported, 0 skipped.",
        "Conversations: 2 new, 0 known.",
        "Messages: 3 new, 0 known.",
        "Fans: 2 new, 0 brought up to date.",
        "Creators: 1 new.",
    ]
    assert result.stderr == ""
    assert stored_texts(database_url) == ["a", "b", "c"]


def test_the_same_file_again_says_that_nothing_changed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "conversations.jsonl"
    file.write_bytes(line("tom88", "a"))
    run(str(file))
    result = run(str(file))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "Nothing changed: all of this was there already."


def test_bad_lines_are_shown_with_their_reasons_and_the_exit_status_is_1(
    run: Run, database_url: str
) -> None:
    given = line("tom88", "a") + b"\n" + line("anna", "b", "") + b"{\n" + line("bea", "c")
    result = run("-", given=given)
    assert result.exit_code == 1
    shown = result.stdout.splitlines()
    assert shown[0] == "4 lines: 2 imported, 2 skipped."
    assert shown[-2] == "line 3: messages.1.text: must not be empty"
    assert shown[-1].startswith("line 4: is not JSON: ")
    assert stored_texts(database_url) == ["a", "c"]


@pytest.mark.parametrize(
    ("bad", "last"), [(50, "line 50: "), (51, "and 1 more"), (1200, "and 1,150 more")]
)
def test_of_many_bad_lines_fifty_are_shown_and_the_rest_counted(
    run: Run, bad: int, last: str
) -> None:
    shown = run("-", given=b"[]\n" * bad).stdout.splitlines()
    assert sum(text.startswith("line ") for text in shown) == 50
    assert shown[-1].startswith(last)


def test_an_empty_file_is_no_error(run: Run) -> None:
    result = run("-", given=b"")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "0 lines: 0 imported, 0 skipped.",
    )


def test_a_file_that_is_not_there_is_named_and_the_exit_status_is_2(
    run: Run, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.jsonl"
    result = run(str(missing))
    assert result.exit_code == 2
    assert result.stderr == f"{missing} cannot be read: No such file or directory.\n"


def test_a_folder_is_no_file(run: Run, tmp_path: Path) -> None:
    result = run(str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == f"{tmp_path} cannot be read: Is a directory.\n"


def test_a_database_that_does_not_answer_is_told_with_what_to_do(run: Run) -> None:
    result = run("-", given=line("tom88", "a"), database="postgresql://nobody@127.0.0.1:9/none")
    assert result.exit_code == 2
    assert "cannot be reached" in result.stderr
    assert "DATABASE_URL" in result.stderr
