"""What is noted of a draft when it is made: findings, reasons, confidence, tokens."""

from datetime import datetime
from random import Random
from zlib import crc32

from vaultcrm.adapters.llm.retrieval import MODEL as RETRIEVAL
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.generation import FeedbackType, GenerationStatus, GenerationType, TokenUsage
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import SafetyReport, Scope
from vaultcrm.entrypoints.cli.demo_world.lore import Lore
from vaultcrm.entrypoints.cli.demo_world.past import PastDraft
from vaultcrm.entrypoints.cli.demo_world.talks import Talk, Turn
from vaultcrm.pipeline.approval import ApprovalCase, decide, priority
from vaultcrm.pipeline.safety.filter import ContentFilter

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5")
"""What drafted before and after the team changed to a model that costs half."""
_MODEL_CHANGED = 0.4
_AUTOMATIC_FROM = 0.9
"""Shares of the month after which the model was changed and simple replies left by themselves."""
AUTO_SEND_THRESHOLD = 65
_CONFIDENCE = {
    FeedbackType.APPROVED: (78, 84),
    FeedbackType.MODIFIED: (68, 72),
    FeedbackType.REJECTED: (58, 64),
}
"""Mean confidence of drafts that end so, at the beginning and at the end of the month."""


def draft_of(
    talk: Talk,
    turn: Turn,
    at: datetime,
    generation_type: GenerationType,
    text: str,
    price: Money | None,
    fate: FeedbackType,
    *,
    lore: Lore,
    content_filter: ContentFilter,
    random: Random,
    may_leave: bool = False,
) -> PastDraft:
    """A draft that waits, as the real filter and policy see it. No reasons: it leaves by itself.

    `fate` is what people will make of it, which the confidence goes with. Without `may_leave` the
    confidence is low enough for it to wait.
    """
    voice = talk.creator.personality
    safety = content_filter.check(text, Scope.DRAFT, voice.forbidden_words, voice.region)
    confidence = _confidence(fate, turn.progress, random)
    reasons = _reasons(talk, turn, generation_type, text, price, safety, confidence)
    if not reasons and not may_leave:
        confidence = random.randint(45, AUTO_SEND_THRESHOLD - 1)
        reasons = (ApprovalReason.LOW_CONFIDENCE,)
    waiting_since = None if turn.answers is None else turn.answers.at
    model, usage = MODELS[turn.progress >= _MODEL_CHANGED], _tokens(text, random)
    if _is_suggested(text):
        model, usage = RETRIEVAL, TokenUsage()
    return PastDraft(
        creator_handle=talk.handle,
        fan_handle=talk.fan_handle,
        at=at,
        generation_type=generation_type,
        status=GenerationStatus.QUEUED,
        message=text,
        price=price,
        confidence=confidence,
        reasoning=random.choice(lore.reasoning[generation_type]),
        reasons=reasons,
        safety=safety,
        priority=priority(
            tier=talk.tier,
            price=price,
            care=None,
            waiting_since=waiting_since,
            last_seen_at=waiting_since,
            now=at,
        ),
        model=model,
        usage=usage,
        answers=None if turn.answers is None else turn.answers.id,
    )


def _is_suggested(text: str) -> bool:
    """Two drafts of five came from approved replies and templates, so that confidence knows such
    drafts too: a demo without a key has no others.
    """
    return crc32(text.encode()) % 5 < 2


def _confidence(fate: FeedbackType, progress: float, random: Random) -> int:
    first, last = _CONFIDENCE[fate]
    return round(min(max(random.gauss(first + (last - first) * progress, 7), 35), 97))


def _reasons(
    talk: Talk,
    turn: Turn,
    generation_type: GenerationType,
    text: str,
    price: Money | None,
    safety: SafetyReport,
    confidence: int,
) -> tuple[ApprovalReason, ...]:
    """Why it waits, or was stopped; none where the policy lets it go."""
    case = ApprovalCase(
        generation_type=generation_type,
        message=text,
        price=price,
        media_count=0,
        verdict=safety.verdict,
        refused=False,
        confidence=confidence,
        tier=talk.tier,
        care=None,
        mode=Mode.AUTO,
        channel_automates=True,
        disclosed=talk.disclosed,
    )
    return decide(case, _flags_at(turn.progress)).reasons


def _flags_at(progress: float) -> Flags:
    """People approved everything at first; then simple replies began to leave by themselves."""
    automatic = progress >= _AUTOMATIC_FROM
    return Flags(
        enabled=True,
        auto_send_threshold=AUTO_SEND_THRESHOLD,
        ppv_approval_threshold=50,
        rate_limit_per_hour=100,
        max_tokens_per_day=200_000,
        max_tokens_per_message=512,
        rollout_stage=RolloutStage.AUTO_SEND_LOW_VALUE
        if automatic
        else RolloutStage.MANUAL_APPROVAL,
        rollout_creator=None,
    )


def _tokens(text: str, random: Random) -> TokenUsage:
    """Two candidates of about this length; what a chat's second draft has in common is cached."""
    output = len(text) // 2 + random.randint(30, 60)
    rules, now = 1_150, 110
    talk = random.randint(260, 620) - now
    if random.random() < 0.75:
        new = talk // 5
        return TokenUsage(input=now, output=output, cache_read=rules + talk - new, cache_write=new)
    return TokenUsage(input=now, output=output, cache_write=rules + talk)
