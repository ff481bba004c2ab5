"""The prompt that has a fan's message analysed by the checker model."""

import re
from functools import cache
from importlib import resources

from vaultcrm.domain.drafting import Prompt

ANALYSIS_MAX_TOKENS = 200
"""An analysis is some forty tokens; the rest is room for a model that is wordy about it."""

_EARLIER_MESSAGES = 6
_EARLIER_CHARACTERS = 500

# A tag needs "<" and then, soon, a letter. "<3" and "< 5" are left alone: fans write hearts.
_TAG_START = re.compile(r"[<＜](?=[^\w<]{0,8}[^\W\d])")


def neutralise(text: str) -> str:
    """The text with every "<" escaped that could open or close a fence."""
    return _TAG_START.sub("&lt;", text)


@cache
def _rules() -> str:
    folder = resources.files("vaultcrm.adapters.llm").joinpath("prompts")
    return folder.joinpath("analyze_message.txt").read_text("utf-8")


def analysis_prompt(text: str, recent: tuple[str, ...]) -> Prompt:
    """The rules, and the fan's message with the last few of `recent` (oldest first) as data."""
    earlier = [
        f"<earlier_message>\n{neutralise(message[:_EARLIER_CHARACTERS])}\n</earlier_message>\n"
        for message in recent[-_EARLIER_MESSAGES:]
    ]
    message = f"<fan_message>\n{neutralise(text)}\n</fan_message>"
    return Prompt(system=_rules(), turn=f"{''.join(earlier)}{message}")
