"""What all model providers share: a call in no provider's words, and the drafter built on it.

A provider says how to ask (`_ask`) and how to read an answer while it is written (`_read_stream`).
Everything else is the same for all: the prompt's last sentence, the repair, the outcome.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from vaultcrm.adapters.llm.answers import (
    analysis_schema,
    ask_for_candidates,
    draft_schema,
    judge_schema,
    message_so_far,
    read_analysis,
    read_candidates,
    read_judgement,
)
from vaultcrm.adapters.llm.checking import ANALYSIS_MAX_TOKENS, analysis_prompt
from vaultcrm.adapters.llm.repair import Answer, Ending, Repair, draft_of, settle
from vaultcrm.domain.drafting import Draft, DraftDelta, DraftRequest, MessageAnalysis, Prompt
from vaultcrm.domain.errors import DrafterUnavailable
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.judging import Judgement, JudgeRequest

JUDGE_MAX_TOKENS = 700
"""A judgement without findings is some twenty tokens, a finding with its quote some sixty."""

VARIETY_TEMPERATURE = 0.75
"""For models that still take a temperature: the middle of the specification's 0.7 to 0.8."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a model. `varied`: a model that takes a temperature gets one."""

    model: str
    prompt: Prompt
    schema: dict[str, Any]
    max_tokens: int
    user_hash: str = ""
    varied: bool = False
    repair: Repair | None = None

    def turns(self, content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The turns after the system prompt, as both APIs write them; `content` is the prompt's."""
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self.repair is not None:
            turns.append({"role": "assistant", "content": self.repair.answer})
            turns.append({"role": "user", "content": self.repair.complaint})
        return turns


@dataclass(slots=True)
class Reading:
    """A streamed answer as far as it has come."""

    text: str = ""
    usage: TokenUsage = field(default_factory=TokenUsage)
    ending: Ending = Ending.FINISHED
    finished: bool = False

    def answer(self) -> Answer:
        return Answer(self.text, self.ending, self.usage)


class BrokenStream(Exception):  # handled below, never seen by callers
    """A stream ended, or said so itself, before its answer was complete."""


class ModelDrafter(ABC):
    """A `Drafter` that asks a model. Every method raises `DrafterError`."""

    name: str
    reads_repertoire = False

    def __init__(self, model: str, checker: str) -> None:
        self.model = model
        self.checker = checker

    @abstractmethod
    async def _ask(self, call: Call) -> Answer:
        """One whole answer, after all retries. Raises `DrafterError`."""

    @abstractmethod
    def _read_stream(self, call: Call, reading: Reading) -> AsyncGenerator[None, None]:
        """Fill `reading`, yielding each time its text grew. Raises `DrafterError` as long as
        nothing came, and `BrokenStream` after that."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give connections back."""

    async def draft(self, request: DraftRequest) -> Draft:
        """One draft, complete."""
        call = self._drafting(request)
        return await self._settle(request, call, await self._ask(call))

    async def stream(self, request: DraftRequest) -> AsyncIterator[DraftDelta | Draft]:
        """One draft as it is written.

        A stream that breaks after it began is replaced by a plain call, whose usage is added to
        what the broken one had reported.
        """
        call = self._drafting(request)
        reading = Reading()
        told = ""
        try:
            async with aclosing(self._read_stream(call, reading)) as growth:
                async for _ in growth:
                    message = message_so_far(reading.text)
                    if len(message) > len(told):
                        told = message
                        yield DraftDelta(message)
            answer = reading.answer()
        except BrokenStream:
            whole = await self._ask(call)
            answer = replace(whole, usage=reading.usage + whole.usage)
        yield await self._settle(request, call, answer)

    async def analyze_message(self, text: str, recent: tuple[str, ...] = ()) -> MessageAnalysis:
        """The checker model's reading of a fan's message; `recent` has earlier ones, oldest first.

        Raises `DrafterUnavailable` when the model refuses or gives no usable answer: the caller
        must not take that for "all is well".
        """
        call = Call(
            model=self.checker,
            prompt=analysis_prompt(text, recent),
            schema=analysis_schema(),
            max_tokens=ANALYSIS_MAX_TOKENS,
        )
        settled = await settle(
            await self._ask(call),
            read_analysis,
            lambda repair: self._ask(replace(call, repair=repair)),
        )
        if settled.value is None:
            raise DrafterUnavailable(
                f"The checker model {self.checker} gave no usable analysis. "
                "Treat the message as one that a person must read."
            )
        seen = settled.value
        return MessageAnalysis(
            sentiment=seen.sentiment,
            intent=seen.intent,
            distress=seen.distress,
            possible_minor=seen.possible_minor,
            language=seen.language,
            usage=settled.usage,
            model=self.checker,
        )

    async def judge(self, request: JudgeRequest) -> Judgement:
        """The checker model's judgement of a text.

        A refusal, or an answer that cannot be used even after one repair, comes back as that
        outcome with its usage: it is no judgement, and it is paid for all the same.
        """
        call = Call(
            model=self.checker,
            prompt=request.prompt,
            schema=judge_schema(),
            max_tokens=JUDGE_MAX_TOKENS,
            user_hash=request.user_hash,
        )
        settled = await settle(
            await self._ask(call),
            read_judgement,
            lambda repair: self._ask(replace(call, repair=repair)),
        )
        seen = settled.value
        return Judgement(
            outcome=settled.outcome,
            findings=() if seen is None else seen.findings,
            cleared=frozenset() if seen is None else seen.cleared,
            usage=settled.usage,
            model=self.checker,
        )

    def _drafting(self, request: DraftRequest) -> Call:
        turn = f"{request.prompt.turn}\n\n{ask_for_candidates(request.candidates)}"
        return Call(
            model=request.model or self.model,
            prompt=replace(request.prompt, turn=turn),
            schema=draft_schema(request.candidates),
            max_tokens=request.max_tokens,
            user_hash=request.user_hash,
            varied=True,
        )

    async def _settle(self, request: DraftRequest, call: Call, first: Answer) -> Draft:
        settled = await settle(
            first,
            lambda text: read_candidates(text, request.candidates),
            lambda repair: self._ask(replace(call, repair=repair)),
        )
        return draft_of(settled, call.model)
