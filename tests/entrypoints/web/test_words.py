"""Every code has words, and the words say what holds."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vaultcrm.controls.flags import FLAG_FIELDS
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.audit import AuditAction
from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
    TokenUsage,
)
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Role, Tier
from vaultcrm.domain.safety import Category, FindingTier, SafetyReport, Verdict
from vaultcrm.entrypoints.web.text import words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
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
RECORD = GenerationRecord(
    id=NIL,
    creator_id=NIL,
    conversation_id=NIL,
    fan_id=NIL,
    chatter_id=None,
    generation_type=GenerationType.PPV_OFFER,
    status=GenerationStatus.QUEUED,
    message="Hey",
    suggested_price=Money(7500),
    currency="USD",
    alternatives=(),
    confidence=70,
    reasoning="",
    note="",
    approval_reasons=(ApprovalReason.HIGH_VALUE_OFFER, ApprovalReason.HIGH_TIER),
    safety=SafetyReport(Verdict.ALLOW, 1.0),
    priority=0,
    model="",
    prompt_version="",
    personality_version=0,
    last_message_id=None,
    usage=TokenUsage(),
    cost_micro_usd=0,
    created_at=NOW,
)


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (words.people.TIERS, Tier),
        (words.people.ROLES, Role),
        (words.drafts.TYPES, GenerationType),
        (words.drafts.STATUSES, GenerationStatus),
        (words.drafts.DELIVERIES, DeliveryStatus),
        (words.conversations.MODES, Mode),
        (words.conversations.CARES, Care),
        (words.drafts.REASONS, ApprovalReason),
        (words.filtering.CATEGORIES, Category),
        (words.filtering.FINDING_TIERS, FindingTier),
        (words.conversations.AUTHORS, Author),
        (words.audit.ACTIONS, AuditAction),
        (words.controls.STAGES, RolloutStage),
        (words.controls.FLAGS, FLAG_FIELDS),
        (words.controls.SOURCES, {"environment", "installation", "creator"}),
    ],
)
def test_every_code_has_words(table: Mapping[Any, Any], codes: Iterable[Any]) -> None:
    assert set(table) == set(codes)
    assert all(table[code] for code in codes if code is not Author.FAN)


def test_a_waiting_draft_says_why_with_the_numbers_that_hold() -> None:
    assert words.drafts.waits(RECORD, Tier.WHALE, FLAGS) == "offer of $50 or more, whale"
    assert words.drafts.reason(ApprovalReason.HIGH_TIER, RECORD, Tier.HIGH, FLAGS) == "high tier"
    low = words.drafts.reason(ApprovalReason.LOW_CONFIDENCE, RECORD, Tier.LOW, FLAGS)
    assert low == "confidence below 80"


def test_a_number_that_no_longer_holds_is_not_claimed() -> None:
    raised = replace(FLAGS, ppv_approval_threshold=100, auto_send_threshold=60)

    assert words.drafts.waits(RECORD, Tier.LOW, raised) == "high-value offer, high-value fan"
    low = words.drafts.reason(ApprovalReason.LOW_CONFIDENCE, RECORD, Tier.LOW, raised)
    assert low == "low confidence"


@pytest.mark.parametrize(
    ("major", "currency", "told"),
    [
        (50, "USD", "$50"),
        (49.5, "USD", "$49.50"),
        (1500, "USD", "$1,500"),
        (50, "EUR", "50 EUR"),
        (1500, "JPY", "1,500 JPY"),
        (100, "JPY", "100 JPY"),
    ],
)
def test_a_whole_price_has_cents_only_where_there_are_any(
    major: float, currency: str, told: str
) -> None:
    assert words.phrases.whole_price(major, currency) == told


@pytest.mark.parametrize(
    ("price", "typed"),
    [
        (None, ""),
        (Money(2500), "25.00"),
        (Money(125_000), "1250.00"),
        (Money(1500, "JPY"), "1500"),
        (Money(1234, "KWD"), "1.234"),
    ],
)
def test_a_price_stands_in_a_form_as_it_can_be_typed(price: Money | None, typed: str) -> None:
    assert words.forms.price_field(price) == typed


def test_a_conflict_says_who_was_first_and_when() -> None:
    ago = NOW - timedelta(minutes=3)
    decided = Conflict("", status="rejected", decided_by="Jo", decided_at=ago)
    claimed = Conflict("", status="claimed", decided_by="Jo", decided_at=NOW)
    expired = Conflict("", status="expired")

    assert words.deciding.conflict(decided, NOW) == "This draft is rejected by Jo, 3 min ago."
    assert words.deciding.conflict(claimed, NOW) == "Being reviewed by Jo until 12:00."
    assert words.deciding.conflict(expired, NOW) == "This draft is expired."
    assert words.deciding.conflict(Conflict("Another one."), NOW) == "Another one."


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Marcus D.", "MD"),
        ("priya", "P"),
        ("Wolfgang von Hohenstein", "WH"),
        ("🦄🔥", "·"),
        ("", "·"),
        ("<img src=x>", "IS"),
        ("قيس", "ق"),
    ],
)
def test_initials_stand_for_any_name(name: str, initials: str) -> None:
    assert words.people.initials(name) == initials


def test_details_of_an_audit_entry_are_words_where_there_are_any() -> None:
    values = {
        "status": "queued",
        "reasons": ["high_tier", "not_simple"],
        "although_stale": False,
        "findings": [],
        "error": None,
        "lines_skipped": 0,
        "until": "2026-11-22T22:25:21.191223+00:00",
    }

    assert words.audit.details(values) == [
        ("status", "waits for approval"),
        ("reasons", "high-value fan, not a simple reply"),
        ("lines skipped", "0"),
        ("until", "2026-11-22 22:25:21 UTC"),
    ]
