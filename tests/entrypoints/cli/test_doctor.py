"""`vaultcrm doctor`: what it sees, what it says to do, and that it changes nothing."""

import base64
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from stubs.llm import BAD_KEY, LlmStub, serve_llm_stub
from tests.entrypoints.cli.running import environment, in_process, vaultcrm
from tests.support.databases import Databases
from vaultcrm.db import migrate
from vaultcrm.db.embedded import start_embedded, stop_if_unused
from vaultcrm.domain.ids import NIL
from vaultcrm.entrypoints.cli.doctor_checks import State, check_clock
from vaultcrm.settings import Settings

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
GOOD_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SPECIFIED_MODEL = "claude-3-5-sonnet-20241022"


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor --json` printed."""

    status: int
    data: dict[str, Any]

    def check(self, name: str) -> dict[str, str]:
        """The one check of that name."""
        found: list[dict[str, str]] = [c for c in self.data["checks"] if c["name"] == name]
        assert len(found) == 1, found
        return found[0]

    def state(self, name: str) -> str:
        return self.check(name)["state"]

    def setting(self, name: str) -> dict[str, Any]:
        (found,) = [row for row in self.data["settings"] if row["name"] == name]
        assert isinstance(found, dict)
        return found

    @property
    def failed(self) -> list[str]:
        return [c["name"] for c in self.data["checks"] if c["state"] == "failed"]


Doctor = Callable[..., Diagnosis]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Runs the doctor with these settings in the environment; `home` is not made beforehand."""

    def diagnose(home: Path = tmp_path / "home", **settings: str) -> Diagnosis:
        done = in_process(environment(home, **settings), "doctor", "--json")
        assert done.stderr == ""
        return Diagnosis(done.returncode, json.loads(done.stdout))

    return diagnose


# --- the command -----------------------------------------------------------------------------


def test_people_get_one_line_a_setting_and_one_a_check_and_programs_get_the_same_as_json(
    tmp_path: Path, database_url: str
) -> None:
    given = environment(tmp_path, DATABASE_URL=database_url, AI_MODEL="claude-opus-5-5")
    text, data = vaultcrm(given, "doctor"), vaultcrm(given, "doctor", "--json")
    assert (text.returncode, text.stderr, data.returncode, data.stderr) == (0, "", 0, "")
    told = json.loads(data.stdout)
    assert told["healthy"] is True
    settings, checks = text.stdout.split("\nChecks\n")
    lines = [line.split() for line in settings.splitlines()]
    assert [line[0] for line in lines] == ["Settings", *(row["name"] for row in told["settings"])]
    assert ["AI_MODEL", "claude-opus-5-5", "environment"] in lines
    assert ["AI_MAX_RETRIES", "2", "default"] in lines
    *shown, blank, verdict = checks.splitlines()
    assert [line.split()[:2] for line in shown] == [
        [check["state"], check["name"]] for check in told["checks"]
    ]
    assert (blank, verdict) == ("", "Everything works.")


def test_the_status_is_1_exactly_when_something_failed(doctor: Doctor) -> None:
    warned = doctor(VAULTCRM_COLOUR="blue")
    assert (warned.status, warned.data["healthy"], warned.failed) == (0, True, [])
    broken = doctor(DATABASE_URL=NOWHERE)
    assert (broken.status, broken.data["healthy"], broken.failed) == (1, False, ["Database"])


def test_the_end_counts_failures_and_warnings(tmp_path: Path) -> None:
    given = environment(tmp_path, DATABASE_URL=NOWHERE, VAULTCRM_A="1", VAULTCRM_B="2")
    done = in_process(given, "doctor")
    assert done.stdout.splitlines()[-1] == "1 failure and 2 warnings."


# --- settings --------------------------------------------------------------------------------


def test_of_each_setting_it_says_where_its_value_comes_from(doctor: Doctor, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lines = ["AI_MODEL=from-file", "AI_MAX_RETRIES=5", "ai_timeout_seconds=7", "AI_MODEL_CHECKER="]
    (home / "vaultcrm.env").write_text("\n".join(lines))
    seen = doctor(AI_MODEL="from-environment", NEXT_PUBLIC_AI_ROLLOUT_STAGE="3", OPENAI_BASE_URL="")

    def origin(name: str) -> tuple[str, str, str]:
        row = seen.setting(name)
        return row["value"], row["origin"], row["variable"]

    assert origin("AI_MODEL") == ("from-environment", "environment", "AI_MODEL")
    assert origin("AI_ROLLOUT_STAGE") == ("3", "environment", "NEXT_PUBLIC_AI_ROLLOUT_STAGE")
    assert origin("AI_MAX_RETRIES") == ("5", "file", "AI_MAX_RETRIES")
    assert origin("AI_TIMEOUT_SECONDS") == ("7", "file", "AI_TIMEOUT_SECONDS")
    assert origin("AI_MODEL_CHECKER") == ("claude-haiku-5-5", "default", "")
    assert origin("OPENAI_BASE_URL") == ("not set", "default", "")
    assert origin("VAULTCRM_HOME") == (str(home), "environment", "VAULTCRM_HOME")
    assert len(seen.data["settings"]) == len(Settings.model_fields)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_part_of_a_secret_is_shown(tmp_path: Path, form: tuple[str, ...]) -> None:
    given = environment(
        tmp_path,
        DATABASE_URL="postgresql://app:hush-1@127.0.0.1:9/crm?password=hush-2",
        ANTHROPIC_API_KEY="sk-hush-3 with a blank",
        OPENAI_API_KEY="hush-4",
        OPENAI_BASE_URL="http://user:hush-5@127.0.0.1:9/v1",
        WEBHOOK_SECRET="hush-6",
        WEBHOOK_TARGET_URL="https://user:hush-7@crm.example/hook?key=hush-8",
        AI_TIMEOUT_SECONDS="0",
    )
    shown = in_process(given, "doctor", *form).stdout
    assert "hush" not in shown
    assert "app@127.0.0.1:9/crm" in shown
    assert "https://crm.example/hook?…" in shown


def test_all_values_that_cannot_be_used_are_named_and_the_other_checks_go_on(
    doctor: Doctor, tmp_path: Path, database_url: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "vaultcrm.env").write_text("AI_MAX_RETRIES=many\n")
    seen = doctor(
        DATABASE_URL=database_url,
        NEXT_PUBLIC_AI_AUTO_SEND_THRESHOLD="101",
        ENABLE_AI_CHAT="perhaps",
    )
    assert seen.status == 1
    assert sorted(seen.failed) == [
        "AI_MAX_RETRIES",
        "ENABLE_AI_CHAT",
        "NEXT_PUBLIC_AI_AUTO_SEND_THRESHOLD",
    ]
    threshold = seen.check("NEXT_PUBLIC_AI_AUTO_SEND_THRESHOLD")
    assert threshold["seen"] == "should be less than or equal to 100, not 101"
    assert threshold["todo"] == "Mend it in the environment, or remove it."
    retries = seen.check("AI_MAX_RETRIES")
    assert retries["seen"] == "should be a valid integer, not many"
    assert str(home / "vaultcrm.env") in retries["todo"]
    assert seen.state("Schema") == "ok"
    row = seen.setting("AI_AUTO_SEND_THRESHOLD")
    assert (row["value"], row["usable"]) == ("80", False)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AI_MODLE", "AI_MODEL"),
        ("ANTROPIC_API_KEY", "ANTHROPIC_API_KEY"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("VAULTCRM_HOMES", "VAULTCRM_HOME"),
        ("NEXT_PUBLIC_ENABLE_AI_CHATS", "NEXT_PUBLIC_ENABLE_AI_CHAT"),
    ],
)
def test_a_variable_that_looks_misspelt_is_pointed_out_with_the_nearest_name(
    doctor: Doctor, name: str, meant: str
) -> None:
    check = doctor(**{name: "x"}).check(name)
    assert check["state"] == "warning"
    assert check["todo"] == f"Did you mean {meant}?"


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_AUTH_TOKEN", "TEST_DATABASE_URL", "AI_COMPANY", "HOME_URL"]
)
def test_variables_of_other_programs_are_left_in_peace(doctor: Doctor, name: str) -> None:
    assert name not in [check["name"] for check in doctor(**{name: "x"}).data["checks"]]


def test_every_unknown_name_in_the_file_is_pointed_out(doctor: Doctor, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "vaultcrm.env").write_text("COLOUR=blue\nAI_ROLOUT_STAGE=2\nVAULTCRM_HOME=/srv\n")
    seen = doctor()
    assert seen.check("COLOUR")["todo"] == "Remove it."
    assert seen.check("AI_ROLOUT_STAGE")["todo"] == "Did you mean AI_ROLLOUT_STAGE?"
    assert "has no effect" in seen.check("VAULTCRM_HOME")["seen"]
    assert seen.setting("VAULTCRM_HOME")["value"] == str(home)


def test_a_settings_file_that_cannot_be_read_is_said(doctor: Doctor, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = home / "vaultcrm.env"
    file.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in doctor().check("File")["seen"]
    file.unlink()
    file.mkdir()
    assert doctor().check("File") == {
        "name": "File",
        "state": "failed",
        "seen": f"{file} is no file",
        "todo": "Remove it, or write the settings there.",
    }


def test_a_settings_file_with_secrets_must_be_closed_to_others(
    doctor: Doctor, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = home / "vaultcrm.env"
    file.write_text(f"WEBHOOK_SECRET={GOOD_SECRET}\n")
    file.chmod(0o644)
    assert doctor().check("File")["todo"] == f"Run chmod 600 {file}."
    file.chmod(0o600)
    assert "File" not in [check["name"] for check in doctor().data["checks"]]


# --- the home folder -------------------------------------------------------------------------


def test_a_home_that_is_not_there_yet_is_fine_and_is_not_made(
    doctor: Doctor, tmp_path: Path
) -> None:
    home = tmp_path / "a" / "b"
    seen = doctor(home)
    assert seen.status == 0
    assert "not there yet" in seen.check("Home")["seen"]
    assert "not made yet" in seen.check("Database")["seen"]
    assert not (tmp_path / "a").exists()


def test_a_home_that_is_a_file_is_said_and_the_database_is_not_tried(
    doctor: Doctor, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.touch()
    seen = doctor(home)
    assert seen.failed == ["Home"]
    assert "VAULTCRM_HOME" in seen.check("Home")["todo"]
    assert seen.state("Database") == "warning"


def test_a_home_in_which_no_database_server_can_live_is_said(
    doctor: Doctor, tmp_path: Path
) -> None:
    home = tmp_path / ("deep" * 25)
    assert "too long" in doctor(home).check("Home")["todo"]
    assert doctor(home, DATABASE_URL=NOWHERE).state("Home") == "ok"


# --- the database ----------------------------------------------------------------------------


def test_a_database_that_is_reached_and_migrated_is_named_with_version_and_user(
    doctor: Doctor, database_url: str
) -> None:
    seen = doctor(DATABASE_URL=database_url)
    with psycopg.connect(database_url) as connection:
        version = connection.info.parameter_status("server_version")
        row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    assert version is not None
    assert seen.check("Database")["seen"] == (
        f"DATABASE_URL, PostgreSQL {version.split()[0]}, reached as {row[0]}"
    )
    assert seen.check("Schema")["seen"] == f"revision {migrate.head()}, the newest"
    assert seen.check("Clock")["seen"] == "agrees with the database"


def test_revisions_that_are_missing_are_named_and_not_applied(
    doctor: Doctor, empty_database_url: str
) -> None:
    missing = migrate.pending(empty_database_url)
    schema = doctor(DATABASE_URL=empty_database_url).check("Schema")
    assert schema["state"] == "warning"
    assert schema["seen"] == f"empty, pending: {', '.join(missing)}"
    assert "vaultcrm migrate" in schema["todo"]
    assert migrate.current(empty_database_url) is None


def test_a_user_who_may_not_migrate_is_told_which_right_is_missing(
    doctor: Doctor, empty_database_url: str, as_powerless: Callable[[str], str]
) -> None:
    schema = doctor(DATABASE_URL=as_powerless(empty_database_url)).check("Schema")
    assert schema["state"] == "failed"
    assert "GRANT CREATE ON SCHEMA public TO powerless_" in schema["todo"]


def test_a_database_of_a_newer_release_is_said(doctor: Doctor, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    schema = doctor(DATABASE_URL=database_url).check("Schema")
    assert (schema["state"], schema["seen"]) == ("failed", "revision 9999")
    assert "newer release" in schema["todo"]


def test_a_database_that_cannot_hold_all_scripts_is_said(
    doctor: Doctor, database_server: Databases
) -> None:
    options = "TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    name = f"latin_{secrets.token_hex(4)}"
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
        try:
            url = urlsplit(database_server.url)._replace(path=f"/{name}").geturl()
            check = doctor(DATABASE_URL=url).check("Encoding")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert check["state"] == "failed"
    assert check["seen"].startswith("LATIN1")


def test_more_connections_than_the_server_gives_are_pointed_out(
    doctor: Doctor, database_url: str
) -> None:
    check = doctor(DATABASE_URL=database_url, DATABASE_POOL_SIZE="200").check("Connections")
    assert check["state"] == "warning"
    assert "DATABASE_POOL_SIZE" in check["todo"]


def test_flags_that_are_set_at_run_time_are_shown_over_the_settings(
    doctor: Doctor, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO flag_overrides (creator_id, name, value, reason, set_by, set_at)"
            " VALUES (%s, 'AI_ROLLOUT_STAGE', '3', 'a try', NULL, now())",
            (NIL,),
        )
    flags = doctor(DATABASE_URL=database_url).check("Flags")
    assert flags["seen"] == "set at run time, over the settings: AI_ROLLOUT_STAGE=3"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (NOWHERE, "Start the server, or correct host and port in DATABASE_URL."),
        ("postgresql://a@b@127.0.0.1/x", "Write it as %40."),
        ("mysql://x", "not an address of the form"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_with_what_to_do_and_the_rest_goes_on(
    doctor: Doctor, url: str, said: str
) -> None:
    seen = doctor(DATABASE_URL=url)
    assert seen.failed == ["Database"]
    assert said in seen.check("Database")["todo"]
    assert seen.state("Filter") == "ok"


def test_an_embedded_database_that_does_not_run_is_looked_at_and_stopped_again(
    doctor: Doctor, home: Path
) -> None:
    with start_embedded(home, durable=False):
        pass
    seen = doctor(home)
    assert seen.check("Database")["seen"].startswith("embedded, PostgreSQL 18")
    assert seen.state("Schema") == "warning"
    assert "not compared" in seen.check("Clock")["seen"]
    assert stop_if_unused(home) is False
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_an_embedded_database_that_runs_goes_on_running(doctor: Doctor, home: Path) -> None:
    with start_embedded(home, durable=False) as server:
        assert doctor(home).state("Database") == "ok"
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_data_folder_of_somebody_else_is_said(doctor: Doctor, home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "notes.txt").touch()
    database = doctor(home).check("Database")
    assert database["state"] == "failed"
    assert "was not made by VaultCRM" in database["todo"]


# --- AI, channels, filter, console -----------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "state", "said"),
    [
        ({}, "ok", "on, stage 2"),
        ({"ENABLE_AI_CHAT": "false"}, "ok", "off for everybody"),
        ({"AI_ROLLOUT_STAGE": "1"}, "warning", "on for nobody"),
        ({"AI_ROLLOUT_STAGE": "1", "AI_ROLLOUT_CREATOR": "mia"}, "ok", "drafts for mia alone"),
        ({"AI_ROLLOUT_STAGE": "4"}, "ok", "on, stage 4"),
    ],
)
def test_it_says_whether_ai_is_on_and_for_whom(
    doctor: Doctor, settings: dict[str, str], state: str, said: str
) -> None:
    check = doctor(**settings).check("AI")
    assert check["state"] == state
    assert said in check["seen"]


@pytest.mark.parametrize(
    ("secret", "target", "state", "said"),
    [
        ("", "", "ok", "not set up"),
        ("", "https://crm.example/hook", "warning", "WEBHOOK_SECRET is not"),
        (GOOD_SECRET, "", "ok", "takes messages in; sends none"),
        (GOOD_SECRET, "https://crm.example/hook", "ok", "in and out"),
        (GOOD_SECRET, "http://127.0.0.1:9000/hook", "ok", "in and out"),
        (GOOD_SECRET, "http://crm.example/hook", "warning", "in the clear"),
        (GOOD_SECRET, "crm.example/hook", "failed", "is not an http or https address"),
        (GOOD_SECRET, "https://crm.example:port/", "failed", "is not an http or https address"),
        ("whsec_c2hvcnQ=", "", "failed", "holds less than 24 bytes"),
        ("whsec_no base64!", "", "failed", "is not base64"),
    ],
)
def test_it_says_whether_the_webhook_is_set_up_well(
    doctor: Doctor, secret: str, target: str, state: str, said: str
) -> None:
    check = doctor(WEBHOOK_SECRET=secret, WEBHOOK_TARGET_URL=target).check("Webhook")
    assert check["state"] == state
    assert said in check["seen"]


def test_a_wrong_secret_and_a_wrong_target_are_both_named(doctor: Doctor) -> None:
    seen = doctor(WEBHOOK_SECRET="short", WEBHOOK_TARGET_URL="ftp://crm.example")
    named = [
        check["seen"].split()[0] for check in seen.data["checks"] if check["name"] == "Webhook"
    ]
    assert named == ["WEBHOOK_SECRET", "WEBHOOK_TARGET_URL"]


def test_an_address_of_the_console_that_leads_nowhere_is_said(doctor: Doctor) -> None:
    assert doctor(VAULTCRM_BASE_URL="crm.example.com").state("Console") == "failed"


def test_the_filter_is_loaded_and_its_rules_are_counted(doctor: Doctor) -> None:
    seen = doctor().check("Filter")
    assert seen["state"] == "ok"
    assert int(seen["seen"].split()[0]) > 0


# --- the drafter -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stub() -> Iterator[LlmStub]:
    with serve_llm_stub() as running:
        yield running


@dataclass(frozen=True)
class Told:
    """What a provider answers to `GET …/models`."""

    body: str
    status: int = 200
    headers: Mapping[str, str] | None = None


@contextmanager
def provider(told: Told) -> Iterator[str]:
    """The address of a provider that answers every request with one thing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(told.status)
            for name, value in (told.headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told.body.encode())))
            self.end_headers()
            self.wfile.write(told.body.encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- its name there
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def models(*names: str, **facts: object) -> str:
    """A list of models as the Claude API gives it; all share the facts."""
    listed = [{"id": name, "type": "model", "lifecycle": "active", **facts} for name in names]
    return json.dumps({"data": listed, "has_more": False})


def test_without_a_key_it_says_that_drafts_are_retrieved_and_how_to_get_a_model(
    doctor: Doctor,
) -> None:
    drafter = doctor().check("Drafter")
    assert drafter["state"] == "ok"
    assert drafter["seen"].startswith("retrieval, as no key is set")
    assert "ANTHROPIC_API_KEY" in drafter["todo"]


def test_a_key_that_claude_takes_and_models_that_it_offers_are_fine(
    doctor: Doctor, stub: LlmStub
) -> None:
    seen = doctor(ANTHROPIC_API_KEY="good", ANTHROPIC_BASE_URL=stub.url)
    assert seen.status == 0
    assert seen.check("Drafter")["seen"] == "Claude, as ANTHROPIC_API_KEY is set"
    assert seen.check("Key")["seen"] == "Claude takes it, and offers 5 models"
    assert seen.check("AI_MODEL")["seen"] == "claude-sonnet-5-5, offered"
    assert seen.check("AI_MODEL_CHECKER")["seen"] == "claude-haiku-5-5, offered"
    assert seen.check("Clock")["seen"] == "agrees with Claude"


def test_a_key_hides_an_openai_compatible_server_and_that_is_said(
    doctor: Doctor, stub: LlmStub
) -> None:
    seen = doctor(
        ANTHROPIC_API_KEY="good", ANTHROPIC_BASE_URL=stub.url, OPENAI_BASE_URL=stub.openai_url
    )
    assert "OPENAI_BASE_URL is not used" in seen.check("Drafter")["seen"]


def test_a_key_that_claude_refuses_is_said(doctor: Doctor, stub: LlmStub) -> None:
    seen = doctor(ANTHROPIC_API_KEY=BAD_KEY, ANTHROPIC_BASE_URL=stub.url)
    key = seen.check("Key")
    assert (key["state"], key["seen"]) == ("failed", "refused by Claude")
    assert "set ANTHROPIC_API_KEY" in key["todo"]
    assert seen.state("AI_MODEL") == "ok"


def test_a_key_with_a_blank_in_it_is_said_without_asking_anybody(
    doctor: Doctor, stub: LlmStub
) -> None:
    seen = doctor(ANTHROPIC_API_KEY="two words", ANTHROPIC_BASE_URL=stub.url)
    assert "holds a blank" in seen.check("Key")["seen"]


@pytest.mark.parametrize(
    ("told", "state", "said"),
    [
        (Told("{}", 404), "warning", "does not list its models (status 404)"),
        (Told("{}", 402), "failed", "cannot pay"),
        (Told("{}", 529), "warning", "Claude answered 529"),
        (Told("<html>a proxy's page</html>"), "failed", "not answer in the form of the Claude API"),
        (Told("[1, 2]"), "failed", "not answer in the form of the Claude API"),
        (Told("{}"), "failed", "not answer in the form of the Claude API"),
    ],
)
def test_what_is_not_a_list_of_models_is_told_apart(
    doctor: Doctor, told: Told, state: str, said: str
) -> None:
    with provider(told) as url:
        key = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url).check("Key")
    assert key["state"] == state
    assert said in key["seen"]


def test_a_claude_that_cannot_be_reached_is_said(doctor: Doctor) -> None:
    key = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL="http://127.0.0.1:9").check("Key")
    assert (key["state"], key["seen"]) == ("failed", "not checked: Claude cannot be reached")


def test_the_retired_model_that_the_specification_names_fails_with_one_to_use_instead(
    doctor: Doctor, stub: LlmStub
) -> None:
    seen = doctor(
        ANTHROPIC_API_KEY="good",
        ANTHROPIC_BASE_URL=stub.url,
        AI_MODEL=SPECIFIED_MODEL,
        AI_MODEL_CHECKER=SPECIFIED_MODEL,
    )
    for setting, better in (
        ("AI_MODEL", "claude-sonnet-5-5"),
        ("AI_MODEL_CHECKER", "claude-haiku-5-5"),
    ):
        check = seen.check(setting)
        assert check["state"] == "failed"
        assert check["seen"] == f"{SPECIFIED_MODEL} was retired on 2025-10-28: calls to it fail"
        assert check["todo"] == f"Set {setting} to {better}."


def test_a_model_under_its_dated_name_is_known_to_be_the_same(doctor: Doctor) -> None:
    with provider(Told(models("claude-haiku-4-5-20251001"))) as url:
        seen = doctor(
            ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url, AI_MODEL_CHECKER="claude-haiku-4-5"
        )
    assert seen.state("AI_MODEL_CHECKER") == "ok"


def test_a_model_that_the_server_does_not_offer_is_pointed_out_with_one_that_it_does(
    doctor: Doctor,
) -> None:
    with provider(Told(models("claude-opus-5-5"))) as url:
        seen = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url)
    check = seen.check("AI_MODEL")
    # Not a failure: servers at other addresses take models that they do not list.
    assert check["state"] == "warning"
    assert check["todo"].startswith("Set AI_MODEL to claude-opus-5-5.")


@pytest.mark.parametrize(
    ("facts", "state", "said"),
    [
        ({"lifecycle": "deprecated"}, "warning", "is deprecated"),
        (
            {"lifecycle": "deprecated", "retires_at": "2027-02-01T00:00:00Z"},
            "warning",
            "retires on 2027-02-01",
        ),
        ({"lifecycle": "retired"}, "failed", "is retired: calls to it fail"),
        ({}, "ok", "offered"),
    ],
)
def test_what_the_provider_says_about_the_end_of_a_model_is_passed_on(
    doctor: Doctor, facts: dict[str, object], state: str, said: str
) -> None:
    with provider(Told(models("claude-sonnet-5-5", **facts))) as url:
        check = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url).check("AI_MODEL")
    assert check["state"] == state
    assert said in check["seen"]


def test_a_model_without_a_known_price_is_pointed_out(doctor: Doctor) -> None:
    with provider(Told(models("claude-next-9", "claude-haiku-5-5"))) as url:
        check = doctor(
            ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url, AI_MODEL="claude-next-9"
        ).check("AI_MODEL")
    assert check["state"] == "warning"
    assert "dearest" in check["seen"]


def test_an_openai_compatible_server_that_has_the_models_is_fine(
    doctor: Doctor, stub: LlmStub
) -> None:
    seen = doctor(OPENAI_BASE_URL=stub.openai_url, OPENAI_API_KEY="k")
    assert seen.check("Drafter")["seen"].startswith("an OpenAI-compatible server")
    assert (seen.state("Server"), seen.state("AI_MODEL")) == ("ok", "ok")


def test_a_model_may_be_named_without_the_tag_that_the_server_lists(doctor: Doctor) -> None:
    listed = json.dumps({"data": [{"id": "mistral:latest"}, {"id": "qwen3:8b"}]})
    with provider(Told(listed)) as url:
        seen = doctor(OPENAI_BASE_URL=url, AI_MODEL="mistral", AI_MODEL_CHECKER="qwen3")
    assert seen.state("AI_MODEL") == "ok"
    check = seen.check("AI_MODEL_CHECKER")
    assert check["state"] == "failed"
    assert (
        check["todo"] == "Set AI_MODEL_CHECKER to a model that is there: mistral:latest, qwen3:8b."
    )


@pytest.mark.parametrize(
    ("told", "state", "said"),
    [
        (Told("{}", 401), "failed", "refuses the key (status 401)"),
        (Told("not found", 404), "warning", "does not list its models (status 404)"),
        (Told("<html></html>"), "warning", "does not list its models (status 200)"),
    ],
)
def test_an_openai_compatible_server_that_gives_no_list_is_told_apart(
    doctor: Doctor, told: Told, state: str, said: str
) -> None:
    with provider(told) as url:
        server = doctor(OPENAI_BASE_URL=url).check("Server")
    assert server["state"] == state
    assert said in server["seen"]


def test_an_openai_compatible_server_that_does_not_run_is_said(doctor: Doctor) -> None:
    server = doctor(OPENAI_BASE_URL="http://127.0.0.1:9/v1").check("Server")
    assert (server["state"], server["seen"]) == ("failed", "cannot be reached")
    assert "OPENAI_BASE_URL" in server["todo"]


# --- the clock -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (60, "warning", "seconds behind Claude"),
        (-60, "warning", "seconds ahead of Claude"),
        (3600, "failed", "seconds behind Claude"),
        (0, "ok", "agrees with Claude"),
    ],
)
def test_a_clock_that_differs_from_the_providers_is_pointed_out(
    doctor: Doctor, ahead: int, state: str, said: str
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    # A refused key tells the time as well.
    with provider(Told("{}", 401, {"Date": date})) as url:
        clock = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url).check("Clock")
    assert clock["state"] == state
    assert said in clock["seen"]


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (30, State.OK),
        (-30, State.OK),
        (31, State.WARNING),
        (-300, State.WARNING),
        (301, State.FAILED),
        (-301, State.FAILED),
    ],
)
def test_half_a_minute_off_is_a_warning_and_five_minutes_are_a_failure(
    seconds: float, state: State
) -> None:
    assert check_clock({"the database": seconds, "Claude": 0}).state is state


def test_an_answer_without_a_date_tells_nothing_about_the_clock(doctor: Doctor) -> None:
    with provider(Told("{}", 401)) as url:
        clock = doctor(ANTHROPIC_API_KEY="k", ANTHROPIC_BASE_URL=url).check("Clock")
    assert "not compared" in clock["seen"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's home is closed to the server's user")
def test_as_root_a_home_below_roots_own_is_refused_with_another_to_take(doctor: Doctor) -> None:
    home = Path("~root").expanduser() / "vaultcrm-that-is-not-there"
    seen = doctor(home)
    assert seen.failed == ["Home"]
    assert "such as /var/lib/vaultcrm" in seen.check("Home")["todo"]
    assert not home.exists()
