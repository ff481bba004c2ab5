"""`vaultcrm token create | list | revoke` and `vaultcrm user reset-second-factor`."""

from pathlib import Path

import psycopg
import pytest

from tests.entrypoints.cli.running import environment, in_process


@pytest.fixture
def given(tmp_path: Path, database_url: str) -> dict[str, str]:
    """An installation with a chatter."""
    settings = environment(tmp_path, DATABASE_URL=database_url)
    assert (
        in_process(settings, "user", "add", "jo@example.com", "--role", "chatter").returncode == 0
    )
    return settings


def asked(given: dict[str, str], question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        return connection.execute(question.encode()).fetchall()


def test_a_token_has_the_scopes_and_the_end_that_are_asked_for_and_stands_alone_on_stdout(
    given: dict[str, str],
) -> None:
    asked_for = ("--scope", "read", "--scope", "metrics", "--expires", "30")
    done = in_process(given, "token", "create", "--user", "jo@example.com", *asked_for)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("vcrm_")
    assert done.stdout.count("\n") == 1
    question = "SELECT scopes, round(extract(day FROM expires_at - now())) FROM api_tokens"
    assert asked(given, question) == [(["metrics", "read"], 29)]


def test_a_token_that_is_asked_for_nothing_has_all_scopes_and_no_end(given: dict[str, str]) -> None:
    done = in_process(given, "token", "create", "--service", "crm")
    assert done.returncode == 0
    assert asked(given, "SELECT scopes, expires_at FROM api_tokens") == [(None, None)]


def test_an_unknown_scope_is_refused(given: dict[str, str]) -> None:
    done = in_process(given, "token", "create", "--service", "crm", "--scope", "everything")
    assert done.returncode == 2
    assert asked(given, "SELECT 1 FROM api_tokens") == []


def test_tokens_are_listed_without_showing_any_and_revoked_by_their_id(
    given: dict[str, str],
) -> None:
    token = in_process(given, "token", "create", "--service", "crm").stdout.strip()
    [(token_id,)] = asked(given, "SELECT id::text FROM api_tokens")

    listed = in_process(given, "token", "list").stdout
    assert str(token_id)[:8] in listed
    assert "crm" in listed
    assert token not in listed
    done = in_process(given, "token", "revoke", str(token_id))
    assert (done.returncode, done.stdout) == (0, "The token is revoked.\n")
    again = in_process(given, "token", "revoke", str(token_id))
    assert again.returncode == 1
    assert "no such token that is still good" in again.stderr
    assert asked(given, "SELECT revoked_at IS NOT NULL FROM api_tokens") == [(True,)]


def test_a_second_factor_is_taken_away_from_the_machine_itself(given: dict[str, str]) -> None:
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        connection.execute(
            """INSERT INTO second_factors (user_id, secret, made_at, confirmed_at)
               SELECT id, 'sealed', now(), now() FROM users WHERE email = 'jo@example.com'"""
        )
    done = in_process(given, "user", "reset-second-factor", "jo@example.com")

    assert (done.returncode, done.stderr) == (0, "")
    assert asked(given, "SELECT 1 FROM second_factors") == []
    assert asked(given, "SELECT action FROM audit_log ORDER BY id DESC LIMIT 1") == [
        ("user.second_factor_removed",)
    ]
