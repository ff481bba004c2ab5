"""Workflows are tried with the whole application around them."""

from tests.support.fixtures import app, claude, gate, llm, llm_server

__all__ = ["app", "claude", "gate", "llm", "llm_server"]
