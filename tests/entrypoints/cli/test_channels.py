"""`vaultcrm channel …`: accounts are connected without a secret ever being shown."""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from select import select

import psycopg
import pytest

from stubs.telegram import BOT_TOKEN, TelegramStub, serve_telegram_stub
from tests.entrypoints.cli.running import (
    COMMAND,
    PATIENCE_SECONDS,
    conversation_line,
    environment,
    in_process,
)
from vaultcrm.domain.people import SYSTEM_USER_ID

SECRET = "a-webhook-secret-of-forty-characters-long"
FROM_ENVIRONMENT = {
    "VAULTCRM_CHANNEL_BOT_TOKEN": BOT_TOKEN,
    "VAULTCRM_CHANNEL_WEBHOOK_SECRET": SECRET,
}


@pytest.fixture
def given(database_url: str, home: Path) -> dict[str, str]:
    """An installation with the creator mia."""
    settings = environment(home, DATABASE_URL=database_url)
    line = conversation_line("mia", "tom88", "Hey!")
    assert in_process(settings, "import", "-", lines=line).returncode == 0
    return settings


@pytest.fixture
def telegram() -> Iterator[TelegramStub]:
    with serve_telegram_stub() as stub:
        yield stub


def channel(given: dict[str, str], *arguments: str, lines: str = "", status: int = 0) -> str:
    """What `vaultcrm channel` has said on both outputs; no secret is ever among it."""
    done = in_process(given, "channel", *arguments, lines=lines)
    said = " ".join((done.stdout + " " + done.stderr).replace("│", " ").split())
    assert done.returncode == status, said
    assert SECRET not in said
    assert BOT_TOKEN not in said
    return said


def stored(given: dict[str, str], statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        return connection.execute(statement).fetchall()


def doctor(given: dict[str, str]) -> list[tuple[str, str, str]]:
    """State, finding and advice of each account."""
    found = json.loads(in_process(given, "doctor", "--json").stdout)["checks"]
    return [(c["state"], c["seen"], c["todo"]) for c in found if c["name"] == "Account"]


def test_secrets_from_the_environment_are_stored_sealed_and_the_account_is_listed(
    given: dict[str, str],
) -> None:
    said = channel(given | FROM_ENVIRONMENT, "add", "mia", "telegram", "--send-delay", "5")
    assert "Connected Telegram for mia." in said
    [(config, sealed)] = stored(given, "SELECT config, secret FROM channel_accounts")
    assert config == {"automatedSending": True}
    assert isinstance(sealed, bytes)
    assert BOT_TOKEN.encode() not in sealed
    assert channel(given, "list") == "mia telegram connected; sends after 5 seconds"


def test_secrets_may_come_from_a_file_or_from_standard_input(
    given: dict[str, str], tmp_path: Path
) -> None:
    values = json.dumps({"botToken": BOT_TOKEN, "webhookSecret": SECRET})
    (tmp_path / "secrets.json").write_text(values)
    channel(given, "add", "mia", "telegram", "--secrets-from", str(tmp_path / "secrets.json"))
    channel(given, "add", "mia", "telegram", "--secrets-from", "-", lines=values)
    [(state, seen, todo)] = doctor(given)
    assert (state, todo) == ("ok", "")
    assert seen == "mia telegram: connected, and its credentials can be read"


def test_at_a_terminal_secrets_are_asked_for_and_not_shown(given: dict[str, str]) -> None:
    values = {"VAULTCRM_CHANNEL_WEBHOOK_SECRET": SECRET}
    process, terminal = pty.fork()
    if process == 0:
        os.execve(COMMAND, [COMMAND, "channel", "add", "mia", "telegram"], given | values)  # noqa: S606
    said, answered = b"", False
    while select([terminal], [], [], PATIENCE_SECONDS)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # a terminal whose other end has closed
            break
        # The blank is written when the terminal shows nothing any more.
        if not answered and b"botToken" in said and said.endswith(b": "):
            os.write(terminal, BOT_TOKEN.encode() + b"\n")
            answered = True
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode()
    assert answered
    assert BOT_TOKEN.encode() not in said
    assert len(stored(given, "SELECT 1 FROM channel_accounts WHERE secret IS NOT NULL")) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mia", "pigeon"), "KIND is none of chatwoot, fanvue, telegram, webhook"),
        (("mia", "telegram", "--set", "wings=2"), "NAME being one of baseUrl"),
        (("mia", "telegram", "--secret", "wings"), "Telegram has no secret named wings"),
        (("mia", "telegram", "--secrets-from", "/nowhere.json"), "cannot be read"),
        (("mia", "telegram"), "Set VAULTCRM_CHANNEL_BOT_TOKEN"),
    ],
)
def test_what_cannot_be_used_is_said_with_what_to_do_instead(
    given: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in channel(given, "add", *arguments, status=2)
    assert stored(given, "SELECT 1 FROM channel_accounts") == []


def test_a_secret_on_the_command_line_is_refused_without_being_repeated(
    given: dict[str, str],
) -> None:
    said = channel(given, "add", "mia", "telegram", "--set", f"botToken={BOT_TOKEN}", status=2)
    assert "VAULTCRM_CHANNEL_BOT_TOKEN" in said


def test_a_malformed_setting_is_named_and_nothing_is_stored(given: dict[str, str]) -> None:
    values = FROM_ENVIRONMENT | {"VAULTCRM_CHANNEL_BOT_TOKEN": "12"}
    assert "settings.botToken" in channel(given | values, "add", "mia", "telegram", status=1)
    assert "no such creator" in channel(
        given | FROM_ENVIRONMENT, "add", "nobody", "telegram", status=1
    )
    assert stored(given, "SELECT 1 FROM channel_accounts") == []


def test_every_kind_says_what_it_needs_and_where_its_secrets_are_looked_for(
    given: dict[str, str],
) -> None:
    said = channel(given, "kinds")
    for part in (
        "telegram: Telegram",
        "botToken (secret, VAULTCRM_CHANNEL_BOT_TOKEN)",
        "inboxId (--set)",
        "targetUrl (--set, may be left out)",
        "expiresAt (secret, VAULTCRM_CHANNEL_EXPIRES_AT)",
    ):
        assert part in said


def test_an_account_is_paused_resumed_and_removed_and_each_is_in_the_audit_log(
    given: dict[str, str],
) -> None:
    channel(given | FROM_ENVIRONMENT, "add", "mia", "telegram")
    channel(given, "pause", "mia", "telegram")
    assert "paused by the vaultcrm command" in channel(given, "list")
    [(state, seen, todo)] = doctor(given)
    assert state == "warning"
    assert "mia telegram: paused, and its messages wait" in seen
    assert "vaultcrm channel resume mia telegram" in todo
    channel(given, "resume", "mia", "telegram")
    assert "paused" not in channel(given, "list")
    channel(given, "remove", "mia", "telegram")
    assert "No account is connected" in channel(given, "list")
    assert doctor(given) == []
    told = stored(
        given,
        "SELECT action, actor_id FROM audit_log WHERE action LIKE 'channel.%' ORDER BY at, id",
    )
    assert told == [
        ("channel.connected", SYSTEM_USER_ID),
        ("channel.paused", SYSTEM_USER_ID),
        ("channel.resumed", SYSTEM_USER_ID),
        ("channel.removed", SYSTEM_USER_ID),
    ]
    assert "no such channel" in channel(given, "resume", "mia", "telegram", status=1)


def test_the_address_for_the_platform_is_printed_alone(given: dict[str, str]) -> None:
    values = given | {"VAULTCRM_BASE_URL": "https://crm.example.com/"}
    done = in_process(values, "channel", "webhook", "mia", "chatwoot")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "https://crm.example.com/api/webhooks/chatwoot/mia\n",
        "",
    )
    assert "set VAULTCRM_BASE_URL" in channel(given, "webhook", "mia", "chatwoot")
    assert "docs/channels/chatwoot.md" in channel(
        given, "webhook", "mia", "chatwoot", "--register", status=2
    )


