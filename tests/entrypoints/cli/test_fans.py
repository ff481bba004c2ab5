"""`vaultcrm fan export` and `vaultcrm fan erase`."""

import json
from pathlib import Path

import pytest

from tests.entrypoints.cli.running import environment, vaultcrm

LINE = {
    "creator": {"handle": "mia", "displayName": "Mia"},
    "fan": {
        "handle": "tom88",
        "displayName": "Tom Baker",
        "lifetimeValueMinor": 1200,
        "currency": "USD",
    },
    "channel": "simulator",
    "messages": [
        {"id": "m1", "from": "fan", "text": "I like trains", "sentAt": "2026-11-01T10:00:00Z"}
    ],
}


@pytest.fixture
def given(database_url: str, tmp_path: Path) -> dict[str, str]:
    """An environment with one fan in its database."""
    given = environment(tmp_path, DATABASE_URL=database_url)
    file = tmp_path / "fans.jsonl"
    file.write_text(json.dumps(LINE))
    assert vaultcrm(given, "import", str(file)).returncode == 0
    return given


def test_an_export_is_one_json_document_on_standard_output(given: dict[str, str]) -> None:
    done = vaultcrm(given, "fan", "export", "mia", "tom88")
    assert done.returncode == 0, done.stderr
    held = json.loads(done.stdout)
    assert held["fan"]["displayName"] == "Tom Baker"
    assert [message["text"] for message in held["messages"]] == ["I like trains"]


def test_an_export_into_a_file_is_for_its_owner_alone_and_replaces_none(
    given: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "tom.json"
    done = vaultcrm(given, "fan", "export", "mia", "tom88", "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text())["fan"]["handle"] == "tom88"
    assert file.stat().st_mode & 0o777 == 0o600
    again = vaultcrm(given, "fan", "export", "mia", "tom88", "-o", str(file))
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_an_erased_fan_cannot_be_exported_any_more(given: dict[str, str]) -> None:
    reason = ("--reason", "asked by mail")
    done = vaultcrm(given, "fan", "erase", "mia", "tom88", *reason, lines="tom88\n")
    assert done.returncode == 0, done.stderr
    assert "Tom Baker (tom88): 1 conversations, 1 messages" in done.stderr
    assert done.stdout.startswith("Erased, as ")
    gone = vaultcrm(given, "fan", "export", "mia", "tom88")
    assert gone.returncode == 1
    assert "has no fan with this handle or id" in gone.stderr


def test_a_fan_is_erased_only_with_their_handle(given: dict[str, str]) -> None:
    reason = ("--reason", "asked by mail")
    done = vaultcrm(given, "fan", "erase", "mia", "tom88", *reason, lines="Tom Baker\n")
    assert done.returncode == 1
    assert vaultcrm(given, "fan", "export", "mia", "tom88").returncode == 0


def test_a_creator_that_is_not_there_is_said(given: dict[str, str]) -> None:
    done = vaultcrm(given, "fan", "export", "nobody", "tom88")
    assert done.returncode == 1
    assert "no creator with handle nobody" in done.stderr
