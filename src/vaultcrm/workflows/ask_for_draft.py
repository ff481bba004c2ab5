"""Ask the model for a draft: a person's wishes checked, the prompt built, one call made."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace

from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET, nearest_throttle
from vaultcrm.domain.draft_options import (
    LONGEST_BEGINNING,
    LONGEST_HINT,
    NO_OPTIONS,
    DraftOptions,
)
from vaultcrm.domain.drafting import Draft, DraftDelta, Drafter, DraftRequest, Prompt
from vaultcrm.domain.errors import (
    DrafterMisconfigured,
    DrafterUnavailable,
    FieldProblem,
    InvalidInput,
)
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.context import engagement_score, last_fan_text
from vaultcrm.pipeline.prompting import PROMPT_VERSION, build_prompt
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
    version: str = PROMPT_VERSION,
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
        version=version,
    )


async def ask_for_draft(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    prompt: Prompt,
    watcher: Watcher | None,
    options: DraftOptions = NO_OPTIONS,
    stopped: tuple[str, ...] = (),
    model: str = "",
) -> Draft:
    """One call to the model, later near a limit.

    Raises a DrafterError, or AiDisabled when AI is switched off while the model writes.
    """
    situation = call.situation
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
        model=model,
    )
    wait = nearest_throttle(call.limits)
    with parts.running_calls.stoppable(situation.creator, parts.pool, parts.settings):
        if wait:
            await asyncio.sleep(wait)
        try:
            return await _asked(parts.drafter, wanted, watcher)
        except DrafterMisconfigured:
            if not model:
                raise
            # A test's model that does not work keeps nobody from being answered.
            return await _asked(parts.drafter, replace(wanted, model=""), watcher)


async def _asked(drafter: Drafter, wanted: DraftRequest, watcher: Watcher | None) -> Draft:
    if watcher is None:
        return await drafter.draft(wanted)
    return await _watched(drafter, wanted, watcher)


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