def test_telegram_is_told_the_address_and_the_secret_when_asked(
    given: dict[str, str], telegram: TelegramStub
) -> None:
    values = given | FROM_ENVIRONMENT | {"VAULTCRM_BASE_URL": "https://crm.example.com"}
    assert "no such channel" in channel(
        values, "webhook", "mia", "telegram", "--register", status=1
    )
    channel(values, "add", "mia", "telegram", "--set", f"baseUrl={telegram.url}")
    channel(values, "webhook", "mia", "telegram", "--register")
    assert telegram.webhook == {
        "url": "https://crm.example.com/api/webhooks/telegram/mia",
        "secret_token": SECRET,
        "allowed_updates": ["message", "purchased_paid_media"],
    }


def test_an_address_that_telegram_refuses_is_said(
    given: dict[str, str], telegram: TelegramStub
) -> None:
    values = given | FROM_ENVIRONMENT | {"VAULTCRM_BASE_URL": "http://crm.example.com"}
    channel(values, "add", "mia", "telegram", "--set", f"baseUrl={telegram.url}")
    said = channel(values, "webhook", "mia", "telegram", "--register", status=1)
    assert "An HTTPS URL must be provided" in said


def test_the_doctor_says_when_the_key_is_another_one_or_gone(
    given: dict[str, str], home: Path
) -> None:
    channel(given | FROM_ENVIRONMENT, "add", "mia", "telegram")
    other = given | {"VAULTCRM_SECRET_KEY": "another key of at least thirty-two characters"}
    [(state, seen, todo)] = doctor(other)
    assert state == "failed"
    assert "cannot be read" in seen
    assert "VAULTCRM_SECRET_KEY" in todo
    (home / "signing.key").unlink()
    [(state, seen, _)] = doctor(given)
    assert state == "failed"
    assert "no key" in seen
    assert not (home / "signing.key").exists()


def test_the_doctor_says_when_an_account_is_not_complete(given: dict[str, str]) -> None:
    channel(given | FROM_ENVIRONMENT, "add", "mia", "telegram")
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        connection.execute('UPDATE channel_accounts SET config = \'{"baseUrl": "nowhere"}\'')
    [(state, seen, todo)] = doctor(given)
    assert state == "failed"
    assert "baseUrl" in seen
    assert "vaultcrm channel add mia telegram" in todo
    with psycopg.connect(given["DATABASE_URL"]) as connection:
        connection.execute("UPDATE channel_accounts SET secret = NULL")
    [(state, seen, _)] = doctor(given)
    assert state == "failed"
    assert "no credentials" in seen


def test_help_names_every_command_and_where_secrets_are_looked_for() -> None:
    done = subprocess.run(
        [COMMAND, "channel", "add", "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    words = " ".join(done.stdout.split())
    for part in (
        "--secrets-from",
        "--send-delay",
        "VAULTCRM_CHANNEL_BOT_TOKEN",
        "never shown again",
    ):
        assert part in words
