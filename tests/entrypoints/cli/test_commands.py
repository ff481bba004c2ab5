"""The commands as a person at a terminal meets them: what they print, say and leave behind."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.entrypoints.cli.running import (
    Running,
    conversation_line,
    environment,
    free_port,
    in_process,
    running,
    vaultcrm,
    wait_until,
)
from tests.support.databases import Databases
from vaultcrm.db.embedded import revive_embedded, start_embedded, stop_if_unused
from vaultcrm.entrypoints.cli.main import COMMANDS

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"
TALK = ("good morning you", "Morning sunshine, did you sleep well?", "good morning!")
NO_SUCH_ID = "0190b5c2-7d1e-7c3a-9f00-2b6f6f3d8a11"


# --- the list of commands --------------------------------------------------------------------


@pytest.fixture(scope="module")
def helps() -> dict[str, Any]:
    """The help of every command, and the modules that showing all of them has imported."""
    program = """
import json, sys
from contextlib import redirect_stdout
from io import StringIO
from vaultcrm.entrypoints.cli.main import COMMANDS, app
shown = {}
for command in ("", *COMMANDS):
    with redirect_stdout(StringIO()) as text:
        app([*command.split(), "--help"], standalone_mode=False)
    shown[command] = " ".join(text.getvalue().split())
print(json.dumps({"shown": shown, "modules": list(sys.modules)}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with(
    helps: dict[str, Any], command: str
) -> None:
    summary = COMMANDS[command].summary
    assert f"{command} {summary}" in helps["shown"][""].replace("│", "").replace("  ", " ")
    assert summary.removesuffix(".") in helps["shown"][command]


def test_help_imports_nothing_that_commands_work_with(helps: dict[str, Any]) -> None:
    heavy = {"fastapi", "starlette", "uvicorn", "psycopg", "sqlalchemy", "alembic", "jinja2"}
    heavy |= {"procrastinate", "anthropic", "httpx2", "pydantic_settings"}
    assert sorted(heavy & set(helps["modules"])) == []


def test_a_misspelt_command_is_answered_with_the_right_one(tmp_path: Path) -> None:
    done = vaultcrm(environment(tmp_path), "sevre")
    assert done.returncode == 2
    assert "Did you mean 'serve'" in done.stderr


def test_the_version_is_printed_alone(tmp_path: Path) -> None:
    done = vaultcrm(environment(tmp_path), "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.1.0\n", "")


# --- what goes wrong is said in sentences ----------------------------------------------------


def assert_explained(done: subprocess.CompletedProcess[str], *said: str, status: int = 1) -> None:
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    words = " ".join(done.stderr.replace("│", " ").split())
    for part in said:
        assert part in words


def test_all_settings_that_are_wrong_are_named_before_anything_starts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    given = environment(
        home, AI_ROLLOUT_STAGE="9", NEXT_PUBLIC_AI_AUTO_SEND_THRESHOLD="high", AI_MAX_RETRIES="2"
    )
    done = vaultcrm(given, "serve")
    assert_explained(done, status=2)
    assert sorted(done.stderr.splitlines()) == [
        "AI_ROLLOUT_STAGE: should be less than or equal to 4",
        "NEXT_PUBLIC_AI_AUTO_SEND_THRESHOLD: should be a valid integer",
    ]
    assert not home.exists()


def test_a_settings_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "vaultcrm.env").write_bytes(b"AI_MODEL=\xff\n")
    done = in_process(environment(tmp_path), "migrate")
    assert_explained(done, "vaultcrm.env cannot be read: it is not UTF-8", status=2)


@pytest.mark.parametrize(
    "command",
    [
        "migrate",
        "user add mary@example.com --role manager",
        "token create --service crm",
        f"generate --conversation {NO_SUCH_ID}",
        "serve",
        "worker",
    ],
)
def test_a_database_that_does_not_answer_is_said_with_what_to_do(
    tmp_path: Path, command: str
) -> None:
    given = environment(tmp_path, DATABASE_URL=NOWHERE)
    port = ["--port", str(free_port())] if command == "serve" else []
    start = vaultcrm if command in {"serve", "migrate"} else in_process
    done = start(given, *command.split(), *port)
    assert_explained(done, "cannot be reached", "Start the server, or correct host and port")


def test_a_home_that_is_a_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    done = in_process(environment(home), "migrate")
    assert_explained(done, str(home), "Set VAULTCRM_HOME to another folder.")


def test_a_signing_key_that_cannot_be_read_is_said_with_what_to_do(
    tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "signing.key").mkdir()
    given = environment(tmp_path, DATABASE_URL=database_url)
    in_process(given, "user", "add", "mary@example.com", "--role", "manager")
    done = in_process(given, "user", "link", "mary@example.com")
    assert_explained(done, "signing.key cannot be used", "set VAULTCRM_HOME to another folder")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("user add mary@example.com --role owner", "'owner' is not one of"),
        ("user add mary --role chatter", "mary is not an e-mail address"),
        ("user assign mary@example.com", "Missing option '--creator'"),
        ("token create", "Give either --user EMAIL or --service NAME"),
        ("token create --user a@b --service crm", "Give either --user EMAIL or --service NAME"),
        ("generate --conversation 12", "12 is no id. One looks like"),
        (f"generate --conversation {NO_SUCH_ID} --type poem", "'poem' is not one of"),
        ("serve --port 70000", "should be less than or equal to 65535"),
    ],
)
def test_an_option_that_cannot_be_used_is_named_and_the_status_is_2(
    tmp_path: Path, command: str, said: str
) -> None:
    done = in_process(environment(tmp_path, DATABASE_URL=NOWHERE), *command.split())
    assert_explained(done, said, status=2)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("user add mary@example.com --role chatter --creator mia", "no creator with handle mia"),
        ("user assign mary@example.com --creator mia", "There is no such user"),
        ("user link mary@example.com", "There is no such user"),
        ("token create --user mary@example.com", "There is no such user"),
        (f"generate --conversation {NO_SUCH_ID}", "There is no such conversation"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, database_url: str, command: str, said: str
) -> None:
    done = in_process(environment(tmp_path, DATABASE_URL=database_url), *command.split())
    assert_explained(done, said)


