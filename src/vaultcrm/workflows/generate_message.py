"""Draft a message: one round trip to open, one call to the model, one transaction to save."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.adapters.llm.catalog import cost_micro_usd
from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET, throttle_seconds
from vaultcrm.domain.approval import Decision, PolicyDecision
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.drafting import (
    Draft,
    DraftDelta,
    Drafter,
    DraftOutcome,
    DraftRequest,
    Prompt,
)
from vaultcrm.domain.errors import DrafterUnavailable
from vaultcrm.domain.generation import (
    GenerationRecord,
    GenerationStatus,
    GenerationType,
    TokenUsage,
)
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Credential
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import (
    Category,
    Finding,
    FindingTier,
    SafetyReport,
    Scope,
    Verdict,
    report_of,
)
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.approval import ApprovalCase, decide, priority
from vaultcrm.pipeline.approval.care import care_called_for
from vaultcrm.pipeline.context import engagement_score, last_fan_text
from vaultcrm.pipeline.generation import CheckedCandidate, choose, confidence
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.prompting import PROMPT_VERSION, build_prompt
from vaultcrm.workflows.alerting import NO_MODEL
from vaultcrm.workflows.open_call import OpenCall, open_call, spending
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.save_generation import save_generation

CANDIDATES = 2

Watcher = Callable[[str], None]
"""Is told the first candidate's text as far as it is written: not checked yet, perhaps not chosen.
"""
CLEAN = SafetyReport(Verdict.ALLOW, 1.0)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What is asked for. `fan_id` may be None where the conversation alone says whose it is.

    `fan_was_read` is False when the checker model should have looked at the fan's message and could
    not; then a person decides.
    """

    creator_id: UUID
    conversation_id: UUID
    generation_type: GenerationType
    fan_id: UUID | None = None
    chatter_id: UUID | None = None
    fan_was_read: bool = True


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
    )
    async with spending(parts, call) as spent:
        voice = personality_or_default(call.situation.personality, request.creator_id)
        care = care_in(parts, call.situation)
        if request.generation_type.sells and care is not None:
            draft = NOT_ASKED_FOR
        else:
            prompt = prompt_for(parts, call.situation, voice, request.generation_type)
            draft = await ask_for_draft(parts, call, request.generation_type, prompt, watcher)
        spent.tokens = draft.usage.total
        checked = check_candidates(parts, call.situation, voice, draft)
        chosen = choose_candidate(call.situation, request.generation_type, care, draft, checked)
        decision = _decide(parts, call, request, chosen, draft, care)
        record = _describe(parts, call, request, voice, care, draft, chosen, decision)
        return await save_generation(parts, call, record, receipt, encode)


NOT_ASKED_FOR = Draft(DraftOutcome.UNUSABLE, (), TokenUsage(), model=NO_MODEL)
"""Stands for the draft where something must not even be drafted."""

_STATUS = {
    Decision.AUTO_SEND: GenerationStatus.AUTO_SENT,
    Decision.QUEUE: GenerationStatus.QUEUED,
    Decision.REJECT: GenerationStatus.REJECTED,
}


def care_in(parts: Parts, situation: Situation) -> Care | None:
    """Why this fan must not be sold to: what is known of the conversation, or their last words."""
    if situation.conversation.care is not None:
        return situation.conversation.care
    return care_called_for(
        parts.content_filter.check(
            last_fan_text(situation), Scope.FAN, region=situation.creator.region
        )
    )


def prompt_for(
    parts: Parts, situation: Situation, voice: Personality, generation_type: GenerationType
) -> Prompt:
    now = parts.now()
    return build_prompt(
        situation,
        voice,
        generation_type,
        engagement=engagement_score(situation.activity, now),
        candidates=CANDIDATES,
        token_budget=PROMPT_TOKEN_BUDGET,
        now=now,
    )


