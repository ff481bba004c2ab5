"""`python -m evals.judge [--misses]`: the judge's figures as a table; exits 2 if it was not run."""

import argparse
import asyncio
import sys

from evals.judge.measure import Answered, Figures, ask_about, figures, read_messages
from vaultcrm.adapters.llm.factory import build_drafter
from vaultcrm.pipeline.prompting.judging import JUDGE_PROMPT_VERSION
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.settings import Settings, load_settings

NOT_RUN = (
    "The judge was not evaluated: no model is configured. Set ANTHROPIC_API_KEY or "
    "OPENAI_BASE_URL, and AI_MODEL_CHECKER for the model that judges."
)


def table(found: Figures, model: str) -> str:
    """The figures of one run, a line a category."""
    lines = [
        f"judge {model}, prompt {JUDGE_PROMPT_VERSION}",
        f"{'category':24}{'found':>16}{'category named':>18}",
        *(
            f"{kind.value:24}{found.recall[kind]!s:>16}{found.named[kind]!s:>18}"
            for kind in found.recall
        ),
        f"{'all':24}{found.recall_of_all!s:>16}",
        f"found by rules alone: {found.rules_alone}",
        f"false alarms on fine messages: {found.alarmed}, of them blocking: {found.blocked}",
        f"without a judgement: {found.unanswered}",
        f"cost: ${found.cost_micro_usd / 1_000_000:.4f}",
    ]
    return "\n".join(lines)


async def run(settings: Settings) -> tuple[Answered, ...]:
    """What the configured checker model says of every message."""
    drafter = build_drafter(settings)
    try:
        return await ask_about(read_messages(), drafter, ContentFilter.load())
    finally:
        await drafter.aclose()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m evals.judge", description="Evaluate the judge."
    )
    parser.add_argument("--misses", action="store_true", help="every miss and false alarm")
    options = parser.parse_args(arguments)
    settings = load_settings()
    if settings.drafter == "retrieval":
        print(NOT_RUN)
        return 2
    model = settings.ai_model_checker
    found = figures(asyncio.run(run(settings)), model)
    print(table(found, model))
    if options.misses:
        print("\n".join(found.misses))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
