"""A model that is asked as before, and counted: how often, for how long, with what result and cost.

With OpenTelemetry set up, each call is a span too, with the attributes that its conventions for
language models have, and no text.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from opentelemetry import trace

from vaultcrm.adapters.llm.calling import ModelDrafter
from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.controls.monitoring.observed import OK, STOPPED, Observed
from vaultcrm.domain.drafting import Draft, DraftDelta, DraftRequest, MessageAnalysis
from vaultcrm.domain.errors import DrafterError
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.judging import Judgement, JudgeRequest

DRAFT: Final = "draft"
JUDGE: Final = "judge"
ANALYSIS: Final = "analysis"
TIMED_OUT: Final = "given-up"
"""The outcome of a call that was not waited for any longer."""

_tracer = trace.get_tracer("vaultcrm")


class MeasuredModel:
    """A `Drafter` and `Judge` that hands everything on to a model and notes how it went."""

    reads_repertoire = False

    def __init__(self, inner: ModelDrafter, observed: Observed) -> None:
        self._inner = inner
        self._observed = observed
        self.name = inner.name
        self.model = inner.model
        self.checker = inner.checker

    async def draft(self, request: DraftRequest) -> Draft:
        with self._measured(request.model or self.model, DRAFT):
            draft = await self._inner.draft(request)
        self._used(draft.model, DRAFT, draft.usage)
        return draft

    async def stream(self, request: DraftRequest) -> AsyncIterator[DraftDelta | Draft]:
        with self._measured(request.model or self.model, DRAFT):
            async with aclosing(self._inner.stream(request)) as items:  # type: ignore[type-var]  # a generator, which the port does not promise
                async for item in items:
                    if isinstance(item, Draft):
                        self._used(item.model, DRAFT, item.usage)
                    yield item

    async def analyze_message(self, text: str, recent: tuple[str, ...] = ()) -> MessageAnalysis:
        with self._measured(self.checker, ANALYSIS):
            analysis = await self._inner.analyze_message(text, recent)
        self._used(analysis.model, ANALYSIS, analysis.usage)
        return analysis

    async def judge(self, request: JudgeRequest) -> Judgement:
        with self._measured(self.checker, JUDGE):
            judgement = await self._inner.judge(request)
        self._used(judgement.model, JUDGE, judgement.usage)
        return judgement

    async def aclose(self) -> None:
        await self._inner.aclose()

    @contextmanager
    def _measured(self, model: str, purpose: str) -> Iterator[None]:
        began = time.perf_counter()
        outcome = TIMED_OUT
        with _tracer.start_as_current_span(
            f"chat {model}",
            kind=trace.SpanKind.CLIENT,
            attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": model},
            # An error's words may quote what was sent.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
                outcome = OK
            except GeneratorExit:
                # Whoever listened has enough: the model has answered.
                outcome = OK
                raise
            except DrafterError as error:
                outcome = error.slug
                raise
            except asyncio.CancelledError as cancelled:
                outcome = STOPPED if STOPPED in cancelled.args else TIMED_OUT
                raise
            finally:
                if outcome not in {OK, STOPPED}:
                    span.set_attribute("error.type", outcome)
                    span.set_status(trace.StatusCode.ERROR)
                seconds = time.perf_counter() - began
                self._observed.model_call(model, purpose, outcome, seconds)

    def _used(self, model: str, purpose: str, usage: TokenUsage) -> None:
        self._observed.model_usage(
            model,
            purpose,
            {
                "input": usage.input + usage.cache_write,
                "output": usage.output,
                "cached": usage.cache_read,
            },
            cost_micro_usd(find_model(model), usage),
        )