async def ask_for_draft(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    prompt: Prompt,
    watcher: Watcher | None,
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


def check_candidates(
    parts: Parts, situation: Situation, voice: Personality, draft: Draft
) -> tuple[CheckedCandidate, ...]:
    """What the content filter says about each candidate."""
    return tuple(
        CheckedCandidate(
            candidate,
            parts.content_filter.check(
                candidate.message,
                Scope.DRAFT,
                forbidden_words=voice.forbidden_words,
                region=situation.creator.region,
            ),
        )
        for candidate in draft.candidates
    )


NO_SELLING = Finding(
    category=Category.DISTRESS,
    start=0,
    end=0,
    rule="care.no_selling",
    tier=FindingTier.BLOCK,
    score=1.0,
    matched="",
    reason="Selling is stopped in this conversation until a person says otherwise.",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of the candidates. `message` is None where there is nothing to send."""

    message: str | None
    price: Money | None
    confidence: int
    reasoning: str
    safety: SafetyReport
    alternatives: tuple[str, ...] = ()


def choose_candidate(
    situation: Situation,
    generation_type: GenerationType,
    care: Care | None,
    draft: Draft,
    checked: tuple[CheckedCandidate, ...],
) -> Chosen:
    """The best candidate, how sure we are of it, and the others beside it."""
    if not checked:
        stopped = draft is NOT_ASKED_FOR
        return Chosen(None, None, 0, "", report_of((NO_SELLING,)) if stopped else CLEAN)
    best = choose(checked)
    message = best.candidate.message
    return Chosen(
        message=message,
        price=_price(best, generation_type, care, situation),
        confidence=confidence(best, checked, len(situation.messages)),
        reasoning=best.candidate.reasoning,
        safety=best.safety,
        alternatives=tuple(
            [one.candidate.message for one in checked if one.candidate.message != message]
        ),
    )


def _price(
    chosen: CheckedCandidate,
    generation_type: GenerationType,
    care: Care | None,
    situation: Situation,
) -> Money | None:
    """The suggested price, kept only where something may be sold."""
    suggested = chosen.candidate.suggested_price_minor
    if suggested is None or suggested <= 0 or care is not None or not generation_type.sells:
        return None
    return Money(suggested, situation.fan.lifetime_value.currency)


def _decide(
    parts: Parts,
    call: OpenCall,
    request: GenerateRequest,
    chosen: Chosen,
    draft: Draft,
    care: Care | None,
) -> PolicyDecision:
    """The approval policy over this draft."""
    situation = call.situation
    case = ApprovalCase(
        generation_type=request.generation_type,
        message=chosen.message,
        price=chosen.price,
        media_count=0,
        verdict=chosen.safety.verdict,
        refused=draft.outcome is DraftOutcome.REFUSED,
        confidence=chosen.confidence,
        tier=situation.fan.tier,
        care=care,
        mode=situation.conversation.mode,
        channel_automates=_channel_automates(parts, situation),
        disclosed=situation.fan.disclosed_at is not None,
        fan_was_read=request.fan_was_read,
    )
    return decide(case, call.flags)


def _describe(
    parts: Parts,
    call: OpenCall,
    request: GenerateRequest,
    voice: Personality,
    care: Care | None,
    draft: Draft,
    chosen: Chosen,
    decision: PolicyDecision,
) -> GenerationRecord:
    """The generation as it is saved."""
    situation = call.situation
    now = parts.now()
    return GenerationRecord(
        id=new_id(),
        creator_id=situation.creator.id,
        conversation_id=situation.conversation.id,
        fan_id=situation.fan.id,
        chatter_id=call.chatter_id,
        generation_type=request.generation_type,
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
            care=care,
            waiting_since=situation.waiting_since,
            last_seen_at=situation.fan.last_seen_at,
            now=now,
        ),
        model=draft.model,
        prompt_version=PROMPT_VERSION,
        personality_version=voice.version,
        last_message_id=situation.last_message_id,
        usage=draft.usage,
        cost_micro_usd=cost_micro_usd(parts.price(draft.model), draft.usage),
        created_at=now,
    )


def _channel_automates(parts: Parts, situation: Situation) -> bool:
    """Whether the platform's terms allow automatic sending; what is not known does not."""
    channel = parts.channels.fixed.get(situation.conversation.channel)
    if channel is not None:
        return channel.capabilities.automated_sending
    return situation.account_automates is True
