"""`vaultcrm user password | disable | enable`, as whoever runs the machine uses them."""

from pathlib import Path

import psycopg
import pytest

from tests.entrypoints.cli.running import environment, in_process

PASSWORD = "a long and quiet river"


@pytest.fixture
def given(tmp_path: Path, database_url: str) -> dict[str, str]:
    """An installation with an admin and a chatter."""
    settings = environment(tmp_path, DATABASE_URL=database_url)
    for email, role in (("ada@example.com", "admin"), ("jo@example.com", "chatter")):
        assert in_process(settings, "user", "add", email, "--role", role).returncode == 0
    return settings


def asked(given: dict[str, str], question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        return connection.execute(question.encode()).fetchall()


def test_a_password_comes_from_standard_input_and_is_kept_as_a_hash(given: dict[str, str]) -> None:
    done = in_process(given, "user", "password", "JO@example.com", lines=f"{PASSWORD}\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "jo@example.com signs in with the new password.\n"
    [(kept,)] = asked(given, "SELECT hash FROM passwords")
    assert str(kept).startswith("$argon2id$")
    assert asked(given, "SELECT action FROM audit_log ORDER BY id DESC LIMIT 1") == [
        ("user.password_set",)
    ]


@pytest.mark.parametrize("typed", ["", "short\n", "jo@example.com\n"])
def test_a_password_that_may_not_be_set_is_refused_with_the_reason(
    given: dict[str, str], typed: str
) -> None:
    done = in_process(given, "user", "password", "jo@example.com", lines=typed)

    assert done.returncode == 1
    assert done.stderr.startswith("password: ")
    assert asked(given, "SELECT 1 FROM passwords") == []


def test_a_disabled_person_gets_no_link_until_they_are_enabled(given: dict[str, str]) -> None:
    assert in_process(given, "user", "disable", "jo@example.com").returncode == 0
    refused = in_process(given, "user", "link", "jo@example.com")
    assert (refused.returncode, "There is no such user" in refused.stderr) == (1, True)

    assert in_process(given, "user", "enable", "jo@example.com").returncode == 0
    assert "/sign-in?token=" in in_process(given, "user", "link", "jo@example.com").stdout


def test_the_last_admin_cannot_be_disabled(given: dict[str, str]) -> None:
    done = in_process(given, "user", "disable", "ada@example.com")

    assert (done.returncode, "Make somebody else an admin first." in done.stderr) == (1, True)
    assert asked(given, "SELECT 1 FROM users WHERE disabled_at IS NOT NULL") == []


@pytest.mark.parametrize("command", ["password", "disable", "enable"])
def test_somebody_who_was_never_added_is_not_found(given: dict[str, str], command: str) -> None:
    done = in_process(given, "user", command, "who@example.com", lines=f"{PASSWORD}\n")

    assert (done.returncode, "There is no such user" in done.stderr) == (1, True)
