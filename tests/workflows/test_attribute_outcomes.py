"""What fans did is attached to the message that caused it, in whatever order it is told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.app import RunningApp
from tests.support.outcomes import age
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Role
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.receive_message import receive_event

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(
    kind: EventKind,
    minutes: float,
    ref: str = "",
    amount: Money | None = None,
    *,
    key: str | None = None,
) -> InboundEvent:
    return InboundEvent(
        event_id=key or f"{kind.value}-{ref}-{minutes}-{amount}",
        kind=kind,
        fan_handle="tom",
        fan_display_name="Tom",
        conversation_ref="chat-tom",
        occurred_at=START + timedelta(minutes=minutes),
        message_ref=ref,
        text="Hello there" if kind in {EventKind.MESSAGE, EventKind.CREATOR_MESSAGE} else "",
        amount=amount,
    )


def says(minutes: float, ref: str) -> InboundEvent:
    return event(EventKind.CREATOR_MESSAGE, minutes, ref)


def answers(minutes: float, ref: str) -> InboundEvent:
    return event(EventKind.MESSAGE, minutes, ref)


def buys(minutes: float, ref: str, minor: int, currency: str = "USD") -> InboundEvent:
    return event(EventKind.PURCHASE, minutes, ref, Money(minor, currency))


def gets_back(minutes: float, ref: str, minor: int, currency: str = "USD") -> InboundEvent:
    return event(EventKind.REFUND, minutes, ref, Money(minor, currency))


async def creator(app: RunningApp) -> UUID:
    admin = await sign_in(app, Role.ADMIN)
    handle = f"c{new_id().hex[-12:]}"
    made = await admin.made("/api/creators", {"handle": handle, "displayName": "Mia"})
    return UUID(made["id"])


async def hears(app: RunningApp, creator_id: UUID, *events: InboundEvent) -> list[str | None]:
    reasons = []
    for one in events:
        async with app.parts.transaction() as connection:
            reasons.append(await receive_event(app.parts, connection, "webhook", creator_id, one))
    return reasons


async def outcomes(app: RunningApp, creator_id: UUID) -> dict[str, dict[str, Any]]:
    """By the platform's name of the message; without what says nothing of the fan."""
    await attribute_outcomes(app.parts)
    found = await rows(
        app,
        """SELECT m.external_id, o.sent_at, o.replied, o.time_to_reply, o.purchased, o.currency,
                  o.revenue_minor, o.refunded_minor, o.currencies_differ
           FROM message_outcomes o
           JOIN messages m ON m.creator_id = o.creator_id AND m.id = o.id
           WHERE o.creator_id = %(creator_id)s""",
        creator_id=creator_id,
    )
    return {row.pop("external_id"): row for row in found}


async def test_an_answer_counts_for_the_last_message_before_it(app: RunningApp) -> None:
    mia = await creator(app)
    await hears(app, mia, says(0, "a"), says(5, "b"), answers(7.5, "f1"), answers(9, "f2"))
    found = await outcomes(app, mia)
    assert (found["a"]["replied"], found["a"]["time_to_reply"]) == (False, None)
    assert (found["b"]["replied"], found["b"]["time_to_reply"]) == (True, 150)


async def test_an_answer_after_the_window_is_none(app: RunningApp) -> None:
    mia = await creator(app)
    await hears(app, mia, says(0, "a"), answers(24 * 60 + 1, "f1"))
    assert (await outcomes(app, mia))["a"]["replied"] is False
    await hears(app, mia, answers(24 * 60, "f2"))
    assert (await outcomes(app, mia))["a"]["time_to_reply"] == 24 * 3600


async def test_an_answer_that_is_dated_before_the_message_is_no_answer_to_it(
    app: RunningApp,
) -> None:
    """A clock that runs backwards; the message before that one gets the answer."""
    mia = await creator(app)
    await hears(app, mia, says(0, "a"), says(10, "b"), answers(4, "f1"))
    found = await outcomes(app, mia)
    assert (found["a"]["time_to_reply"], found["b"]["replied"]) == (240, False)


