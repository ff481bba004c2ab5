"""The console's tests use whole applications, through pages and forms alone where they can."""

from tests.support.fixtures import app, claude, gate, llm, llm_server

__all__ = ["app", "claude", "gate", "llm", "llm_server"]
