"""`vaultcrm audit …`: faults are named with an exit status of 1, exports are checked elsewhere."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.entrypoints.cli.running import environment, in_process, vaultcrm
from tests.support.audit import entries_of, sealed_log
from tests.support.fixtures import settings
from vaultcrm.domain.audit import AuditEntry
from vaultcrm.domain.ids import NIL

MIA = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
COUNT = 1_100
"""More than one seal holds."""


@pytest.fixture
def logged(database_url: str, home: Path) -> list[AuditEntry]:
    """Sealed rows of Mia, and some of the installation."""
    entries = entries_of(MIA, COUNT)
    sealed_log(settings(database_url, home), [*entries, *entries_of(NIL, 10, seed=1)])
    return entries


@pytest.fixture
def given(database_url: str, home: Path) -> dict[str, str]:
    return environment(home, DATABASE_URL=database_url)


def execute(url: str, statement: str, *values: Any) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode(), values)


def printed_to(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_log_that_nobody_touched_is_verified_with_status_0(
    given: dict[str, str], logged: list[AuditEntry]
) -> None:
    done = in_process(given, "audit", "verify")
    assert done.returncode == 0, done.stderr
    assert f"{MIA}: 1,100 rows in 2 seals." in done.stdout
    assert "the installation: 10 rows in 1 seal." in done.stdout
    assert done.stdout.endswith("No faults.\n")


def test_a_changed_row_is_named_with_its_creator_and_status_1(
    given: dict[str, str], logged: list[AuditEntry], database_url: str
) -> None:
    row = logged[700]
    execute(database_url, "UPDATE audit_log SET subject_id = 'x' WHERE id = %s", row.id)
    done = in_process(given, "audit", "verify")
    assert done.returncode == 1
    [said] = [line for line in done.stdout.splitlines() if str(row.id) in line]
    assert said.startswith(f"{MIA}: Row {row.id}, {row.action.value}, 2026-11-01 08:11:40 UTC,")
    assert "1 fault." in done.stdout


def test_rows_that_wait_for_a_seal_are_counted_with_their_age(
    given: dict[str, str], database_url: str
) -> None:
    execute(
        database_url,
        "INSERT INTO audit_log "
        "VALUES (%s, %s, now() - interval '3 hours', NULL, 'a', 'b', 'c', '{}')",
        MIA,
        UUID(int=1),
    )
    done = in_process(given, "audit", "verify")
    assert done.returncode == 0
    assert "1 not sealed yet, the oldest 3 hours old." in done.stdout


def test_newest_seals_that_are_gone_are_told_by_a_head_that_was_kept(
    given: dict[str, str], logged: list[AuditEntry], database_url: str, tmp_path: Path
) -> None:
    printed = in_process(given, "audit", "head")
    kept = printed_to(tmp_path / "heads.json", printed.stdout)
    assert in_process(given, "audit", "verify", "--head", kept).returncode == 0

    execute(database_url, "DELETE FROM audit_seals WHERE number = 2")
    done = in_process(given, "audit", "verify", "--head", kept)
    assert done.returncode == 1
    assert f"{MIA}: Seal 2, whose head was kept, is gone." in done.stdout


def test_an_export_is_checked_without_a_database_against_a_kept_head(
    given: dict[str, str], logged: list[AuditEntry], tmp_path: Path
) -> None:
    export = in_process(given, "audit", "export")
    assert export.returncode == 0
    file = printed_to(tmp_path / "export.jsonl", export.stdout)
    heads = printed_to(tmp_path / "heads.json", in_process(given, "audit", "head").stdout)

    elsewhere = environment(tmp_path / "nothing")
    done = vaultcrm(elsewhere, "audit", "check", file, "--head", heads)
    assert done.returncode == 0, done.stdout
    assert "1,110 rows in 3 seals, 0 faults." in done.stdout
    # The export itself was written down, which is not sealed yet.
    assert "2 rows are not sealed yet: nothing proves them." in done.stdout
    assert "No head" not in done.stdout
    assert (
        "No head that was kept elsewhere was given" in in_process({}, "audit", "check", file).stdout
    )


def test_an_export_that_was_changed_anywhere_has_faults(
    given: dict[str, str], logged: list[AuditEntry], tmp_path: Path
) -> None:
    lines = in_process(given, "audit", "export").stdout.splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if str(logged[5].id) in line)

    def checked(changed: list[str]) -> Any:
        return in_process({}, "audit", "check", "-", lines="".join(changed))

    assert checked(lines).returncode == 0
    altered = lines[place].replace(logged[5].subject_id, logged[6].subject_id)
    done = checked([*lines[:place], altered, *lines[place + 1 :]])
    assert done.returncode == 1
    assert f"Line {place + 1} (row {logged[5].id}) is not what was sealed." in done.stdout
    done = checked([*lines[:place], *lines[place + 1 :]])
    assert "1 rows of seal 1" in done.stdout
    done = checked([*lines[:place], lines[place], *lines[place:]])
    assert "stands here twice" in done.stdout
    seal = next(n for n, line in enumerate(lines) if '"type":"seal","creatorId":"0189' in line)
    done = checked([*lines[:seal], lines[seal].replace('"late":0', '"late":1'), *lines[seal + 1 :]])
    assert "its hash is another one" in done.stdout
    assert checked(lines[1:]).returncode == 1
    assert checked([*lines, "nonsense\n", '{"type": "row"}\n']).returncode == 1


def test_an_export_of_a_period_holds_whole_seals_and_leads_to_the_newest_head(
    given: dict[str, str], logged: list[AuditEntry], tmp_path: Path
) -> None:
    # Both seals of Mia begin on the first of November; the installation's too.
    export = in_process(given, "audit", "export", "--to", "2026-10-20")
    lines = [json.loads(line) for line in export.stdout.splitlines()]
    assert {line["type"] for line in lines} == {"export", "seal", "row"}
    with_rows = [line["withRows"] for line in lines if line["type"] == "seal"]
    assert with_rows.count(False) == 1
    done = in_process({}, "audit", "check", "-", lines=export.stdout)
    assert done.returncode == 0, done.stdout
    assert "1 seals are here without their rows" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--creator", "nobody"), "There is no such creator"),
        (("--from", "yesterday"), "is no day"),
        (("--head", "/nowhere"), "cannot be read"),
    ],
)
def test_what_cannot_be_asked_for_is_answered_in_words(
    given: dict[str, str], database_url: str, arguments: tuple[str, ...], said: str
) -> None:
    done = in_process({**given, "COLUMNS": "200"}, "audit", "verify", *arguments)
    assert done.returncode in {1, 2}
    assert said in done.stderr
