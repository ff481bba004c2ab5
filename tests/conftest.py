"""Fixtures that every test may ask for. The databases are real ones (`tests.support.databases`)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.support.databases import Databases, Run, databases, new_home, new_run

# How long one example takes says nothing about the product, least of all on a busy machine.
settings.register_profile("vaultcrm", settings(), deadline=None)
settings.load_profile("vaultcrm")

_RUN = pytest.StashKey[Run]()
_CLEANUP = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the run makes its folder; pytest-xdist workers are told of it."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    config.stash[_CLEANUP] = ExitStack()
    if "vaultcrm_run" in told:
        folder, template = told["vaultcrm_run"]
        config.stash[_RUN] = Run(Path(folder), template)
    else:
        config.stash[_RUN] = config.stash[_CLEANUP].enter_context(new_run())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    run = node.config.stash[_RUN]
    node.workerinput["vaultcrm_run"] = (str(run.folder), run.template)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Called when all workers have ended."""
    config.stash[_CLEANUP].close()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio, as the product does."""
    return "asyncio"


@pytest.fixture(scope="session")
def database_server(pytestconfig: pytest.Config) -> Iterator[Databases]:
    """The server that the whole run shares, for tests that need several databases."""
    with databases(pytestconfig.stash[_RUN]) as server:
        yield server


@pytest.fixture
def database_url(database_server: Databases) -> Iterator[str]:
    """A database of the test's own, with the newest schema and nothing in it."""
    with database_server.fresh() as url:
        yield url


@pytest.fixture
def empty_database_url(database_server: Databases) -> Iterator[str]:
    """A database of the test's own, without a schema."""
    with database_server.fresh(migrated=False) as url:
        yield url


@pytest.fixture
def home(pytestconfig: pytest.Config) -> Iterator[Path]:
    """An empty VAULTCRM_HOME in a folder that the embedded server's user can reach."""
    with new_home(pytestconfig.stash[_RUN]) as folder:
        yield folder
