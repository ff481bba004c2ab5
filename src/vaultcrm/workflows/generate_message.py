"""Draft a message: one round trip to open, one call to the model, one transaction to save."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.adapters.llm.catalog import cost_micro_usd
from vaultcrm.domain.approval import Decision
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.drafting import Draft, Prompt
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Credential
from vaultcrm.pipeline.approval import priority
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.prompting import PROMPT_VERSION
from vaultcrm.workflows.ask_for_draft import Watcher, ask_for_draft, check_options, prompt_for
from vaultcrm.workflows.assess_draft import NOT_ASKED_FOR, Matter, assess_draft, care_in
from vaultcrm.workflows.drafted import Drafted
from vaultcrm.workflows.open_call import OpenCall, open_call, spending
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.repair_draft import repair_draft
from vaultcrm.workflows.save_generation import save_generation


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What is asked for. `fan_id` may be None where the conversation alone says whose it is.

    `options` are a person's wishes; the content filter has to allow their words.
    `fan_was_read` is False when the checker model should have looked at the fan's message and could
    not; then a person decides.
    """

    creator_id: UUID
    conversation_id: UUID
    generation_type: GenerationType
    fan_id: UUID | None = None
    chatter_id: UUID | None = None
    fan_was_read: bool = True
    options: DraftOptions = NO_OPTIONS


async def generate_message(
    parts: Parts,
    credential: Credential,
    request: GenerateRequest,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[GenerationRecord], str] | None = None,
    watcher: Watcher | None = None,
) -> GenerationRecord:
    """Draft a message, check it, decide what happens to it, and save all of that.

    Raises Unauthenticated, Forbidden, NotFound, AiDisabled, LimitExceeded or a DrafterError; in
    each case what was reserved is given back. A draft that the filter stops is no error: it comes
    back `rejected` with the findings. With a `receipt`, the answer as `encode` writes it is stored
    in the same transaction. With a `watcher` the draft is asked for as a stream.
    """
    call = await open_call(
        parts,
        credential,
        creator_id=request.creator_id,
        conversation_id=request.conversation_id,
        fan_id=request.fan_id,
        chatter_id=request.chatter_id,
        sells=request.generation_type.sells,
    )
    async with spending(parts, call) as spent:
        voice = personality_or_default(call.situation.personality, request.creator_id)
        care = care_in(parts, call.situation)
        matter = Matter(new_id(), request.generation_type, voice, care, request.fan_was_read)

        async def assessed(draft: Draft) -> Drafted:
            spent.tokens = (spent.tokens or 0) + draft.usage.total
            return await assess_draft(parts, call, matter, draft)

        async def draft_by(prompt: Prompt, stopped: tuple[str, ...] = ()) -> Drafted:
            wishes = request.options
            return await assessed(
                await ask_for_draft(
                    parts, call, request.generation_type, prompt, watcher, wishes, stopped
                )
            )

        if call.offer_hold is not None or (request.generation_type.sells and care is not None):
            drafted = await assessed(NOT_ASKED_FOR)
        else:
            check_options(parts, call.situation, voice, request.options)
            prompt = prompt_for(
                parts, call.situation, voice, request.generation_type, request.options
            )
            first = await draft_by(prompt)
            drafted = await repair_draft(parts, call, spent, prompt, first, draft_by)
        record = _describe(parts, call, matter, drafted, request.options)
        held = replace(call, reservation=spent.held_by(call))
        return await save_generation(parts, held, record, receipt, encode)


_STATUS = {
    Decision.AUTO_SEND: GenerationStatus.AUTO_SENT,
    Decision.QUEUE: GenerationStatus.QUEUED,
    Decision.REJECT: GenerationStatus.REJECTED,
}


def _describe(
    parts: Parts,
    call: OpenCall,
    matter: Matter,
    drafted: Drafted,
    options: DraftOptions,
) -> GenerationRecord:
    """The generation as it is saved."""
    situation = call.situation
    draft, chosen, decision = drafted.draft, drafted.chosen, drafted.decision
    now = parts.now()
    return GenerationRecord(
        id=matter.generation_id,
        creator_id=situation.creator.id,
        conversation_id=situation.conversation.id,
        fan_id=situation.fan.id,
        chatter_id=call.chatter_id,
        generation_type=matter.generation_type,
        status=_STATUS[decision.decision],
        message=chosen.message,
        suggested_price=chosen.price,
        currency=situation.fan.lifetime_value.currency,
        alternatives=chosen.alternatives,
        confidence=chosen.confidence,
        reasoning=chosen.reasoning,
        note=draft.note,
        approval_reasons=decision.reasons,
        safety=chosen.safety,
        priority=priority(
            tier=situation.fan.tier,
            price=chosen.price,
            care=matter.care,
            waiting_since=situation.waiting_since,
            last_seen_at=situation.fan.last_seen_at,
            now=now,
        ),
        model=draft.model,
        prompt_version=PROMPT_VERSION,
        personality_version=matter.voice.version,
        last_message_id=situation.last_message_id,
        usage=draft.usage,
        cost_micro_usd=cost_micro_usd(parts.price(draft.model), draft.usage),
        created_at=now,
        options=options,
        template_id=chosen.template_id,
        attempts=drafted.attempts,
    )