async def test_a_purchase_counts_for_the_message_that_it_names_whenever_it_comes(
    app: RunningApp,
) -> None:
    mia = await creator(app)
    await hears(app, mia, says(0, "a"), says(5, "b"), buys(3 * 24 * 60, "a", 2_500))
    found = await outcomes(app, mia)
    assert (found["a"]["purchased"], found["a"]["revenue_minor"]) == (True, 2_500)
    assert (found["b"]["purchased"], found["b"]["revenue_minor"]) == (False, 0)


async def test_a_purchase_that_names_no_message_counts_for_the_last_one_within_the_window(
    app: RunningApp,
) -> None:
    mia = await creator(app)
    later = 25 * 60
    await hears(app, mia, says(0, "a"), says(5, "b"), buys(6, "", 900), buys(later, "", 700))
    found = await outcomes(app, mia)
    assert [found[ref]["revenue_minor"] for ref in "ab"] == [0, 900]


async def test_refunds_take_back_what_was_paid_and_no_more(app: RunningApp) -> None:
    mia = await creator(app)
    await hears(app, mia, says(0, "a"), buys(1, "a", 2_500), gets_back(2, "a", 1_000))
    found = await outcomes(app, mia)
    assert (found["a"]["purchased"], found["a"]["revenue_minor"]) == (True, 1_500)
    chargeback = event(EventKind.CHARGEBACK, 3, "a", Money(9_000))
    await hears(app, mia, chargeback)
    found = await outcomes(app, mia)
    assert (found["a"]["purchased"], found["a"]["revenue_minor"]) == (False, 0)
    assert found["a"]["refunded_minor"] == 2_500
    [fan] = await rows(app, "SELECT lifetime_value_minor, tier FROM fans")
    assert fan == {"lifetime_value_minor": 0, "tier": "low"}


async def test_money_in_another_currency_is_left_out_and_said_to_be(app: RunningApp) -> None:
    mia = await creator(app)
    await hears(
        app, mia, says(0, "a"), buys(1, "a", 2_500), buys(2, "", 900, "EUR"),
        gets_back(3, "a", 100, "EUR"),
    )  # fmt: skip
    found = (await outcomes(app, mia))["a"]
    assert (found["revenue_minor"], found["currency"]) == (2_500, "USD")
    assert found["currencies_differ"] is True


async def test_a_purchase_that_comes_before_its_message_counts_once_that_is_here(
    app: RunningApp,
) -> None:
    mia = await creator(app)
    [refund, bought] = await hears(app, mia, gets_back(9, "a", 500), buys(8, "a", 2_500))
    assert refund == "the message a is not known here"
    assert bought == "the message a is not known here, or was bought before"
    assert await outcomes(app, mia) == {}
    [fan] = await rows(app, "SELECT lifetime_value_minor FROM fans")
    assert fan["lifetime_value_minor"] == 0
    await hears(app, mia, says(0, "a"))
    found = await outcomes(app, mia)
    assert (found["a"]["revenue_minor"], found["a"]["refunded_minor"]) == (2_000, 500)
    [fan] = await rows(app, "SELECT lifetime_value_minor FROM fans")
    assert fan["lifetime_value_minor"] == 2_000
    [payment] = await rows(app, "SELECT amount_minor FROM fan_payments")
    assert payment["amount_minor"] == 2_500


MESSAGES = st.sampled_from(["a", "b", "c"])
MINUTES = st.integers(min_value=-60, max_value=3_000)
CURRENCIES = st.sampled_from(["USD", "EUR"])
HAPPENINGS = st.one_of(
    st.builds(says, MINUTES, MESSAGES),
    st.builds(answers, MINUTES, st.sampled_from(["f1", "f2", "f3"])),
    st.builds(buys, MINUTES, st.sampled_from(["a", "b", "c", ""]), st.just(2_500), CURRENCIES),
    st.builds(gets_back, MINUTES, MESSAGES, st.sampled_from([500, 2_000]), CURRENCIES),
)


