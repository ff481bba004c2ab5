"""Draft a message: one round trip to open, one call to the model, one transaction to save."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.adapters.llm.catalog import cost_micro_usd
from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET, throttle_seconds
from vaultcrm.domain.approval import Decision, PolicyDecision
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.disclosure import disclosure_due
from vaultcrm.domain.draft_options import (
    LONGEST_BEGINNING,
    LONGEST_HINT,
    NO_OPTIONS,
    DraftOptions,
)
from vaultcrm.domain.drafting import (
    Draft,
    DraftDelta,
    Drafter,
    DraftOutcome,
    DraftRequest,
    Prompt,
)
from vaultcrm.domain.errors import DrafterUnavailable, FieldProblem, InvalidInput
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
from vaultcrm.domain.spending import OfferHold
from vaultcrm.pipeline.approval import ApprovalCase, decide, priority
from vaultcrm.pipeline.approval.care import care_called_for
from vaultcrm.pipeline.context import engagement_score, last_fan_text
from vaultcrm.pipeline.generation import CheckedCandidate, choose, confidence
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.prompting import PROMPT_VERSION, build_prompt
from vaultcrm.pipeline.safety.judging import JudgingCase
from vaultcrm.workflows.alerting import NO_MODEL
from vaultcrm.workflows.drafted import CANDIDATES, Chosen, Drafted
from vaultcrm.workflows.judge_draft import judge_draft
from vaultcrm.workflows.open_call import OpenCall, open_call, spending
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.redaction import for_model
from vaultcrm.workflows.repair_draft import repair_draft
from vaultcrm.workflows.save_generation import save_generation

Watcher = Callable[[str], None]
"""Is told the first candidate's text as far as it is written: not checked yet, perhaps not chosen.
"""
CLEAN = SafetyReport(Verdict.ALLOW, 1.0)


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
    generation_id = new_id()
    async with spending(parts, call) as spent:
        voice = personality_or_default(call.situation.personality, request.creator_id)
        care = care_in(parts, call.situation)

        async def assessed(draft: Draft) -> Drafted:
            spent.tokens = (spent.tokens or 0) + draft.usage.total
            return await _assess(parts, call, request, voice, care, generation_id, draft)

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
        record = _describe(parts, call, request, voice, care, generation_id, drafted)
        held = replace(call, reservation=spent.held_by(call))
        return await save_generation(parts, held, record, receipt, encode)


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
            last_fan_text(situation),
            Scope.FAN,
            region=situation.creator.region,
            own_rules=situation.own_rules,
        )
    )


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
                own_rules=situation.own_rules,
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


def stopped_by(care: Care | None, hold: OfferHold | None) -> Finding:
    """Why an offer is not even drafted: care for the fan first, then a cap on their spending."""
    if care is not None or hold is None:
        return NO_SELLING
    return replace(
        NO_SELLING,
        category=Category.PRESSURE,
        rule=f"spending.{hold.cap.value}",
        reason=f"{hold.reason[:1].upper()}{hold.reason[1:]}.",
    )


def choose_candidate(
    situation: Situation,
    generation_type: GenerationType,
    care: Care | None,
    draft: Draft,
    checked: tuple[CheckedCandidate, ...],
    *,
    stopped_by: Finding = NO_SELLING,
) -> Chosen:
    """The best candidate, how sure we are of it, and the others beside it. `stopped_by` says why
    none was asked for, where none was.
    """
    if not checked:
        stopped = draft is NOT_ASKED_FOR
        return Chosen(None, None, 0, "", report_of((stopped_by,)) if stopped else CLEAN)
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
        template_id=best.candidate.template_id,
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


async def _assess(
    parts: Parts,
    call: OpenCall,
    request: GenerateRequest,
    voice: Personality,
    care: Care | None,
    generation_id: UUID,
    draft: Draft,
) -> Drafted:
    """What becomes of a draft: checked, chosen from, judged where that is needed, decided on."""
    situation = call.situation
    checked = check_candidates(parts, situation, voice, draft)
    chosen = choose_candidate(
        situation,
        request.generation_type,
        care,
        draft,
        checked,
        stopped_by=stopped_by(care, call.offer_hold),
    )
    decision = _decide(parts, call, request, chosen, draft, care)
    if chosen.message is None:
        return Drafted(draft, chosen, decision)
    case = JudgingCase(
        safety=chosen.safety,
        price=chosen.price,
        tier=situation.fan.tier,
        leaves_by_itself=decision.decision is Decision.AUTO_SEND,
    )
    judged = await judge_draft(parts, call, generation_id, chosen.message, case)
    if judged.answered and judged.safety is chosen.safety:
        return Drafted(draft, chosen, decision)
    chosen = _judged_as(chosen, judged.safety, checked, len(situation.messages))
    decision = _decide(parts, call, request, chosen, draft, care, judge_answered=judged.answered)
    return Drafted(draft, chosen, decision)


def _judged_as(
    chosen: Chosen,
    safety: SafetyReport,
    checked: tuple[CheckedCandidate, ...],
    known_messages: int,
) -> Chosen:
    """What was chosen with the report that a judge has changed, which changes how sure we are."""
    all_checked = [
        CheckedCandidate(one.candidate, safety) if one.candidate.message == chosen.message else one
        for one in checked
    ]
    best = next(one for one in all_checked if one.candidate.message == chosen.message)
    return replace(chosen, safety=safety, confidence=confidence(best, all_checked, known_messages))


def _decide(
    parts: Parts,
    call: OpenCall,
    request: GenerateRequest,
    chosen: Chosen,
    draft: Draft,
    care: Care | None,
    *,
    judge_answered: bool = True,
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
        disclosed=_is_told(parts, situation),
        fan_was_read=request.fan_was_read,
        judge_answered=judge_answered,
    )
    return decide(case, call.flags)


def _describe(
    parts: Parts,
    call: OpenCall,
    request: GenerateRequest,
    voice: Personality,
    care: Care | None,
    generation_id: UUID,
    drafted: Drafted,
) -> GenerationRecord:
    """The generation as it is saved."""
    situation = call.situation
    draft, chosen, decision = drafted.draft, drafted.chosen, drafted.decision
    now = parts.now()
    return GenerationRecord(
        id=generation_id,
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
        options=request.options,
        template_id=chosen.template_id,
        attempts=drafted.attempts,
    )


def _is_told(parts: Parts, situation: Situation) -> bool:
    """Whether the fan knows about AI: was told, not too long ago, and has not asked since."""
    due = disclosure_due(
        situation.fan.disclosed_at,
        situation.conversation.disclosure_asked_at,
        every_days=parts.settings.ai_disclosure_every_days,
        now=parts.now(),
    )
    return due is None


def _channel_automates(parts: Parts, situation: Situation) -> bool:
    """Whether the platform's terms allow automatic sending; what is not known does not."""
    channel = parts.channels.fixed.get(situation.conversation.channel)
    if channel is not None:
        return channel.capabilities.automated_sending
    return situation.account_automates is True
