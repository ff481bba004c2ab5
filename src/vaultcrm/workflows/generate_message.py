"""Draft a message: one round trip to open, one call to the model, one transaction to save."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.domain.approval import Decision
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.drafting import Draft, Prompt
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus, GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.limits import Quota
from vaultcrm.domain.people import Credential
from vaultcrm.pipeline.approval import priority
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.workflows.ask_for_draft import Watcher, ask_for_draft, check_options, prompt_for
from vaultcrm.workflows.assess_draft import NOT_ASKED_FOR, Matter, assess_draft, care_in
from vaultcrm.workflows.drafted import Drafted
from vaultcrm.workflows.open_call import OpenCall, open_call, spending
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.repair_draft import repair_draft
from vaultcrm.workflows.reserve import cost_of
from vaultcrm.workflows.reserve_more import reserve_dearer
from vaultcrm.workflows.save_generation import save_generation
from vaultcrm.workflows.score_draft import sampled
from vaultcrm.workflows.under_test import DraftPlan, plan_draft


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
    tell_quotas: Callable[[tuple[Quota, ...]], None] | None = None,
) -> GenerationRecord:
    """Draft a message, check it, decide what happens to it, and save all of that.

    Raises Unauthenticated, Forbidden, NotFound, AiDisabled, LimitExceeded or a DrafterError; in
    each case what was reserved is given back. A draft that the filter stops is no error: it comes
    back `rejected` with the findings. With a `receipt`, the answer as `encode` writes it is stored
    in the same transaction. With a `watcher` the draft is asked for as a stream. `tell_quotas`
    is told what is left of each limit once the call was let in.
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
    if tell_quotas is not None:
        tell_quotas(call.quotas)
    async with spending(parts, call) as spent:
        voice = personality_or_default(call.situation.personality, request.creator_id)
        care = care_in(parts, call.situation)
        plan = await plan_draft(
            parts, call.situation, request.generation_type, voice, request.options
        )
        matter = Matter(
            new_id(),
            request.generation_type,
            plan.voice,
            care,
            request.fan_was_read,
            request.options,
        )

        async def assessed(draft: Draft) -> Drafted:
            spent.count(draft.usage.total, cost_of(parts, draft.model, draft.usage, parts.now()))
            return await assess_draft(parts, call, matter, draft)

        async def draft_by(prompt: Prompt, stopped: tuple[str, ...] = ()) -> Drafted:
            kind, wishes = request.generation_type, plan.options
            return await assessed(
                await ask_for_draft(
                    parts, plan.asking(call), kind, prompt, watcher, wishes, stopped, plan.model
                )
            )

        if call.offer_hold is not None or (request.generation_type.sells and care is not None):
            drafted = await assessed(NOT_ASKED_FOR)
        else:
            check_options(parts, call.situation, plan.voice, request.options)
            await reserve_dearer(parts, call, spent, plan.model)
            prompt = prompt_for(
                parts,
                call.situation,
                plan.voice,
                request.generation_type,
                plan.options,
                plan.prompt_version,
            )
            first = await draft_by(prompt)
            drafted = await repair_draft(parts, call, spent, prompt, first, draft_by)
            drafted = sampled(drafted, call, matter.generation_id)
        record = _describe(parts, call, matter, drafted, request.options, plan)
        held = replace(call, holdings=spent.held_by(call))
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
    plan: DraftPlan,
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
        prompt_version=plan.prompt_version,
        personality_version=matter.voice.version,
        last_message_id=situation.last_message_id,
        usage=draft.usage,
        cost_micro_usd=cost_of(parts, draft.model, draft.usage, now),
        created_at=now,
        options=options,
        template_id=chosen.template_id or (plan.template_id if chosen.message else None),
        attempts=drafted.attempts,
        assignments=() if draft is NOT_ASKED_FOR else plan.assignments,
        scored=drafted.scored,
    )