def once_each(events: Sequence[InboundEvent]) -> list[InboundEvent]:
    """A message has one time: of several that bear its name the first stays."""
    written = {EventKind.MESSAGE, EventKind.CREATOR_MESSAGE}
    found: dict[object, InboundEvent] = {}
    for one in events:
        found.setdefault(one.message_ref if one.kind in written else one.event_id, one)
    return list(found.values())


class History(NamedTuple):
    """What happened, how it is told, what is told again at the end, and after how much of it the
    outcomes are looked at before.
    """

    happened: Sequence[InboundEvent]
    told: Sequence[InboundEvent]
    again: Sequence[InboundEvent]
    stop: int


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Drawn before the test runs: what it draws itself, hypothesis may break off."""
    happened = once_each(draw(st.lists(HAPPENINGS, min_size=3, max_size=9)))
    return History(
        happened,
        draw(st.permutations(happened)),
        draw(st.lists(st.sampled_from(happened), max_size=3)),
        draw(st.integers(min_value=0, max_value=len(happened))),
    )


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories())
async def test_what_is_late_repeated_or_out_of_order_ends_in_the_same_outcomes(
    app: RunningApp, history: History
) -> None:
    happened, told, again, stop = history
    in_order = await creator(app)
    await hears(app, in_order, *sorted(happened, key=lambda one: one.occurred_at))
    in_disorder = await creator(app)
    await hears(app, in_disorder, *told[:stop])
    await outcomes(app, in_disorder)
    await hears(app, in_disorder, *told[stop:], *again)
    assert await outcomes(app, in_disorder) == await outcomes(app, in_order)


async def approved(app: RunningApp, admin: SignedIn) -> tuple[UUID, UUID, str]:
    """A draft that went out: creator, conversation, generation."""
    talk = await conversation(admin)
    draft = await admin.made("/api/ai/generate", talk.asks())
    body = {"generationId": draft["generationId"], "action": "modify", "modifiedMessage": "Hi!"}
    await admin.made("/api/ai/approve", body)
    await rows(
        app,
        """INSERT INTO messages (creator_id, id, conversation_id, sender, author, generation_id,
                                 external_id, text, sent_at)
           SELECT creator_id, id, conversation_id, 'creator', author, generation_id, 'm-1', text,
                  created_at FROM outbox""",
    )
    return UUID(talk.creator_id), UUID(talk.conversation_id), draft["generationId"]


async def test_the_outcome_of_a_draft_stands_in_its_feedback(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia, talk, _ = await approved(app, admin)
    await rows(
        app,
        """INSERT INTO outcome_marks (creator_id, id, conversation_id)
           VALUES (%(creator)s, %(talk)s, %(talk)s)""",
        creator=mia,
        talk=talk,
    )
    await attribute_outcomes(app.parts)
    known = "SELECT performance_data FROM ai_message_feedback"
    assert await rows(app, known) == [{"performance_data": {}}]

    await age(app, mia, timedelta(hours=25))
    await attribute_outcomes(app.parts)
    assert await rows(app, known) == [{"performance_data": {"replied": False}}]


async def test_what_a_program_reports_stays_and_a_refund_is_taken_off_it(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia, talk, draft = await approved(app, admin)
    report = {"generationId": draft, "purchased": True, "revenue": 3_000}
    told = await admin.made("/api/ai/feedback", report)
    assert told["performanceData"] == {"purchased": True, "revenue": 3_000}
    await rows(
        app,
        """INSERT INTO message_payments (creator_id, id, conversation_id, event_key, kind,
               message_ref, amount_minor, currency, occurred_at, received_at)
           VALUES (%(creator)s, %(id)s, %(talk)s, 'r-1', 'refund', 'm-1', 3000, 'USD', now(),
                   now())""",
        creator=mia,
        talk=talk,
        id=new_id(),
    )
    await attribute_outcomes(app.parts)
    told = await admin.made("/api/ai/feedback", report)
    assert told["performanceData"] == {"purchased": False, "revenue": 0}


async def test_an_outcome_for_an_unknown_draft_is_not_found_in_words(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    answer = await admin.post("/api/ai/feedback", {"generationId": str(new_id()), "replied": True})
    assert answer.status_code == 404
    assert "generation" in answer.json()["detail"]
