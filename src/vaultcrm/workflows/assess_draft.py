"""What becomes of a model's answer: checked, chosen from, judged where needed, decided on."""

from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.domain.approval import Decision, PolicyDecision
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.disclosure import disclosure_due
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.drafting import Draft, DraftOutcome
from vaultcrm.domain.generation import GenerationType, TokenUsage
from vaultcrm.domain.money import Money
from vaultcrm.domain.personality import Personality
from vaultcrm.domain.safety import (
    CLEAN,
    Category,
    Finding,
    FindingTier,
    SafetyReport,
    Scope,
    report_of,
)
from vaultcrm.domain.situation import Situation
from vaultcrm.domain.spending import OfferHold
from vaultcrm.pipeline.approval import ApprovalCase, decide
from vaultcrm.pipeline.approval.care import care_called_for
from vaultcrm.pipeline.context import last_fan_text
from vaultcrm.pipeline.generation import CheckedCandidate, choose, confidence
from vaultcrm.pipeline.safety.judging import JudgingCase
from vaultcrm.workflows.alerting import NO_MODEL
from vaultcrm.workflows.drafted import Chosen, Drafted
from vaultcrm.workflows.judge_draft import judge_draft
from vaultcrm.workflows.open_call import OpenCall
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.score_draft import guaranteed, scored

NOT_ASKED_FOR = Draft(DraftOutcome.UNUSABLE, (), TokenUsage(), model=NO_MODEL)
"""Stands for the draft where something must not even be drafted."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What a draft is for, in whose voice, and whether the fan needs care. `fan_was_read` is False
    when the checker model should have looked at the fan's message and could not.
    """

    generation_id: UUID
    generation_type: GenerationType
    voice: Personality
    care: Care | None
    fan_was_read: bool = True
    options: DraftOptions = NO_OPTIONS


async def assess_draft(parts: Parts, call: OpenCall, matter: Matter, draft: Draft) -> Drafted:
    """What becomes of a draft: checked, chosen from, judged where that is needed, decided on."""
    situation = call.situation
    checked = check_candidates(parts, situation, matter.voice, draft)
    chosen = choose_candidate(
        situation,
        matter.generation_type,
        matter.care,
        draft,
        checked,
        stopped_by=stopped_by(matter.care, call.offer_hold),
    )
    chosen = scored(
        parts, call, matter.generation_type, draft.model, chosen, checked, matter.options
    )
    decision = _decide(parts, call, matter, chosen, draft)
    if chosen.message is None:
        return Drafted(draft, chosen, decision)
    case = JudgingCase(
        safety=chosen.safety,
        price=chosen.price,
        tier=situation.fan.tier,
        leaves_by_itself=decision.decision is Decision.AUTO_SEND,
    )
    judged = await judge_draft(parts, call, matter.generation_id, chosen.message, case)
    if judged.answered and judged.safety is chosen.safety:
        return Drafted(draft, chosen, decision)
    chosen = _judged_as(chosen, judged.safety, checked, len(situation.messages))
    chosen = scored(
        parts, call, matter.generation_type, draft.model, chosen, checked, matter.options
    )
    decision = _decide(parts, call, matter, chosen, draft, judge_answered=judged.answered)
    return Drafted(draft, chosen, decision)


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
    matter: Matter,
    chosen: Chosen,
    draft: Draft,
    *,
    judge_answered: bool = True,
) -> PolicyDecision:
    """The approval policy over this draft."""
    situation = call.situation
    case = ApprovalCase(
        generation_type=matter.generation_type,
        message=chosen.message,
        price=chosen.price,
        media_count=0,
        verdict=chosen.safety.verdict,
        refused=draft.outcome is DraftOutcome.REFUSED,
        confidence=chosen.confidence,
        tier=situation.fan.tier,
        care=matter.care,
        mode=situation.conversation.mode,
        channel_automates=_channel_automates(parts, situation),
        disclosed=_is_told(parts, situation),
        fan_was_read=matter.fan_was_read,
        judge_answered=judge_answered,
        guaranteed=guaranteed(call, chosen),
    )
    return decide(case, call.flags)


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
