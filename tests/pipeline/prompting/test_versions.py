"""The versions of the prompt that can be tried against each other, as they read."""

import pytest

from tests.pipeline.prompting.test_prompting import RICH, build, stored
from tests.pipeline.situations import CREATOR, NOW, VOICE
from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET
from vaultcrm.domain.generation import GenerationType
from vaultcrm.pipeline.prompting import (
    PROMPT_VERSION,
    PROMPT_VERSIONS,
    build_prompt,
    render_system,
)

OTHERS = [version for version in PROMPT_VERSIONS if version != PROMPT_VERSION]


@pytest.mark.parametrize("version", OTHERS)
def test_another_version_of_the_prompt_reads_as_stored(version: str) -> None:
    """UPDATE_RENDERINGS=1 stores what is rendered now."""
    text = render_system(CREATOR, VOICE, version)
    assert text == stored(f"system_rich_{version}", text)
    assert text != render_system(CREATOR, VOICE)


def test_there_are_two_versions_at_least_and_the_one_in_use_is_the_first() -> None:
    assert OTHERS
    assert next(iter(PROMPT_VERSIONS)) == PROMPT_VERSION


def test_versions_keep_every_rule_of_what_a_message_must_never_do() -> None:
    def forbidden(system: str) -> str:
        return system.split("# What a message must never do")[1]

    first = forbidden(render_system(CREATOR, VOICE))
    assert all(forbidden(render_system(CREATOR, VOICE, one)) == first for one in OTHERS)


def test_a_prompt_is_built_in_the_version_that_is_asked_for() -> None:
    [other, *_] = OTHERS
    built = build_prompt(
        RICH, VOICE, GenerationType.REPLY, engagement=55, candidates=2,
        token_budget=PROMPT_TOKEN_BUDGET, now=NOW, version=other,
    )  # fmt: skip
    assert built.system == render_system(RICH.creator, VOICE, other)
    assert built.user_turn == build(RICH).user_turn
