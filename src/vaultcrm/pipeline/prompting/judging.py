"""The prompt by which the checker model judges what a message means."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from vaultcrm.domain.drafting import Prompt
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import Finding
from vaultcrm.pipeline.prompting import as_data, environment

JUDGE_PROMPT_VERSION: Final = "2026-11-22.1"
"""Goes up with every change of a template of the judge: judgements of other versions are not kept
to."""

LONGEST_JUDGED = 6_000
"""Characters. A longer text would not be judged whole, so it is not judged at all."""
FAN_CHARACTERS = 1_000
_DOUBT_CHARACTERS = 120
_MOST_DOUBTS = 8


def build_judge_prompt(
    text: str,
    *,
    fan_message: str,
    price: Money | None,
    language: str,
    doubts: Sequence[Finding] = (),
) -> Prompt:
    """The rules, and the text with what matters for its meaning, each fenced as data.

    Only the end of what the fan wrote is shown. `text` has at most `LONGEST_JUDGED` characters.
    """
    turn = (
        environment()
        .get_template("judge_turn.jinja")
        .render(
            text=as_data(text),
            fan_message=as_data(fan_message[-FAN_CHARACTERS:]),
            price="none" if price is None else str(price),
            language=language,
            doubts=[
                (doubt.category.value, as_data(doubt.matched[:_DOUBT_CHARACTERS]))
                for doubt in doubts[:_MOST_DOUBTS]
            ],
        )
    )
    return Prompt(_rules(), turn)


@cache
def _rules() -> str:
    return environment().get_template("judge.jinja").render()
