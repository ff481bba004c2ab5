"""Bodies of events hold what a receiver needs, and what people wrote only on demand."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest

from vaultcrm.domain import events
from vaultcrm.domain.alerts import AlertKind, Severity, channel_subject
from vaultcrm.domain.approval import ApprovalReason, DecisionAction
from vaultcrm.domain.audit_seals import SealHead
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.events import OutboundEvent, new_event_id
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
    TokenUsage,
)
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Verdict

NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
SECRETIVE = "a text that somebody wrote"

RECORD = GenerationRecord(
    id=new_id(),
    creator_id=new_id(),
    conversation_id=new_id(),
    fan_id=new_id(),
    chatter_id=new_id(),
    generation_type=GenerationType.PPV_OFFER,
    status=GenerationStatus.QUEUED,
    message=SECRETIVE,
    suggested_price=Money(7500),
    currency="USD",
    alternatives=(SECRETIVE,),
    confidence=64,
    reasoning=SECRETIVE,
    note=SECRETIVE,
    approval_reasons=(ApprovalReason.HIGH_VALUE_OFFER, ApprovalReason.LOW_CONFIDENCE),
    safety=SafetyReport(
        Verdict.REVIEW,
        0.4,
        (Finding(Category.SPAM, 0, 1, "r", FindingTier.REVIEW, 0.6, SECRETIVE),),
    ),
    priority=40,
    model="claude",
    prompt_version="1",
    personality_version=1,
    last_message_id=None,
    usage=TokenUsage(),
    cost_micro_usd=0,
    created_at=NOW,
    final_message=SECRETIVE,
    final_price=Money(6000),
)

ITEM = OutboxItem(
    id=new_id(),
    creator_id=new_id(),
    conversation_id=new_id(),
    generation_id=None,
    author=Author.CHATTER,
    author_user_id=new_id(),
    text=SECRETIVE,
    price=None,
    media_ids=(),
    bound_hash=b"",
    seen_message_id=None,
    not_before=NOW,
    attempts=2,
)

EVENTS = [
    events.generation_queued(RECORD),
    events.generation_decided(RECORD, DecisionAction.MODIFY, new_id(), NOW),
    events.message_sent(ITEM, "webhook", "theirs-1", NOW),
    events.message_failed(ITEM, "webhook", DeliveryStatus.UNCERTAIN, "no answer", NOW),
    events.alert_raised(
        new_id(), AlertKind.UNKNOWN_MODEL, Severity.WARNING, "model/x", "Priced as dearest.", NOW
    ),
    events.audit_sealed(
        SealHead(NIL, 7, NOW, NIL, NIL, 3, 0, bytes(32), bytes(32), bytes(32), bytes(32))
    ),
    events.ping(NIL, NOW),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind.value)
def test_a_body_has_id_type_time_and_creator_and_nothing_that_was_written(
    event: OutboundEvent,
) -> None:
    body = json.loads(json.dumps(event.body()))
    assert body.keys() == {"id", "type", "timestamp", "data"}
    assert UUID(body["id"]) == event.id
    assert body["timestamp"] == "2026-11-01T12:30:00Z"
    whole = event.creator_id == NIL
    assert body["data"]["creatorId"] == (None if whole else str(event.creator_id))
    assert SECRETIVE not in json.dumps(body)
    assert not event.texts.keys() & event.data.keys()


def test_every_kind_has_a_builder() -> None:
    assert {event.kind for event in EVENTS} == set(events.OutboundEventKind)


def test_a_waiting_draft_is_told_with_price_and_reasons() -> None:
    data = EVENTS[0].body()["data"]
    assert data["suggestedPrice"] == {"amountMinor": 7500, "currency": "USD"}
    assert data["approvalReasons"] == ["high_value_offer", "low_confidence"]
    assert EVENTS[0].texts == {"message": SECRETIVE}


def test_a_time_is_told_in_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert events.ping(NIL, there).body()["timestamp"] == "2026-11-01T12:30:00Z"


def test_an_events_id_is_a_uuid7_with_room_for_the_number_of_an_endpoint() -> None:
    ids = [new_event_id() for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    assert all((one.version, one.variant) == (7, RFC_4122) for one in ids)
    assert all(one.int & 0xFFFF == 0 for one in ids)
    assert ids == sorted(ids)


def test_an_alert_about_a_creator_is_told_to_that_creators_endpoints() -> None:
    creator_id = new_id()
    subject = channel_subject(creator_id, "fanvue")
    event = events.alert_raised(
        new_id(), AlertKind.CHANNEL_PAUSED, Severity.CRITICAL, subject, "It has stopped.", NOW
    )
    assert event.creator_id == creator_id
    assert event.body()["data"]["subject"] == subject
