"""Fixtures of tests that run the whole application; a conftest takes what it needs from here."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from stubs.llm import LlmStub, serve_llm_stub
from tests.support.app import RunningApp, running_app
from tests.support.gate import Gate, open_gate
from vaultcrm.settings import Settings


def settings(database_url: str, home: Path, **changes: Any) -> Settings:
    """Settings of a process with the retrieval drafter, whatever the environment holds."""
    values: dict[str, Any] = {
        "vaultcrm_home": home,
        "database_url": database_url,
        "anthropic_api_key": None,
        "openai_base_url": None,
        # A test that counts round trips is not to count those of the process itself.
        "observe_every_seconds": 3600,
        # What leaves by itself is not to hang on a lot; who tests the lot says how much is drawn.
        "ai_auto_send_sample": 0,
    }
    return Settings(**(values | changes))


def with_claude(url: str) -> dict[str, Any]:
    """The settings that lead to a stub of Claude; a call that fails is not made again."""
    return {"anthropic_api_key": "key", "anthropic_base_url": url, "ai_max_retries": 0}


@pytest.fixture(scope="session")
def llm_server() -> Iterator[LlmStub]:
    """The stub that the tests of one process share."""
    with serve_llm_stub() as stub:
        yield stub


@pytest.fixture
def llm(llm_server: LlmStub) -> LlmStub:
    """A stub of Claude that remembers nothing of other tests."""
    llm_server.reset()
    return llm_server


@pytest.fixture
async def app(database_url: str, home: Path) -> AsyncIterator[RunningApp]:
    """The application without a model: it drafts from what the creator has said."""
    async with running_app(settings(database_url, home)) as running:
        yield running


@pytest.fixture
async def gate(llm: LlmStub) -> AsyncIterator[Gate]:
    """The way to `llm`, which a test may shut for a while."""
    async with open_gate(llm.url) as opened:
        yield opened


@pytest.fixture
async def claude(database_url: str, home: Path, gate: Gate) -> AsyncIterator[RunningApp]:
    """The application with Claude, which `llm` plays behind the `gate`."""
    async with running_app(settings(database_url, home, **with_claude(gate.url))) as running:
        yield running
