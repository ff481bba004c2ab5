"""What tests of commands share."""

import secrets
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.databases import Databases


@pytest.fixture
def as_powerless(database_server: Databases) -> Iterator[Callable[[str], str]]:
    """Makes of a database's URL one that connects as a user who may make no tables."""
    role = f"powerless_{secrets.token_hex(4)}"
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {}").format(Identifier(role)))
        try:
            yield lambda url: f"{url}{'&' if '?' in url else '?'}options=-crole%3D{role}"
        finally:
            connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))
