"""What leaves is what was decided; and how an attempt to send it ends."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.channels import SendErrorKind, SendResult, SendStatus
from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem, Recipient
from vaultcrm.pipeline.delivery import (
    MOST_ATTEMPTS,
    Closing,
    Recipe,
    bound_hash,
    check_price,
    closing_of,
    outbox_item,
    reason_not_to_send,
    recipe_of,
)

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
SEEN, NEWER = UUID(int=21), UUID(int=22)
RECIPE = Recipe(UUID(int=1), "simulator", "chat-17", "tom88", "Hi Tom", Money(500), ("m1", "m2"))
RECIPIENT = Recipient(
    "simulator", "chat-17", UUID(int=2), "tom88", SEEN, told_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def item(**changes: Any) -> OutboxItem:
    made = outbox_item(
        RECIPE,
        creator_id=UUID(int=3),
        generation_id=UUID(int=4),
        author=Author.AI_APPROVED,
        author_user_id=UUID(int=5),
        seen_message_id=SEEN,
        not_before=NOW,
    )
    return replace(made, **changes)


AWKWARD = st.text('a",[]\\n0', max_size=3) | st.text(max_size=3)
RECIPES = st.builds(
    Recipe,
    st.sampled_from([UUID(int=1), UUID(int=2)]),
    AWKWARD,
    AWKWARD,
    AWKWARD,
    AWKWARD,
    st.none() | st.builds(Money, st.integers(0, 12), st.sampled_from(["USD", "EUR"])),
    st.lists(AWKWARD, max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    "change",
    [
        {"conversation_id": UUID(int=9)},
        {"channel": "webhook"},
        {"text": "Hi Tom "},
        {"price": Money(501)},
        {"price": Money(500, "EUR")},
        {"price": None},
        {"media_ids": ("m2", "m1")},
        {"media_ids": ("m1",)},
    ],
)
def test_a_change_of_any_part_of_what_was_decided_changes_what_it_is_bound_to(
    change: dict[str, Any],
) -> None:
    assert bound_hash(replace(RECIPE, **change)) != bound_hash(RECIPE)


@given(RECIPES, RECIPES)
def test_two_decisions_are_bound_alike_only_when_they_are_the_same(
    one: Recipe, other: Recipe
) -> None:
    assert (bound_hash(one) == bound_hash(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"media_ids": ("a", "b")}, {"media_ids": ('a","b',)}),
        ({"media_ids": ()}, {"media_ids": ("",)}),
        ({"channel": "x", "text": "yz"}, {"channel": "xy", "text": "z"}),
        ({"text": "caf\u00e9"}, {"text": "cafe\u0301"}),
        ({"text": "\u00e9"}, {"text": "\\u00e9"}),
    ],
)
def test_parts_that_run_together_alike_are_told_apart(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert bound_hash(replace(RECIPE, **one)) != bound_hash(replace(RECIPE, **other))


def test_messages_that_wait_through_an_upgrade_are_still_bound_to_the_same() -> None:
    form = (
        b'["00000000-0000-0000-0000-000000000001","simulator","chat-17","tom88","Hi Tom",'
        b'[500,"USD"],["m1","m2"]]'
    )
    assert bound_hash(RECIPE) == hashlib.sha256(form).digest()


def test_a_message_to_send_carries_the_decision_and_an_id_of_its_own() -> None:
    made = item()
    assert recipe_of(made, RECIPIENT) == RECIPE
    assert made.bound_hash == bound_hash(RECIPE)
    assert (made.status, made.attempts, made.not_before) == (DeliveryStatus.PENDING, 0, NOW)
    assert made.id != item().id


def test_a_message_as_it_was_decided_may_leave() -> None:
    assert reason_not_to_send(item(), RECIPIENT) is None


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Hi Tim"},
        {"price": Money(400)},
        {"price": None},
        {"media_ids": ()},
        {"conversation_id": UUID(int=9)},
        {"bound_hash": b""},
    ],
)
def test_a_message_that_differs_from_what_was_decided_does_not_leave(
    change: dict[str, Any],
) -> None:
    reason = reason_not_to_send(item(**change), RECIPIENT)
    assert reason == "it differs from what was decided"


@pytest.mark.parametrize(
    "change",
    [{"channel": "webhook"}, {"conversation_ref": "chat-18"}, {"fan_handle": "tom89"}],
)
def test_a_message_leaves_only_to_whom_and_over_what_was_decided(change: dict[str, str]) -> None:
    reason = reason_not_to_send(item(), replace(RECIPIENT, **change))  # type: ignore[arg-type]
    assert reason == "it differs from what was decided"


def test_a_message_into_a_conversation_that_is_gone_does_not_leave() -> None:
    assert reason_not_to_send(item(), None) == "the conversation is gone"


@pytest.mark.parametrize("author", [Author.AI_AUTOMATIC, Author.AI_APPROVED])
@pytest.mark.parametrize("seen", [SEEN, None])
def test_a_draft_is_held_back_when_the_fan_has_written_since_it_was_decided(
    seen: UUID | None, author: Author
) -> None:
    draft = item(author=author, seen_message_id=seen)
    newer = replace(RECIPIENT, newest_fan_message_id=NEWER)
    assert reason_not_to_send(draft, newer) == "the fan has written since it was decided"


def test_an_automatic_message_leaves_when_the_fan_has_not_written_since() -> None:
    assert reason_not_to_send(item(author=Author.AI_AUTOMATIC), RECIPIENT) is None
    silent = replace(RECIPIENT, newest_fan_message_id=None)
    unasked = item(author=Author.AI_AUTOMATIC, seen_message_id=None)
    assert reason_not_to_send(unasked, silent) is None


def test_a_chatters_own_message_leaves_although_the_fan_has_written_since() -> None:
    newer = replace(RECIPIENT, newest_fan_message_id=NEWER)
    assert reason_not_to_send(item(author=Author.CHATTER), newer) is None


@pytest.mark.parametrize("care", Care)
@pytest.mark.parametrize("author", [Author.AI_AUTOMATIC, Author.AI_APPROVED, Author.CHATTER])
def test_nothing_is_sold_to_a_fan_who_needs_care_whoever_decided_it(
    care: Care, author: Author
) -> None:
    reason = reason_not_to_send(item(author=author), replace(RECIPIENT, care=care))
    assert reason == "selling is stopped in this conversation"


@pytest.mark.parametrize("care", Care)
def test_only_what_a_person_decided_reaches_a_fan_who_needs_care(care: Care) -> None:
    plain = replace(RECIPE, price=None)
    bound = {"price": None, "bound_hash": bound_hash(plain)}
    needing = replace(RECIPIENT, care=care)
    by_itself = reason_not_to_send(item(author=Author.AI_AUTOMATIC, **bound), needing)
    assert by_itself == "automatic messages are stopped in this conversation"
    assert reason_not_to_send(item(author=Author.AI_APPROVED, **bound), needing) is None
    assert reason_not_to_send(item(author=Author.CHATTER, **bound), needing) is None


def failed(kind: SendErrorKind, retry_after: float | None = None) -> SendResult:
    return SendResult(
        SendStatus.FAILED, error_kind=kind, error="it said no", retry_after=retry_after
    )


def wait(result: SendResult, attempts: int) -> float:
    """Seconds until the next attempt."""
    closing = closing_of(result, attempts, NOW)
    assert closing.status is DeliveryStatus.PENDING
    assert closing.retry_at is not None
    return (closing.retry_at - NOW).total_seconds()


PASSING = [SendErrorKind.RETRYABLE, SendErrorKind.RATE_LIMITED]


def test_a_message_that_the_platform_took_is_sent() -> None:
    assert closing_of(SendResult(SendStatus.SENT, "x-1"), 1, NOW) == Closing(DeliveryStatus.SENT)


def test_a_message_that_may_have_left_is_uncertain_and_never_tried_again_by_itself() -> None:
    unsure = SendResult(SendStatus.UNCERTAIN, error="connection lost")
    assert closing_of(unsure, 1, NOW) == Closing(DeliveryStatus.UNCERTAIN, "connection lost")
    silent = SendResult(SendStatus.UNCERTAIN, error_kind=SendErrorKind.RETRYABLE)
    assert closing_of(silent, 1, NOW) == Closing(
        DeliveryStatus.UNCERTAIN, "the platform gave no answer"
    )


@pytest.mark.parametrize("kind", sorted(set(SendErrorKind) - set(PASSING)))
def test_a_refusal_that_will_not_pass_fails_at_once_with_its_reason(kind: SendErrorKind) -> None:
    asked = failed(kind, retry_after=5)
    assert closing_of(asked, 1, NOW) == Closing(DeliveryStatus.FAILED, "it said no")


def test_a_failure_of_no_known_kind_is_not_tried_again() -> None:
    expected = Closing(DeliveryStatus.FAILED, "the platform refused it")
    assert closing_of(SendResult(SendStatus.FAILED), 1, NOW) == expected


@pytest.mark.parametrize("kind", PASSING)
def test_a_refusal_that_may_pass_is_tried_again_after_waits_that_double(
    kind: SendErrorKind,
) -> None:
    waits = [wait(failed(kind), attempts) for attempts in range(1, MOST_ATTEMPTS)]
    assert waits == [2, 4, 8, 16, 32, 64, 128]
    assert closing_of(failed(kind), 1, NOW).error == "it said no"


def test_a_message_that_may_have_arrived_is_still_being_sent_while_it_waits() -> None:
    open_still = replace(failed(SendErrorKind.RETRYABLE), may_have_arrived=True)
    expected = Closing(DeliveryStatus.SENDING, "it said no", NOW + timedelta(seconds=2))
    assert closing_of(open_still, 1, NOW) == expected
    assert closing_of(open_still, MOST_ATTEMPTS, NOW).status is DeliveryStatus.FAILED


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("retry_after", [None, 60])
def test_a_message_has_failed_after_eight_attempts(
    kind: SendErrorKind, retry_after: float | None
) -> None:
    closing = closing_of(failed(kind, retry_after), MOST_ATTEMPTS, NOW)
    assert MOST_ATTEMPTS == 8
    assert closing == Closing(DeliveryStatus.FAILED, "it said no")


@pytest.mark.parametrize("kind", PASSING)
def test_the_platforms_own_wait_is_honoured_and_never_shortens_ours(kind: SendErrorKind) -> None:
    assert wait(failed(kind, 45.5), 1) == 45.5
    assert wait(failed(kind, 3600), 7) == 3600
    assert wait(failed(kind, 1), 3) == 8
    assert wait(failed(kind, 0), 1) == 2


@pytest.mark.parametrize("asked", [86_401, 999_999_999, 1e300, float("inf")])
def test_no_platform_makes_a_message_wait_for_more_than_a_day(asked: float) -> None:
    assert wait(failed(SendErrorKind.RATE_LIMITED, asked), 1) == timedelta(days=1).total_seconds()


def refusal(price: Money | None, least: Money | None, greatest: Money | None) -> str | None:
    try:
        check_price(price, least, greatest)
    except InvalidInput as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("minor", [300, 301, 5000])
def test_a_price_within_the_bounds_of_the_channel_is_taken(minor: int) -> None:
    assert refusal(Money(minor), Money(300), Money(5000)) is None


def test_a_price_out_of_bounds_is_refused_with_the_bound() -> None:
    assert refusal(Money(299), Money(300), Money(5000)) == (
        "price: this channel takes at least $3.00"
    )
    assert refusal(Money(5001), Money(300), Money(5000)) == (
        "price: this channel takes at most $50.00"
    )


@pytest.mark.parametrize("bounds", [(Money(300), None), (None, Money(5000))])
def test_a_price_in_a_currency_that_the_channel_does_not_take_is_refused(
    bounds: tuple[Money | None, Money | None],
) -> None:
    assert refusal(Money(400, "EUR"), *bounds) == "price: this channel takes prices in USD"


def test_no_price_and_no_bounds_are_always_fine() -> None:
    assert refusal(None, Money(300), Money(5000)) is None
    assert refusal(Money(10**9, "EUR"), None, None) is None


@pytest.mark.parametrize("mode", [Mode.DRAFT_ONLY, Mode.OFF])
def test_an_automatic_message_stays_where_the_conversation_is_not_automatic_any_more(
    mode: Mode,
) -> None:
    changed = replace(RECIPIENT, mode=mode)
    automatic = item(author=Author.AI_AUTOMATIC, seen_message_id=SEEN)
    assert reason_not_to_send(automatic, changed) == "the conversation is not automatic any more"
    assert reason_not_to_send(item(author=Author.AI_APPROVED), changed) is None
