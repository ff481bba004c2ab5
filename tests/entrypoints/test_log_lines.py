"""The log as JSON: what stands in a line, and what never does."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import conversation, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.log_lines import log_as_set
from vaultcrm.entrypoints.logs import keep_texts_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Logging of this process is as it was when the test ends."""
    root, ours = logging.getLogger(), logging.getLogger("vaultcrm")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    factory = logging.getLogRecordFactory()
    yield
    root.handlers[:], root.level, ours.level = handlers, level, our_level
    root.setLevel(level)
    ours.setLevel(our_level)
    logging.setLogRecordFactory(factory)


@pytest.fixture
async def logged(database_url: str, home: Path, kept_logging: None) -> Any:
    """An application that logs JSON, and where its lines go."""
    stream = io.StringIO()
    own = settings(database_url, home, vaultcrm_log_format="json")
    keep_texts_out()
    assert log_as_set(own, stream)
    async with running_app(own) as app:
        yield app, stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_each_request_is_one_line_with_its_route_status_time_and_id(
    logged: tuple[RunningApp, io.StringIO],
) -> None:
    app, stream = logged
    admin = await sign_in(app, Role.ADMIN)
    stream.truncate(0)
    stream.seek(0)
    nowhere = "01890a5d-ac96-774b-bcce-b302099a8057"
    await admin.app.client.get(
        f"/api/conversations/{nowhere}/messages",
        headers={**admin.headers, "X-Request-Id": "crm-1"},
    )
    [line] = [line for line in lines(stream) if line["logger"] == "vaultcrm.access"]
    assert line["route"] == "/api/conversations/{conversation_id}/messages"
    assert (line["method"], line["status"], line["requestId"]) == ("GET", 404, "crm-1")
    assert line["ms"] >= 0
    assert {"time", "level", "message", "process"} <= line.keys()


async def test_no_line_holds_a_text_a_key_or_who_somebody_is(
    logged: tuple[RunningApp, io.StringIO],
) -> None:
    app, stream = logged
    admin = await sign_in(app, Role.ADMIN, name="Adalbert")
    talk = await conversation(admin, fan="secretfan", said=["my words are mine"])
    await admin.get("/api/fans", q="secretfan")
    await admin.made("/api/ai/generate", talk.asks())
    try:
        raise ValueError("my words are mine")
    except ValueError:
        logging.getLogger("vaultcrm").exception("It failed: write to tom@example.com")
    text = stream.getvalue()
    for private in ("secretfan", "Adalbert", "my words", admin.token, "tom@example.com"):
        assert private not in text
    [failure] = [line for line in lines(stream) if line["level"] == "error"]
    assert "ValueError" in failure["error"]


async def test_text_is_the_default_and_changes_nothing(
    database_url: str, home: Path, kept_logging: None
) -> None:
    before = logging.getLogger().handlers[:]
    assert log_as_set(settings(database_url, home)) is False
    assert logging.getLogger().handlers == before
