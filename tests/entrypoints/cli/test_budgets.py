"""`vaultcrm budget …`."""

from pathlib import Path

import pytest

from tests.entrypoints.cli.running import environment, vaultcrm


@pytest.fixture
def given(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, DATABASE_URL=database_url)


def test_a_budget_is_set_listed_and_cleared_from_a_terminal(given: dict[str, str]) -> None:
    why = ("--reason", "as agreed")
    done = vaultcrm(given, "budget", "set", "12.50", *why, "--per", "month")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "everybody together: $0.00 of $12.50 a month\n"
    assert vaultcrm(given, "budget", "list").stdout == done.stdout
    assert vaultcrm(given, "budget", "clear", *why, "--per", "month").returncode == 0
    assert vaultcrm(given, "budget", "list").stdout == "No budget is set.\n"


def test_a_budget_for_nobody_we_know_is_refused(given: dict[str, str]) -> None:
    done = vaultcrm(given, "budget", "set", "5", "--reason", "try", "--creator", "nobody")
    assert done.returncode == 1
    assert "there is no creator of this handle" in done.stderr
