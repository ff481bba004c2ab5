"""Channels are tried from end to end: HTTP in, worker, HTTP out to a stub of the platform."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stubs.chatwoot import serve_chatwoot_stub
from stubs.fanvue import serve_fanvue_stub
from stubs.llm import LlmStub
from stubs.telegram import serve_telegram_stub
from stubs.webhook import serve_webhook_stub
from tests.entrypoints.channels.platforms import (
    Chatwoot,
    Fanvue,
    Platform,
    Telegram,
    Webhook,
)
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import llm, llm_server, settings, with_claude

__all__ = ["llm", "llm_server"]


@pytest.fixture
async def app(database_url: str, home: Path, llm: LlmStub) -> AsyncIterator[RunningApp]:
    """The application with Claude, which drafts as soon as a fan has written."""
    own = settings(database_url, home, ai_quiet_seconds=0, **with_claude(llm.url))
    async with running_app(own) as running:
        yield running


@contextmanager
def _served(name: str) -> Iterator[Platform]:
    match name:
        case "webhook":
            with serve_webhook_stub() as webhook:
                yield Webhook(webhook)
        case "telegram":
            with serve_telegram_stub() as telegram:
                yield Telegram(telegram)
        case "fanvue":
            with serve_fanvue_stub() as fanvue:
                yield Fanvue(fanvue)
        case _:
            with serve_chatwoot_stub() as chatwoot:
                yield Chatwoot(chatwoot)


@pytest.fixture(params=["webhook", "telegram", "fanvue", "chatwoot"])
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Each platform in turn, played by its stub."""
    with _served(request.param) as platform:
        yield platform


@pytest.fixture(params=["telegram", "fanvue", "chatwoot"])
def keyless(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Each platform that knows no idempotency key."""
    with _served(request.param) as platform:
        yield platform


@pytest.fixture(params=["fanvue", "chatwoot"])
def telling(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Each platform that tells of what is written on the platform itself."""
    with _served(request.param) as platform:
        yield platform


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with serve_webhook_stub() as stub:
        yield Webhook(stub)


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with serve_telegram_stub() as stub:
        yield Telegram(stub)


@pytest.fixture
def fanvue() -> Iterator[Fanvue]:
    with serve_fanvue_stub() as stub:
        yield Fanvue(stub)