def test_a_database_user_without_rights_is_told_which_are_missing(
    tmp_path: Path, empty_database_url: str, as_powerless: Callable[[str], str]
) -> None:
    given = environment(tmp_path, DATABASE_URL=as_powerless(empty_database_url))
    done = in_process(given, "migrate")
    assert_explained(done, "The database does not allow this: permission denied", "Grant it")


# --- people and tokens -----------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A served installation that all tests of this module share, and its environment."""

    given: dict[str, str]
    server: Running
    token: str

    def run(self, *arguments: str, lines: str = "") -> str:
        """The standard output of a command that must succeed."""
        done = in_process(self.given, *arguments, lines=lines)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def conversation(self, creator: str, fan: str, *texts: str) -> str:
        """The id of an imported conversation."""
        self.run("import", "-", lines=conversation_line(creator, fan, *texts))
        found = self.server.request("GET", "/api/conversations?limit=200", self.token).body
        (one,) = [item["id"] for item in found["items"] if fan in json.dumps(item)]
        return str(one)


@pytest.fixture(scope="module")
def served(
    database_server: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    with database_server.fresh() as url:
        given = environment(folder / "home", DATABASE_URL=url)
        options = ("--port", str(free_port()), "--worker")
        with running(given, folder, "serve", *options) as server:
            token = vaultcrm(given, "token", "create", "--service", "tests").stdout
            yield Served(given, server, token.strip())


def test_the_token_of_a_program_is_printed_alone_and_is_taken_over_http(served: Served) -> None:
    done = vaultcrm(served.given, "token", "create", "--service", "crm")
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.removesuffix("\n")
    assert token
    assert not any(letter.isspace() for letter in token)
    assert served.server.request("GET", "/api/creators", token).status == HTTPStatus.OK
    refused = served.server.request("GET", "/api/creators", f"{token}x")
    assert refused.status == HTTPStatus.UNAUTHORIZED


def test_a_chatter_sees_a_creator_from_the_moment_of_being_assigned(served: Served) -> None:
    served.run("import", "-", lines=conversation_line("ann", "assigned1", "hi"))
    options = ("--role", "chatter", "--name", "Kim")
    added = vaultcrm(served.given, "user", "add", "Kim@Example.com", *options)
    assert added.stdout == "Added kim@example.com as chatter.\n"
    token = served.run("token", "create", "--user", "kim@example.com").strip()

    def handles() -> list[str]:
        body = served.server.request("GET", "/api/creators", token).body
        return [item["handle"] for item in body["items"]]

    assert handles() == []
    said = vaultcrm(served.given, "user", "assign", "kim@example.com", "--creator", "ann")
    assert said.stdout == "kim@example.com may act for ann.\n"
    assert handles() == ["ann"]


def test_a_manager_sees_all_creators_unless_told_otherwise(served: Served) -> None:
    served.run("import", "-", lines=conversation_line("bea", "managed1", "hi"))
    served.run("user", "add", "all@example.com", "--role", "manager")
    served.run("user", "add", "own@example.com", "--role", "manager", "--own-creators")
    for email, sees in (("all@example.com", True), ("own@example.com", False)):
        token = served.run("token", "create", "--user", email).strip()
        items = served.server.request("GET", "/api/creators", token).body["items"]
        assert ("bea" in [item["handle"] for item in items]) is sees


def test_the_same_address_is_not_added_twice_in_any_spelling(served: Served) -> None:
    served.run("user", "add", "twice@example.com", "--role", "admin")
    done = in_process(served.given, "user", "add", "TWICE@example.com", "--role", "chatter")
    assert_explained(done, "There is a user with the address twice@example.com already.")


def test_a_link_signs_its_holder_in_to_the_console(served: Served) -> None:
    served.run("user", "add", "linked@example.com", "--role", "manager")
    link = vaultcrm(served.given, "user", "link", "linked@example.com").stdout.strip()
    base, _, path = link.partition("/sign-in")
    assert base == "http://127.0.0.1:8000"
    signed_in = served.server.request("GET", f"/sign-in{path}")
    assert signed_in.status == HTTPStatus.SEE_OTHER
    assert "set-cookie" in signed_in.headers
    refused = served.server.request("GET", f"/sign-in{path}x")
    assert refused.status == HTTPStatus.UNAUTHORIZED


# --- the main job ----------------------------------------------------------------------------


def test_generate_answers_with_what_the_api_then_shows_in_the_queue(served: Served) -> None:
    conversation = served.conversation("mia", "tom88", *TALK)
    done = vaultcrm(
        served.given, "generate", "--conversation", conversation, "--type", "reply", "--json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["status"] == "queued"
    assert answer["requiresApproval"] is True
    assert answer["message"]
    queue = served.server.request("GET", "/api/ai/queue", served.token).body
    (waiting,) = [item for item in queue["items"] if answer["generationId"] in json.dumps(item)]
    assert answer["message"] in json.dumps(waiting, ensure_ascii=False)


def test_generate_tells_a_person_the_text_its_fate_and_why(served: Served) -> None:
    conversation = served.conversation("mia", "jerry", *TALK)
    shown = served.run("generate", "--conversation", conversation).splitlines()
    assert shown[0]
    assert shown[1] == ""
    assert shown[2].startswith("queued, confidence ")
    assert "waits: rollout_stage" in shown


def test_what_is_approved_over_http_is_sent_by_the_worker_beside_the_server(
    served: Served,
) -> None:
    conversation = served.conversation("mia", "sent1", *TALK)
    shown = served.run("generate", "--conversation", conversation, "--json")
    generation = json.loads(shown)["generationId"]
    body = {"generationId": generation, "action": "approve"}
    approved = served.server.request("POST", "/api/ai/approve", served.token, body)
    assert approved.status == HTTPStatus.OK
    path = f"/api/conversations/{conversation}/messages?limit=50"

    def is_sent() -> bool:
        messages = served.server.request("GET", path, served.token).body
        return any(item["author"] == "ai_approved" for item in messages["items"])

    wait_until(is_sent, "the worker sends")
    assert served.server.said() == ""


# --- serving ---------------------------------------------------------------------------------


def test_a_port_in_use_is_said_before_anything_is_started(served: Served, tmp_path: Path) -> None:
    home = tmp_path / "home"
    port = served.server.address.rpartition(":")[2]
    for command in ("serve", "demo"):
        done = vaultcrm(environment(home), command, "--port", port)
        assert_explained(done, f"Port {port} of 127.0.0.1 is in use.", "--port")
    assert not home.exists()


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    done = vaultcrm(environment(tmp_path / "home"), "serve", "--host", "192.0.2.1")
    assert_explained(done, "192.0.2.1 is not an address of this machine.")


def test_a_channel_that_cannot_work_is_said_before_anything_is_started(tmp_path: Path) -> None:
    home = tmp_path / "home"
    given = environment(home, WEBHOOK_SECRET="short", WEBHOOK_TARGET_URL="crm.example.com")
    done = vaultcrm(given, "serve", "--port", str(free_port()))
    assert_explained(done, "WEBHOOK_SECRET", "WEBHOOK_TARGET_URL is not an http", status=2)
    assert not home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_the_server_stops_all_its_processes_quietly_and_with_status_0(
    database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    given = environment(tmp_path / "home", DATABASE_URL=database_url)
    options = ("--port", str(free_port()), "--worker", "--processes", "2")
    with running(given, tmp_path, "serve", *options) as server:
        children = server.children()
        assert len(children) == 3
        # To the whole group, as a terminal sends Ctrl+C.
        os.killpg(server.process.pid, number)
        assert server.end() == 0
        assert not [child for child in children if child.is_running()]
        assert server.said() == ""


def test_a_server_under_nohup_outlives_its_terminal(database_url: str, tmp_path: Path) -> None:
    given = environment(tmp_path / "home", DATABASE_URL=database_url)
    options = ("--port", str(free_port()), "--no-worker")
    with running(given, tmp_path, "serve", *options, under=("nohup",)) as server:
        os.killpg(server.process.pid, signal.SIGHUP)
        # Longer than it takes to stop, so that a server that does stop is caught.
        time.sleep(2)
        assert server.request("GET", "/readyz").status == HTTPStatus.OK
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.end() == 0


def test_a_server_that_is_killed_leaves_no_process_and_no_database_behind(
    home: Path, tmp_path: Path
) -> None:
    with running(environment(home), tmp_path, "serve", "--port", str(free_port())) as server:
        children = server.children()
        assert len(children) == 2
        server.process.kill()
        wait_until(lambda: not any(child.is_running() for child in children), "the children notice")
        assert not (home / "postgres" / "postmaster.pid").exists()
        assert stop_if_unused(home) is False


@pytest.mark.parametrize(
    ("word", "said"),
    [("web", "The web process was killed by SIGKILL."), ("worker", "The worker was killed by")],
)
def test_a_part_that_dies_is_said_and_started_again(
    database_url: str, tmp_path: Path, word: str, said: str
) -> None:
    given = environment(tmp_path / "home", DATABASE_URL=database_url)
    options = ("--port", str(free_port()), "--worker")
    with running(given, tmp_path, "serve", *options) as server:
        dead = server.child(word)
        dead.kill()
        wait_until(lambda: len(server.children()) == 2 and not dead.is_running(), "it is back")
        assert server.child(word).pid != dead.pid
        assert server.said().startswith(said)
        assert "It starts again in 0.5 seconds." in server.said()
        assert server.request("GET", "/readyz").status == HTTPStatus.OK
        server.process.terminate()
        assert server.end() == 0


def test_a_part_that_dies_before_the_server_has_answered_stops_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "vaultcrm", "serve", "--port", str(free_port()), "--worker"],
        env=environment(tmp_path / "home", DATABASE_URL=database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(process.pid)
    wait_until(lambda: len(parent.children()) == 2, "its processes are started")
    children = parent.children()
    next(child for child in children if "worker" in child.cmdline()).kill()
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed) == (1, "")
    assert said == "The worker was killed by SIGKILL, so the rest stops too.\n"
    assert not [child for child in children if child.is_running()]


def test_an_embedded_database_that_is_killed_is_started_again(home: Path, tmp_path: Path) -> None:
    options = ("--port", str(free_port()), "--no-worker")
    with running(environment(home), tmp_path, "serve", *options) as server:
        pid_file = home / "postgres" / "postmaster.pid"
        pid = int(pid_file.read_text().partition("\n")[0])
        psutil.Process(pid).kill()
        wait_until(lambda: "The database was killed." in server.said(), "it is noticed")
        wait_until(lambda: server.request("GET", "/readyz").status == HTTPStatus.OK, "it is back")
        assert int(pid_file.read_text().partition("\n")[0]) != pid


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_command_that_is_interrupted_while_the_database_starts_leaves_none_behind(
    home: Path,
) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    turn = home / "postgres.lock"
    with turn.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-m", "vaultcrm", "migrate"],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests themselves were started to ignore it, commands would too.
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - the tests run no threads here
        )
        waits = psutil.Process(process.pid)
        wait_until(lambda: any(turn.samefile(f.path) for f in waits.open_files()), "its turn")
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == ""
    assert stop_if_unused(home) is False


# --- worker and demo -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_stops_with_status_0_when_it_is_told_to(
    database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "vaultcrm", "worker"],
        env=environment(tmp_path / "home", DATABASE_URL=database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        working = "SELECT count(*) > 0 FROM procrastinate_workers"
        wait_until(lambda: connection.execute(working).fetchone() == (True,), "it works")
    process.send_signal(number)
    printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed) == (0, "")
    assert said == "Running jobs. Ctrl+C stops it when those under way are done.\n"


