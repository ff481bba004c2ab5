"""The drafters under test, built the same way everywhere, and how tests run them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from stubs.llm import LlmStub
from vaultcrm.adapters.llm.anthropic import AnthropicDrafter
from vaultcrm.adapters.llm.openai_compatible import OpenAiCompatibleDrafter
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.domain.drafting import Draft, DraftDelta, Drafter, DraftRequest, Phrase, Prompt
from vaultcrm.domain.generation import GenerationType

T = TypeVar("T")

GOOD_KEY = "test-key-7731"


@dataclass(frozen=True)
class Way:
    """How a drafter is set up for one test."""

    model: str = "claude-sonnet-5-5"
    checker: str = "claude-haiku-5-5"
    api_key: str = GOOD_KEY
    max_retries: int = 1
    timeout_seconds: float = 5.0


def anthropic(stub: LlmStub, way: Way) -> Drafter:
    return AnthropicDrafter(
        api_key=way.api_key,
        model=way.model,
        checker=way.checker,
        base_url=stub.url,
        timeout_seconds=way.timeout_seconds,
        max_retries=way.max_retries,
    )


def openai_compatible(stub: LlmStub, way: Way) -> Drafter:
    return OpenAiCompatibleDrafter(
        base_url=stub.openai_url,
        api_key=way.api_key,
        model=way.model,
        checker=way.checker,
        timeout_seconds=way.timeout_seconds,
        max_retries=way.max_retries,
        first_backoff=0.01,
    )


def retrieval(stub: LlmStub, way: Way) -> Drafter:  # the same shape for all
    return RetrievalDrafter()


Build = Callable[[LlmStub, Way], Drafter]

REPERTOIRE = (
    Phrase("Just back from the gym, and you {fan_name}?", prompted_by="what are you doing today?"),
    Phrase("Aww, you are too sweet!", prompted_by="you look beautiful"),
    Phrase("I slept like a stone, thanks for asking.", prompted_by="did you sleep well?"),
)

REQUEST = DraftRequest(
    prompt=Prompt(system="You write as Mia.", turn="The fan says: what are you doing today?"),
    generation_type=GenerationType.REPLY,
    max_tokens=512,
    candidates=2,
    user_hash="9f2c41",
    fan_message="what are you doing today?",
    fan_name="Tom",
    repertoire=REPERTOIRE,
)

LONG_PREFIX = replace(
    REQUEST, prompt=Prompt(system="You write as Mia. " * 400, turn=REQUEST.prompt.turn)
)


def using(drafter: Drafter, work: Callable[[Drafter], Awaitable[T]]) -> T:
    """What `work` returns; the drafter is closed afterwards, in the same event loop."""

    async def run() -> T:
        try:
            return await work(drafter)
        finally:
            await drafter.aclose()

    return asyncio.run(run())


def draft_with(drafter: Drafter, request: DraftRequest = REQUEST) -> Draft:
    return using(drafter, lambda open_drafter: open_drafter.draft(request))


def stream_with(
    drafter: Drafter, request: DraftRequest = REQUEST
) -> tuple[list[DraftDelta], Draft]:
    """All deltas, and the last item, which must be the draft."""

    async def collect(open_drafter: Drafter) -> list[DraftDelta | Draft]:
        return [item async for item in open_drafter.stream(request)]

    *before, last = using(drafter, collect)
    assert isinstance(last, Draft)
    deltas = [item for item in before if isinstance(item, DraftDelta)]
    assert len(deltas) == len(before), "the draft comes once, at the end"
    return deltas, last
