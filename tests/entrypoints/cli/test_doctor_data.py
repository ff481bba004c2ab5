"""What the doctor says of secrets in files, of old rows, and of fans who are to be erased."""

import json
from pathlib import Path
from typing import Any

import psycopg

from tests.entrypoints.cli.running import environment, in_process
from vaultcrm.domain.ids import new_id


def diagnosed(given: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(in_process(given, "doctor", "--json").stdout)
    return found


def check(found: dict[str, Any], name: str) -> dict[str, str] | None:
    return next((one for one in found["checks"] if one["name"] == name), None)


def test_a_secret_in_a_file_is_shown_as_set_with_the_variable_that_names_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text("sk-hush\n")
    found = diagnosed(environment(tmp_path, ANTHROPIC_API_KEY_FILE=str(tmp_path / "key")))
    [row] = [one for one in found["settings"] if one["name"] == "ANTHROPIC_API_KEY"]
    assert (row["value"], row["origin"]) == ("set", "environment")
    assert row["variable"] == "ANTHROPIC_API_KEY_FILE"
    assert "hush" not in json.dumps(found)


def test_a_file_of_a_secret_that_cannot_be_read_is_named_before_anything_starts(
    tmp_path: Path,
) -> None:
    given = environment(tmp_path, WEBHOOK_SECRET_FILE=str(tmp_path / "nothing"))
    wrong = check(diagnosed(given), "WEBHOOK_SECRET_FILE")
    assert wrong is not None
    assert wrong["state"] == "failed"
    assert "cannot be read" in wrong["seen"]
    refused = in_process(given, "migrate")
    assert refused.returncode == 2
    assert "WEBHOOK_SECRET_FILE: the file cannot be read" in refused.stderr


def test_old_rows_that_nobody_has_looked_for_lately_are_a_warning(
    tmp_path: Path, database_url: str
) -> None:
    given = environment(tmp_path, DATABASE_URL=database_url)
    first = check(diagnosed(given), "Retention")
    assert first is not None
    assert first["state"] == "ok"
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO prunings VALUES ('jobs', now(), 2, 1234)")
    found = check(diagnosed(given), "Retention")
    assert found is not None
    assert found["state"] == "ok"
    assert "1,234 old rows removed so far" in found["seen"]
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE prunings SET pruned_at = now() - interval '3 hours'")
    late = check(diagnosed(given), "Retention")
    assert late is not None
    assert late["state"] == "warning"
    assert "vaultcrm worker" in late["todo"]


def test_a_fan_who_should_be_erased_by_now_is_a_warning(tmp_path: Path, database_url: str) -> None:
    given = environment(tmp_path, DATABASE_URL=database_url)
    assert check(diagnosed(given), "Erasure") is None
    creator_id, fan_id = new_id(), new_id()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """INSERT INTO creators (id, handle, display_name, language, region, created_at)
               VALUES (%s, 'mia', 'Mia', 'en', 'US', now())""",
            (creator_id,),
        )
        connection.execute(
            """INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor,
                                 currency, notes, created_at)
               VALUES (%s, %s, 'x', 'x', 'low', 0, 'USD', '', now())""",
            (creator_id, fan_id),
        )
        connection.execute(
            """INSERT INTO erasures (creator_id, id, fan_id, reason, requested_at, identifiers,
                                     counts)
               VALUES (%s, %s, %s, '', now() - interval '2 hours', '{}', '{}')""",
            (creator_id, new_id(), fan_id),
        )
    found = check(diagnosed(given), "Erasure")
    assert found is not None
    assert found["state"] == "warning"