def test_a_worker_outlives_a_database_that_is_killed_and_comes_back(home: Path) -> None:
    with start_embedded(home) as server, ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "vaultcrm", "worker"],
            env=environment(home, DATABASE_URL=server.url()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        workers = "procrastinate_workers"
        wait_until(lambda: count(server.url(), workers) == 2, "it works")
        database = int((home / "postgres" / "postmaster.pid").read_text().partition("\n")[0])
        psutil.Process(database).kill()
        wait_until(lambda: revive_embedded(home), "the database is gone and comes back")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(
                """INSERT INTO procrastinate_jobs (queue_name, task_name, args)
                   VALUES ('default', 'recover_lost_work', '{"timestamp": 0}')"""
            )
        waiting = "procrastinate_jobs WHERE status = 'todo'"
        wait_until(lambda: count(server.url(), waiting) == 0, "it takes jobs again")
        assert process.poll() is None
        assert count(server.url(), workers) == 2


def count(url: str, table: str) -> int:
    """How many rows a table has, perhaps with a condition; 0 when there is no table yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = table.partition(" ")[0]
        known = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
        if known == (None,):
            return 0
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 -- a name of ours
        return int(found[0]) if found else 0


def test_the_demo_prints_a_link_that_signs_in_and_ctrl_c_stops_all_of_it(
    home: Path, tmp_path: Path
) -> None:
    with running(environment(home), tmp_path, "demo", "--port", str(free_port())) as demo:
        link = demo.printed.strip()
        children = demo.children()
        signed_in = demo.request("GET", link.removeprefix(demo.address))
        assert signed_in.status == HTTPStatus.SEE_OTHER
        os.killpg(demo.process.pid, signal.SIGINT)
        assert demo.end() == 0
        assert demo.said() == ""
        assert not [child for child in children if child.is_running()]
        assert stop_if_unused(home) is False
