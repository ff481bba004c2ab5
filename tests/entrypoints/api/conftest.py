"""The API's tests use whole applications whose every answer is held to the OpenAPI document."""

import pytest

from tests.entrypoints.api.documented import hold_to_document
from tests.support import fixtures
from tests.support.app import RunningApp
from tests.support.fixtures import gate, llm, llm_server

__all__ = ["app", "claude", "gate", "llm", "llm_server", "plain_app", "plain_claude"]

plain_app = fixtures.app
plain_claude = fixtures.claude


@pytest.fixture
def app(plain_app: RunningApp) -> RunningApp:
    """The application without a model: it drafts from what the creator has said."""
    hold_to_document(plain_app)
    return plain_app


@pytest.fixture
def claude(plain_claude: RunningApp) -> RunningApp:
    """The application with Claude, which `llm` plays."""
    hold_to_document(plain_claude)
    return plain_claude
