"""Ask the model for a draft: a person's wishes checked, the prompt built, one call made."""

import asyncio
import hashlib
from collections.abc import Callable

from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET, throttle_seconds
from vaultcrm.domain.draft_options import (
    LONGEST_BEGINNING,
    LONGEST_HINT,
    NO_OPTIONS,
    DraftOptions,
)
from vaultcrm.domain.drafting import Draft, DraftDelta, Drafter, DraftRequest, Prompt
from vaultcrm.domain.errors import DrafterUnavailable, FieldProblem, InvalidInput
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.context import engagement_score, last_fan_text
from vaultcrm.pipeline.prompting import build_prompt
from vaultcrm.workflows.drafted import CANDIDATES
from vaultcrm.workflows.open_call import OpenCall
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.redaction import for_model

Watcher = Callable[[str], None]
"""Is told the first candidate's text as far as it is written: not checked yet, perhaps not chosen.
"""


def check_options(
    parts: Parts, situation: Situation, voice: Personality, options: DraftOptions
) -> None:
    """A model is not asked for what the filter would stop in a person's own message.

    Raises InvalidInput naming the option, and how it is too long or what was found in it.
    """
    for field, text, longest in (
        ("hint", options.hint, LONGEST_HINT),
        ("beginFrom", options.begin_from, LONGEST_BEGINNING),
    ):
        if not text:
            continue
        if len(text) > longest:
            raise InvalidInput(
                FieldProblem(f"options.{field}", f"must have at most {longest:,} characters")
            )
        report = parts.content_filter.check(
            text,
            Scope.CHATTER,
            forbidden_words=voice.forbidden_words,
            region=situation.creator.region,
            own_rules=situation.own_rules,
        )
        if report.verdict is Verdict.BLOCK:
            raise InvalidInput(
                *(
                    FieldProblem(f"options.{field}", f"“{finding.matched}”: {finding.reason}")
                    for finding in report.findings
                )
            )


def prompt_for(
    parts: Parts,
    situation: Situation,
    voice: Personality,
    generation_type: GenerationType,
    options: DraftOptions = NO_OPTIONS,
) -> Prompt:
    now = parts.now()
    return build_prompt(
        for_model(situation),
        voice,
        generation_type,
        engagement=engagement_score(situation.activity, now),
        candidates=CANDIDATES,
        token_budget=PROMPT_TOKEN_BUDGET,
        now=now,
        options=options,
    )


async def ask_for_draft(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    prompt: Prompt,
    watcher: Watcher | None,
    options: DraftOptions = NO_OPTIONS,
    stopped: tuple[str, ...] = (),
) -> Draft:
    """One call to the model, later when the day's tokens run low."""
    situation = call.situation
    wait = throttle_seconds(call.tokens_used_today, call.flags.max_tokens_per_day)
    if wait:
        await asyncio.sleep(wait)
    wanted = DraftRequest(
        prompt=prompt,
        generation_type=generation_type,
        max_tokens=call.flags.max_tokens_per_message,
        candidates=CANDIDATES,
        user_hash=hashlib.sha256(situation.fan.id.bytes).hexdigest()[:32],
        fan_message=last_fan_text(situation),
        fan_name=situation.fan.display_name,
        repertoire=situation.repertoire,
        options=options,
        stopped=stopped,
    )
    if watcher is None:
        return await parts.drafter.draft(wanted)
    return await _watched(parts.drafter, wanted, watcher)


async def _watched(drafter: Drafter, wanted: DraftRequest, watcher: Watcher) -> Draft:
    """The draft at the end of its stream, which the watcher is told of."""
    draft = None
    async for item in drafter.stream(wanted):
        if isinstance(item, DraftDelta):
            watcher(item.text)
        else:
            draft = item
    if draft is None:
        raise DrafterUnavailable("The model's answer ended before it was complete. Try again.")
    return draft
