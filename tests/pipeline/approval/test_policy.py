"""The approval policy, row by row, and what no mixture of rules may ever let through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.approval import ApprovalReason, Decision, PolicyDecision
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier
from vaultcrm.domain.safety import Verdict
from vaultcrm.pipeline.approval import ApprovalCase, decide

FLAGS = Flags(
    enabled=True,
    auto_send_threshold=80,
    ppv_approval_threshold=50,
    rate_limit_per_hour=100,
    max_tokens_per_day=100_000,
    max_tokens_per_message=512,
    rollout_stage=RolloutStage.AUTO_SEND_LOW_VALUE,
    rollout_creator=None,
)
AUTOMATIC = ApprovalCase(
    generation_type=GenerationType.REPLY,
    message="Glad you are back. How was the match?",
    price=None,
    media_count=0,
    verdict=Verdict.ALLOW,
    refused=False,
    confidence=90,
    tier=Tier.LOW,
    care=None,
    mode=Mode.AUTO,
    channel_automates=True,
    disclosed=True,
)

LINKS = (
    "https://shop.example/mia",
    "HTTP://shop.example",
    "Look at www.shop.example",
    "tg://resolve?domain=mia",
    "mailto:mia@shop.example",
    "I am on bit.ly/abc",
    "see t.me/mia",
    "it is onlymia.com, easy",
    "linktr.ee/mia",
)


def deciding(**changes: Any) -> PolicyDecision:
    """What is decided about a case that would be sent by itself but for these changes."""
    return decide(replace(AUTOMATIC, **changes), FLAGS)


def queued(*reasons: ApprovalReason) -> PolicyDecision:
    return PolicyDecision(Decision.QUEUE, reasons)


SENT_BY_ITSELF = PolicyDecision(Decision.AUTO_SEND, ())


def test_a_simple_reply_to_a_low_tier_fan_is_sent_by_itself_in_stage_3() -> None:
    assert deciding() == SENT_BY_ITSELF


def test_a_draft_that_the_filter_blocks_is_rejected() -> None:
    expected = PolicyDecision(Decision.REJECT, (ApprovalReason.FILTER_BLOCKED,))
    assert deciding(verdict=Verdict.BLOCK) == expected


def test_a_draft_that_the_filter_wants_reviewed_is_queued() -> None:
    assert deciding(verdict=Verdict.REVIEW) == queued(ApprovalReason.FILTER_REVIEW)


def test_a_draft_that_the_model_refused_is_queued_and_no_simple_reply() -> None:
    assert deciding(refused=True, message=None) == queued(
        ApprovalReason.MODEL_REFUSED, ApprovalReason.NOT_SIMPLE
    )


def test_a_refusal_that_comes_with_a_text_is_queued_all_the_same() -> None:
    assert deciding(refused=True) == queued(ApprovalReason.MODEL_REFUSED)


def test_a_draft_without_a_text_is_queued_as_unusable() -> None:
    assert deciding(message=None) == queued(
        ApprovalReason.UNUSABLE_DRAFT, ApprovalReason.NOT_SIMPLE
    )


@pytest.mark.parametrize("blank", ["", " ", "\n\t "])
def test_a_draft_of_nothing_but_blanks_is_queued_as_unusable(blank: str) -> None:
    assert deciding(message=blank) == queued(ApprovalReason.UNUSABLE_DRAFT)


def test_a_draft_for_a_fan_in_distress_is_queued() -> None:
    assert deciding(care=Care.DISTRESS) == queued(ApprovalReason.FAN_DISTRESS)


def test_a_draft_for_a_fan_who_may_be_a_minor_is_queued() -> None:
    assert deciding(care=Care.POSSIBLE_MINOR) == queued(ApprovalReason.POSSIBLE_MINOR)


def test_a_draft_is_queued_when_the_checker_could_not_read_the_fans_message() -> None:
    assert deciding(fan_was_read=False) == queued(ApprovalReason.CHECKER_UNAVAILABLE)


def test_a_draft_is_queued_when_the_checker_should_have_judged_it_and_could_not() -> None:
    assert deciding(judge_answered=False) == queued(ApprovalReason.JUDGE_UNAVAILABLE)


@pytest.mark.parametrize("stage", [RolloutStage.ONE_CREATOR, RolloutStage.MANUAL_APPROVAL])
def test_every_draft_is_queued_in_rollout_stages_1_and_2(stage: RolloutStage) -> None:
    decision = decide(AUTOMATIC, replace(FLAGS, rollout_stage=stage))
    assert decision == queued(ApprovalReason.ROLLOUT_STAGE)


@pytest.mark.parametrize("mode", [Mode.DRAFT_ONLY, Mode.OFF])
def test_every_draft_is_queued_where_the_conversation_is_not_automatic(mode: Mode) -> None:
    assert deciding(mode=mode) == queued(ApprovalReason.DRAFT_ONLY)


def test_every_draft_is_queued_on_a_channel_that_forbids_automated_sending() -> None:
    assert deciding(channel_automates=False) == queued(ApprovalReason.CHANNEL_MANUAL)


@pytest.mark.parametrize("price", [Money(5000), Money(5001), Money(1_000_000), Money(50, "JPY")])
def test_a_price_of_exactly_the_threshold_or_more_is_a_high_value_offer(price: Money) -> None:
    assert deciding(generation_type=GenerationType.PPV_OFFER, price=price) == queued(
        ApprovalReason.HIGH_VALUE_OFFER, ApprovalReason.NOT_SIMPLE
    )


@pytest.mark.parametrize("price", [Money(0), Money(4999), Money(49, "JPY")])
def test_a_lower_price_is_queued_too_but_as_no_high_value_offer(price: Money) -> None:
    assert deciding(generation_type=GenerationType.PPV_OFFER, price=price) == queued(
        ApprovalReason.NOT_SIMPLE
    )


@pytest.mark.parametrize(("threshold", "minor"), [(49.99, 4999), (0.1, 10), (19.9, 1990), (0, 0)])
def test_a_threshold_with_cents_is_met_by_exactly_that_price(threshold: float, minor: int) -> None:
    flags = replace(FLAGS, ppv_approval_threshold=threshold)
    decision = decide(replace(AUTOMATIC, price=Money(minor)), flags)
    assert ApprovalReason.HIGH_VALUE_OFFER in decision.reasons


@pytest.mark.parametrize("tier", [Tier.WHALE, Tier.HIGH])
@pytest.mark.parametrize("stage", [RolloutStage.AUTO_SEND_LOW_VALUE, RolloutStage.FULL])
def test_every_draft_for_a_whale_or_high_tier_fan_is_queued_in_every_stage(
    tier: Tier, stage: RolloutStage
) -> None:
    decision = decide(replace(AUTOMATIC, tier=tier), replace(FLAGS, rollout_stage=stage))
    assert decision == queued(ApprovalReason.HIGH_TIER)


@pytest.mark.parametrize("kind", [GenerationType.PPV_OFFER, GenerationType.RE_ENGAGEMENT])
def test_an_offer_or_re_engagement_is_no_simple_reply(kind: GenerationType) -> None:
    assert deciding(generation_type=kind) == queued(ApprovalReason.NOT_SIMPLE)


@pytest.mark.parametrize(
    "kind", [GenerationType.REPLY, GenerationType.WELCOME, GenerationType.THANK_YOU]
)
def test_a_reply_a_welcome_and_a_thank_you_are_simple(kind: GenerationType) -> None:
    assert deciding(generation_type=kind) == SENT_BY_ITSELF


def test_a_draft_with_a_price_is_no_simple_reply() -> None:
    assert deciding(price=Money(1)) == queued(ApprovalReason.NOT_SIMPLE)


def test_a_draft_with_media_is_no_simple_reply() -> None:
    assert deciding(media_count=1) == queued(ApprovalReason.NOT_SIMPLE)


@pytest.mark.parametrize("text", LINKS)
def test_a_draft_with_a_link_is_no_simple_reply(text: str) -> None:
    assert deciding(message=text) == queued(ApprovalReason.NOT_SIMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "I waited... and you came!",
        "3.5 hours, and/or 4.",
        "Hi Tom.How are you?",
        "No.",
        "e.g. painting, i.e. art",
    ],
)
def test_dots_and_slashes_of_ordinary_writing_are_no_link(text: str) -> None:
    assert deciding(message=text) == SENT_BY_ITSELF


def test_400_characters_are_a_simple_reply_and_401_are_not() -> None:
    assert deciding(message="a" * 400) == SENT_BY_ITSELF
    assert deciding(message="a" * 401) == queued(ApprovalReason.NOT_SIMPLE)


def test_a_draft_for_a_fan_who_was_not_told_about_ai_is_queued() -> None:
    assert deciding(disclosed=False) == queued(ApprovalReason.DISCLOSURE_MISSING)


def test_confidence_of_exactly_the_threshold_is_enough_and_one_less_is_not() -> None:
    assert deciding(confidence=80) == SENT_BY_ITSELF
    assert deciding(confidence=79) == queued(ApprovalReason.LOW_CONFIDENCE)


def test_a_medium_tier_fan_waits_for_a_person_in_stage_3() -> None:
    assert deciding(tier=Tier.MEDIUM) == queued(ApprovalReason.TIER_NOT_AUTOMATIC)


@pytest.mark.parametrize("tier", [Tier.MEDIUM, Tier.LOW])
def test_any_fan_below_high_tier_gets_simple_replies_by_themselves_in_stage_4(tier: Tier) -> None:
    flags = replace(FLAGS, rollout_stage=RolloutStage.FULL)
    assert decide(replace(AUTOMATIC, tier=tier), flags) == SENT_BY_ITSELF


def test_all_reasons_that_apply_are_kept_strictest_first() -> None:
    worst = replace(
        AUTOMATIC,
        generation_type=GenerationType.PPV_OFFER,
        price=Money(9900),
        verdict=Verdict.REVIEW,
        confidence=10,
        tier=Tier.WHALE,
        care=Care.DISTRESS,
        mode=Mode.DRAFT_ONLY,
        channel_automates=False,
        disclosed=False,
    )
    flags = replace(FLAGS, rollout_stage=RolloutStage.MANUAL_APPROVAL)
    reasons = (
        ApprovalReason.FILTER_REVIEW,
        ApprovalReason.FAN_DISTRESS,
        ApprovalReason.ROLLOUT_STAGE,
        ApprovalReason.DRAFT_ONLY,
        ApprovalReason.CHANNEL_MANUAL,
        ApprovalReason.HIGH_VALUE_OFFER,
        ApprovalReason.HIGH_TIER,
        ApprovalReason.NOT_SIMPLE,
        ApprovalReason.DISCLOSURE_MISSING,
        ApprovalReason.LOW_CONFIDENCE,
    )
    assert decide(worst, flags) == PolicyDecision(Decision.QUEUE, reasons)
    blocked = PolicyDecision(
        Decision.REJECT, (ApprovalReason.FILTER_BLOCKED, *(r for r in reasons[1:]))
    )
    assert decide(replace(worst, verdict=Verdict.BLOCK), flags) == blocked


def test_only_a_queued_draft_requires_approval() -> None:
    assert deciding(disclosed=False).requires_approval
    assert not deciding().requires_approval
    assert not deciding(verdict=Verdict.BLOCK).requires_approval


HARMLESS = st.fixed_dictionaries(
    {},
    optional={
        "generation_type": st.sampled_from(
            [GenerationType.REPLY, GenerationType.WELCOME, GenerationType.THANK_YOU]
        ),
        "message": st.text("abc éß漢🙂!?", max_size=400).filter(str.strip),
        "confidence": st.integers(80, 100),
        "tier": st.sampled_from([Tier.LOW, Tier.MEDIUM]),
    },
)
RISKS = st.fixed_dictionaries(
    {},
    optional={
        "generation_type": st.sampled_from(
            [GenerationType.PPV_OFFER, GenerationType.RE_ENGAGEMENT]
        ),
        "message": st.sampled_from([None, "", "a" * 401, *LINKS]),
        "price": st.builds(Money, st.integers(0, 100_000)),
        "media_count": st.integers(1, 9),
        "verdict": st.just(Verdict.REVIEW),
        "refused": st.just(True),
        "confidence": st.integers(0, 79),
        "tier": st.sampled_from([Tier.WHALE, Tier.HIGH]),
        "care": st.sampled_from(Care),
        "mode": st.sampled_from([Mode.DRAFT_ONLY, Mode.OFF]),
        "channel_automates": st.just(False),
        "disclosed": st.just(False),
        "rollout_stage": st.sampled_from([RolloutStage.ONE_CREATOR, RolloutStage.MANUAL_APPROVAL]),
    },
)
MILDNESS = [Decision.REJECT, Decision.QUEUE, Decision.AUTO_SEND]


def deciding_in_stage_4(changes: dict[str, Any]) -> PolicyDecision:
    stage = changes.get("rollout_stage", RolloutStage.FULL)
    case = {name: value for name, value in changes.items() if name != "rollout_stage"}
    return decide(replace(AUTOMATIC, **case), replace(FLAGS, rollout_stage=stage))


@given(HARMLESS)
def test_nothing_but_a_risk_keeps_a_draft_from_being_sent(harmless: dict[str, Any]) -> None:
    assert deciding_in_stage_4(harmless) == SENT_BY_ITSELF


@given(HARMLESS, RISKS.filter(bool))
def test_nothing_with_a_risk_is_ever_sent_by_itself(
    harmless: dict[str, Any], risks: dict[str, Any]
) -> None:
    decision = deciding_in_stage_4(harmless | risks)
    assert decision.decision is Decision.QUEUE
    assert decision.reasons


@given(HARMLESS, RISKS)
def test_a_blocked_draft_is_rejected_whatever_else_is_true_of_it(
    harmless: dict[str, Any], risks: dict[str, Any]
) -> None:
    decision = deciding_in_stage_4(harmless | risks | {"verdict": Verdict.BLOCK})
    assert decision.decision is Decision.REJECT
    assert decision.reasons[0] is ApprovalReason.FILTER_BLOCKED


@given(HARMLESS, RISKS, st.data())
def test_one_more_risk_never_makes_a_decision_milder_or_hides_a_reason(
    harmless: dict[str, Any], risks: dict[str, Any], data: st.DataObject
) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(risks)))) if risks else set()
    fewer = deciding_in_stage_4(harmless | {name: risks[name] for name in kept})
    more = deciding_in_stage_4(harmless | risks)
    assert MILDNESS.index(more.decision) <= MILDNESS.index(fewer.decision)
    # A refusal explains why there is no text, so it takes the place of that reason.
    assert set(fewer.reasons) - {ApprovalReason.UNUSABLE_DRAFT} <= set(more.reasons)


@given(HARMLESS, RISKS, st.sampled_from(Verdict))
def test_reasons_stand_in_the_order_of_strictness_and_each_but_once(
    harmless: dict[str, Any], risks: dict[str, Any], verdict: Verdict
) -> None:
    reasons = deciding_in_stage_4(harmless | risks | {"verdict": verdict}).reasons
    assert list(reasons) == [reason for reason in ApprovalReason if reason in reasons]
