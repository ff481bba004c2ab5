"""The evaluation of the judge: its set is balanced, and it counts what a model answers."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.judge.__main__ import NOT_RUN, table
from evals.judge.measure import Answered, Labelled, ask_about, figures, read_messages
from stubs.llm import Fail, LlmStub, Reply, serve_llm_stub
from vaultcrm.adapters.llm.anthropic import AnthropicDrafter
from vaultcrm.domain.judging import JUDGED
from vaultcrm.domain.safety import Category, Scope
from vaultcrm.pipeline.safety.filter import ContentFilter

MODEL = "claude-haiku-5-5"


@pytest.fixture(scope="module")
def stub() -> Iterator[LlmStub]:
    with serve_llm_stub() as serving:
        yield serving


def asked(stub: LlmStub, *messages: Labelled) -> tuple[Answered, ...]:
    async def run() -> tuple[Answered, ...]:
        judge = AnthropicDrafter(
            api_key="key", model=MODEL, checker=MODEL, base_url=stub.url, max_retries=0
        )
        try:
            return await ask_about(messages, judge, ContentFilter.load(), at_once=1)
        finally:
            await judge.aclose()

    return asyncio.run(run())


def test_the_set_has_at_least_120_different_messages_of_which_half_are_fine() -> None:
    messages = read_messages()
    assert len({message.text for message in messages}) == len(messages) >= 120
    fine = sum(message.means is None for message in messages)
    assert 0.45 <= fine / len(messages) <= 0.55
    kinds = Counter(message.means for message in messages if message.means is not None)
    assert set(kinds) <= set(JUDGED)
    assert set(JUDGED) - set(kinds) <= {Category.EXPLICIT}
    assert min(kinds.values()) >= 3


def test_rules_alone_see_little_of_what_is_meant() -> None:
    rules = ContentFilter.load()
    wrong = [message for message in read_messages() if message.means is not None]
    seen = sum(rules.check(message.text, Scope.DRAFT).verdict != "allow" for message in wrong)
    assert seen < len(wrong) / 2


def test_what_the_model_finds_misses_and_cannot_judge_is_counted(stub: LlmStub) -> None:
    pressing = Labelled("Decide before my coffee is cold.", "hm", None, Category.PRESSURE)
    missed = Labelled("Nobody but me types here.", "a bot?", None, Category.DECEPTION)
    fine = Labelled("Sleep well!", "good night", None, None)
    alarming = Labelled("What a lovely dog!", "my dog", None, None)
    lost = Labelled("See you tomorrow on here.", "bye", None, None)

    def finds(category: str, tier: str) -> Reply:
        finding = {"category": category, "tier": tier, "quote": "", "reason": "x"}
        return Reply(judgement={"findings": [finding], "cleared": []})

    stub.script_judge(
        [finds("pressure", "review"), Reply(), Reply(), finds("minors", "block"), Fail(500)]
    )
    answers = asked(stub, pressing, missed, fine, alarming, lost)
    found = figures(answers, MODEL)
    assert (found.recall_of_all.part, found.recall_of_all.whole) == (1, 2)
    assert found.named[Category.PRESSURE].value == 1
    assert found.recall[Category.DECEPTION].value == 0
    assert (found.alarmed.part, found.blocked.part, found.alarmed.whole) == (1, 1, 3)
    assert (found.unanswered.part, found.unanswered.whole) == (1, 5)
    assert found.cost_micro_usd > 0
    assert [miss.split(" (")[0] for miss in found.misses] == ["missed", "false alarm"]
    shown = table(found, MODEL)
    assert "1/2 (0.500)" in shown
    assert MODEL in shown


def test_without_a_model_the_command_says_that_nothing_was_evaluated(home: Path) -> None:
    outside = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANTHROPIC_", "OPENAI_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "evals.judge"],
        env={**outside, "VAULTCRM_HOME": str(home)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (2, NOT_RUN)
