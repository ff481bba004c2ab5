"""Draft a message: one round trip to open, one call to the model, one transaction to save."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.adapters.llm.catalog import cost_micro_usd
from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET, throttle_seconds
from vaultcrm.db.jobs import DELIVER_MESSAGE
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, feedback, generations, limits, outbox, usage
from vaultcrm.domain.approval import Decision, PolicyDecision
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author, Care, Sender
from vaultcrm.domain.drafting import Draft, DraftOutcome, DraftRequest
from vaultcrm.domain.generation import (
    FeedbackType,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
    TokenUsage,
)
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY
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
from vaultcrm.pipeline.delivery import Recipe, outbox_item
from vaultcrm.pipeline.generation import CheckedCandidate, choose, confidence
from vaultcrm.pipeline.personality import personality_or_default
from vaultcrm.pipeline.prompting import PROMPT_VERSION, build_prompt
from vaultcrm.workflows.open_call import OpenCall, give_back, open_call, settle_alone
from vaultcrm.workflows.parts import Parts, Receipt

CANDIDATES = 2
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
) -> GenerationRecord:
    """Draft a message, check it, decide what happens to it, and save all of that.

    Raises Unauthenticated, Forbidden, NotFound, AiDisabled, LimitExceeded or a DrafterError; in
    each case what was reserved is given back. A draft that the filter stops is no error: it comes
    back `rejected` with the findings. With a `receipt`, the answer as `encode` writes it is stored
    in the same transaction.
    """
    call = await open_call(
        parts,
        credential,
        creator_id=request.creator_id,
        conversation_id=request.conversation_id,
        fan_id=request.fan_id,
        chatter_id=request.chatter_id,
    )
    voice = personality_or_default(call.situation.personality, request.creator_id)
    care = _care_in(parts, call.situation)
    draft = await _draft(parts, call, request.generation_type, voice, care)
    try:
        checked = _check(parts, call.situation, voice, draft)
        record = _record(parts, call, request.generation_type, voice, care, draft, checked)
        decision = _decide(parts, call, request, record, draft, care)
        record = replace(
            record, status=_STATUS[decision.decision], approval_reasons=decision.reasons
        )
        record = await _save(parts, call, record, receipt, encode)
    except BaseException:
        await settle_alone(parts, call.reservation, draft.usage.total)
        raise
    return record


_STATUS = {
    Decision.AUTO_SEND: GenerationStatus.AUTO_SENT,
    Decision.QUEUE: GenerationStatus.QUEUED,
    Decision.REJECT: GenerationStatus.REJECTED,
}


def _care_in(parts: Parts, situation: Situation) -> Care | None:
    """Why this fan must not be sold to: what is known of the conversation, or their last words."""
    if situation.conversation.care is not None:
        return situation.conversation.care
    return care_called_for(
        parts.content_filter.check(
            last_fan_text(situation), Scope.FAN, region=situation.creator.region
        )
    )


async def _draft(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    voice: Personality,
    care: Care | None,
) -> Draft:
    """One call to the model, or none when this fan must not be sold to."""
    if generation_type.sells and care is not None:
        return Draft(DraftOutcome.REFUSED, (), TokenUsage(), parts.drafter.model)
    situation = call.situation
    now = parts.now()
    request = DraftRequest(
        prompt=build_prompt(
            situation,
            voice,
            generation_type,
            engagement=engagement_score(situation.activity, now),
            candidates=CANDIDATES,
            token_budget=PROMPT_TOKEN_BUDGET,
            now=now,
        ),
        generation_type=generation_type,
        max_tokens=call.flags.max_tokens_per_message,
        candidates=CANDIDATES,
        user_hash=hashlib.sha256(situation.fan.id.bytes).hexdigest()[:32],
        fan_message=last_fan_text(situation),
        fan_name=situation.fan.display_name,
        repertoire=situation.repertoire,
    )
    try:
        wait = throttle_seconds(call.tokens_used_today, call.flags.max_tokens_per_day)
        if wait:
            await asyncio.sleep(wait)
        return await parts.drafter.draft(request)
    except BaseException:
        await give_back(
            parts, call.reservation, call.counted_for, (REQUESTS_PER_HOUR, TOKENS_PER_DAY)
        )
        raise


def _check(
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


def _record(
    parts: Parts,
    call: OpenCall,
    generation_type: GenerationType,
    voice: Personality,
    care: Care | None,
    draft: Draft,
    checked: tuple[CheckedCandidate, ...],
) -> GenerationRecord:
    """The generation as far as it is known before the policy has spoken."""
    situation = call.situation
    now = parts.now()
    message = price = None
    sure, reasoning, safety = 0, "", CLEAN
    if checked:
        chosen = choose(checked)
        message, safety = chosen.candidate.message, chosen.safety
        reasoning = chosen.candidate.reasoning
        sure = confidence(chosen, checked, len(situation.messages))
        price = _price(chosen, generation_type, care, situation)
    elif generation_type.sells and care is not None:
        safety = report_of((NO_SELLING,))
    return GenerationRecord(
        id=new_id(),
        creator_id=situation.creator.id,
        conversation_id=situation.conversation.id,
        fan_id=situation.fan.id,
        chatter_id=call.chatter_id,
        generation_type=generation_type,
        status=GenerationStatus.QUEUED,
        message=message,
        suggested_price=price,
        currency=situation.fan.lifetime_value.currency,
        alternatives=tuple(
            item.candidate.message for item in checked if item.candidate.message != message
        ),
        confidence=sure,
        reasoning=reasoning,
        note=draft.note,
        approval_reasons=(),
        safety=safety,
        priority=priority(
            tier=situation.fan.tier,
            price=price,
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
    record: GenerationRecord,
    draft: Draft,
    care: Care | None,
) -> PolicyDecision:
    """The approval policy over this draft."""
    situation = call.situation
    channel = parts.channels.get(situation.conversation.channel)
    case = ApprovalCase(
        generation_type=record.generation_type,
        message=record.message,
        price=record.suggested_price,
        media_count=0,
        verdict=record.safety.verdict,
        refused=draft.outcome is DraftOutcome.REFUSED,
        confidence=record.confidence,
        tier=situation.fan.tier,
        care=care,
        mode=situation.conversation.mode,
        channel_automates=channel is not None and channel.capabilities.automated_sending,
        disclosed=situation.fan.disclosed_at is not None,
        fan_was_read=request.fan_was_read,
    )
    return decide(case, call.flags)


async def _save(
    parts: Parts,
    call: OpenCall,
    record: GenerationRecord,
    receipt: Receipt | None,
    encode: Callable[[GenerationRecord], str] | None,
) -> GenerationRecord:
    """Everything that this generation changes, in one transaction.

    What a batch has sent is committed whatever happens here, so a receipt, which may be refused,
    needs a transaction of the other kind.
    """
    leaves = record.status is GenerationStatus.AUTO_SENT
    read_inside = leaves or receipt is not None
    async with parts.transaction() if read_inside else parts.batch() as connection:
        if call.situation.stale_drafts:
            await generations.expire_stale(connection, record.creator_id, record.conversation_id)
        inserted = await generations.insert(connection, record, call.situation.revision)
        await usage.insert(
            connection,
            creator_id=record.creator_id,
            generation_id=record.id,
            purpose="draft",
            model=record.model,
            used=record.usage,
            cost_micro_usd=record.cost_micro_usd,
            now=record.created_at,
        )
        await audit.record(connection, _audit_entry(record))
        await limits.settle(connection, call.reservation, record.usage.total)
        if leaves:
            await _hand_to_delivery(parts, connection, call.situation, record)
        if receipt is not None and encode is not None:
            record = replace(record, stale_at=await inserted.answer())
            await receipt.store(connection, encode(record))
    return replace(record, stale_at=await inserted.answer())


def _audit_entry(record: GenerationRecord) -> AuditEntry:
    return AuditEntry(
        creator_id=record.creator_id,
        actor_id=record.chatter_id,
        action=AuditAction.GENERATED,
        subject_type="generation",
        subject_id=str(record.id),
        at=record.created_at,
        details={
            "status": record.status.value,
            "reasons": [reason.value for reason in record.approval_reasons],
            "findings": [finding.rule for finding in record.safety.findings],
        },
    )


async def _hand_to_delivery(
    parts: Parts, connection: Connection, situation: Situation, record: GenerationRecord
) -> None:
    """Feedback, outbox row and delivery job of a draft that leaves by itself."""
    assert record.message is not None  # noqa: S101 -- the policy queues a draft without text
    fan_messages = [m.id for m in situation.messages if m.sender is Sender.FAN]
    item = outbox_item(
        Recipe(record.conversation_id, situation.conversation.channel, record.message, None),
        creator_id=record.creator_id,
        generation_id=record.id,
        author=Author.AI_AUTOMATIC,
        author_user_id=None,
        seen_message_id=fan_messages[-1] if fan_messages else None,
        now=record.created_at,
    )
    await outbox.insert(connection, item, record.created_at)
    await feedback.insert(
        connection,
        creator_id=record.creator_id,
        generation_id=record.id,
        feedback_type=FeedbackType.AUTO_SENT,
        original=record.message,
        final=record.message,
        reason=None,
        notes=None,
        edit_distance=0,
        user_id=None,
        now=record.created_at,
    )
    await parts.jobs.defer(
        connection,
        DELIVER_MESSAGE,
        lock=str(record.conversation_id),
        creator_id=str(record.creator_id),
        item_id=str(item.id),
    )
