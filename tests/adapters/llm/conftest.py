"""One stub server for all tests of a worker, clean for each."""

from collections.abc import Iterator

import pytest

from stubs.llm import LlmStub, serve_llm_stub


@pytest.fixture(scope="session")
def running_stub() -> Iterator[LlmStub]:
    with serve_llm_stub() as stub:
        yield stub


@pytest.fixture
def stub(running_stub: LlmStub) -> LlmStub:
    running_stub.reset()
    return running_stub
