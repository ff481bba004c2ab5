"""Tests of workflows use whole applications; their fixtures are shared with the API's tests."""

from tests.support.fixtures import app, claude, gate, llm, llm_server

__all__ = ["app", "claude", "gate", "llm", "llm_server"]
