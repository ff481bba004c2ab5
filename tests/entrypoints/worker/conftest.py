"""The worker is tried with the whole application beside it."""

from tests.support.fixtures import app

__all__ = ["app"]
