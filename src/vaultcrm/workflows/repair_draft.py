"""Draft once more what was stopped, with what was found as feedback.

There is one repair and no more. Both attempts count against the limits and in what the generation
cost; the stopped one is kept with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from vaultcrm.domain.drafting import Prompt
from vaultcrm.domain.errors import DrafterError, LimitExceeded
from vaultcrm.domain.generation import Attempt
from vaultcrm.domain.safety import Verdict
from vaultcrm.pipeline.prompting import prompt_tokens
from vaultcrm.pipeline.prompting.repair import build_repair_prompt
from vaultcrm.workflows.drafted import CANDIDATES, Drafted
from vaultcrm.workflows.open_call import OpenCall, Spent
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import reservation_for
from vaultcrm.workflows.reserve_more import reserve_more

NOT_MADE = "It was stopped, and a second attempt could not be made."
NO_TEXT = "It was stopped, and a second attempt gave no usable text."

DraftAgain = Callable[[Prompt, tuple[str, ...]], Awaitable[Drafted]]
"""Drafts by a prompt; texts that were stopped are not suggested again."""


async def repair_draft(
    parts: Parts,
    call: OpenCall,
    spent: Spent,
    prompt: Prompt,
    first: Drafted,
    draft_again: DraftAgain,
) -> Drafted:
    """The second attempt at a draft that was stopped; any other draft as it is.

    The first one's verdict stands, with a note, when the tokens for a second cannot be reserved,
    and when the model fails or gives no text.
    """
    chosen = first.chosen
    if chosen.message is None or chosen.safety.verdict is not Verdict.BLOCK:
        return first
    again = build_repair_prompt(prompt, chosen.safety.findings, candidates=CANDIDATES)
    if not await _reserve(parts, call, spent, again, first.draft.model):
        return first.noted(NOT_MADE)
    try:
        second = await draft_again(again, (chosen.message, *chosen.alternatives))
    except DrafterError:
        return first.noted(NOT_MADE)
    used = first.draft.usage + second.draft.usage
    if second.chosen.message is None:
        return replace(first, draft=replace(first.draft, usage=used)).noted(NO_TEXT)
    return replace(
        second,
        draft=replace(second.draft, usage=used),
        attempts=(Attempt(chosen.message, chosen.safety),),
    )


async def _reserve(parts: Parts, call: OpenCall, spent: Spent, prompt: Prompt, model: str) -> bool:
    """Reserve what the second attempt may use at most; False when a limit refuses."""
    if parts.drafter.reads_repertoire:
        return True
    reservation = reservation_for(
        parts,
        model,
        prompt_tokens(prompt),
        call.flags.max_tokens_per_message,
        parts.now(),
    )
    try:
        await reserve_more(parts, call, spent, reservation)
    except LimitExceeded:
        return False
    return True
