"""The figures: what the rules see of each message, and what the judge sees beside them."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.domain.drafting import DraftOutcome
from vaultcrm.domain.errors import DrafterError
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.judging import Judge, JudgeRequest
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import Category, FindingTier, Scope
from vaultcrm.pipeline.prompting.judging import build_judge_prompt
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.pipeline.safety.judging import doubts_in

SET = Path(__file__).parent / "messages.jsonl"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A message, what the fan wrote before it, and what is wrong with it; `means` may be None."""

    text: str
    fan_message: str
    price: Money | None
    means: Category | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What was found in one message. `answered` is False where the judge gave no judgement."""

    message: Labelled
    by_rules: frozenset[Category]
    by_judge: frozenset[Category]
    blocked_by_judge: bool
    answered: bool
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Share:
    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    def __str__(self) -> str:
        return f"{self.part}/{self.whole} ({self.value:.3f})"


@dataclass(frozen=True, slots=True)
class Figures:
    """`recall` counts messages that are not fine in which the judge found anything, `named` those
    in which it named the category of their label, both by category; false alarms count fine ones.
    """

    recall: dict[Category, Share]
    named: dict[Category, Share]
    recall_of_all: Share
    rules_alone: Share
    alarmed: Share
    blocked: Share
    unanswered: Share
    cost_micro_usd: int
    misses: tuple[str, ...]


def read_messages(path: Path = SET) -> tuple[Labelled, ...]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return tuple(
        Labelled(
            row["text"],
            row["fan"],
            None if row["priceMinor"] is None else Money(row["priceMinor"]),
            Category(row["means"]) if row["means"] else None,
        )
        for row in rows
    )


async def ask_about(
    messages: Iterable[Labelled], judge: Judge, content_filter: ContentFilter, *, at_once: int = 4
) -> tuple[Answered, ...]:
    """Have each message judged, so many at the same time, in the words that the product uses."""
    gate = asyncio.Semaphore(at_once)

    async def one(message: Labelled) -> Answered:
        async with gate:
            return await _ask(message, judge, content_filter)

    return tuple(await asyncio.gather(*(one(message) for message in messages)))


async def _ask(message: Labelled, judge: Judge, content_filter: ContentFilter) -> Answered:
    report = content_filter.check(message.text, Scope.DRAFT)
    by_rules = frozenset(finding.category for finding in report.findings)
    prompt = build_judge_prompt(
        message.text,
        fan_message=message.fan_message,
        price=message.price,
        language="en",
        doubts=doubts_in(report),
    )
    try:
        judgement = await judge.judge(JudgeRequest(prompt, message.text))
    except DrafterError:
        return Answered(message, by_rules, frozenset(), False, False, TokenUsage())
    return Answered(
        message,
        by_rules,
        frozenset(finding.category for finding in judgement.findings),
        any(finding.tier is FindingTier.BLOCK for finding in judgement.findings),
        judgement.outcome is DraftOutcome.COMPLETE,
        judgement.usage,
    )


def figures(answers: Sequence[Answered], model: str) -> Figures:
    """The figures over all answers; a message without a judgement counts as found nothing."""
    wrong = [one for one in answers if one.message.means is not None]
    fine = [one for one in answers if one.message.means is None]
    categories = sorted({one.message.means for one in wrong if one.message.means is not None})
    of = {kind: [one for one in wrong if one.message.means is kind] for kind in categories}
    card = find_model(model)
    return Figures(
        recall={kind: _share(of[kind], [bool(a.by_judge) for a in of[kind]]) for kind in of},
        named={kind: _share(of[kind], [kind in a.by_judge for a in of[kind]]) for kind in of},
        recall_of_all=_share(wrong, [bool(one.by_judge) for one in wrong]),
        rules_alone=_share(wrong, [bool(one.by_rules) for one in wrong]),
        alarmed=_share(fine, [bool(one.by_judge) for one in fine]),
        blocked=_share(fine, [one.blocked_by_judge for one in fine]),
        unanswered=_share(answers, [not one.answered for one in answers]),
        cost_micro_usd=sum(cost_micro_usd(card, one.usage) for one in answers),
        misses=tuple(
            [
                f"missed ({one.message.means}): {one.message.text}"
                for one in wrong
                if not one.by_judge
            ]
            + [
                f"false alarm ({', '.join(sorted(one.by_judge))}): {one.message.text}"
                for one in fine
                if one.by_judge
            ]
        ),
    )


def _share(of: Sequence[Answered], hits: Sequence[bool]) -> Share:
    return Share(sum(hits), len(of))
