"""The in-process platform and the fans on it."""

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel
from vaultcrm.adapters.channels.simulator.fans import (
    GREATEST_DELAY_SECONDS,
    CreatorKind,
    FanTraits,
    Mood,
    kind_of,
    open_conversation,
    purchase_probability,
    respond,
    traits_of,
)
from vaultcrm.domain.channels import OutboundMessage, SendErrorKind, SendResult, SendStatus
from vaultcrm.domain.errors import InvalidInput, WebhookRejected
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money

CREATOR = "mia-torres"
EAGER = FanTraits(CREATOR, "eager", CreatorKind.FITNESS, 1.0, 0.0, Mood.CHEERFUL, ("food",))
THRIFTY = FanTraits(CREATOR, "thrifty", CreatorKind.FITNESS, 0.5, 1.0, Mood.DRY, ("food",))


def send(text: str = "Hello", price: Money | None = None) -> SendResult:
    message = OutboundMessage(new_id(), new_id(), new_id(), "c-1", "tom88", text, price)
    return asyncio.run(SimulatorChannel().send(message))


@pytest.mark.parametrize("price", [None, Money(300), Money(20_000)])
def test_a_message_within_the_simulators_limits_is_sent(price: Money | None) -> None:
    assert send("x" * 2_000, price).status is SendStatus.SENT


@pytest.mark.parametrize(
    ("text", "price", "said"),
    [
        ("Hello", Money(299), "$3.00 to $200.00"),
        ("Hello", Money(20_001), "$200.01"),
        ("Hello", Money(1_000, "EUR"), "EUR"),
        ("x" * 2_001, None, "2,001 characters"),
        (" \n", None, "empty"),
    ],
)
def test_a_message_outside_them_is_invalid_and_the_reason_is_said(
    text: str, price: Money | None, said: str
) -> None:
    result = send(text, price)
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert said in result.error


def test_nothing_comes_into_the_simulator_by_http() -> None:
    with pytest.raises(WebhookRejected):
        SimulatorChannel().verify({}, b"{}")
    with pytest.raises(InvalidInput):
        SimulatorChannel().parse(b"{}")


@given(
    fan_handle=st.text(max_size=30),
    text=st.text(max_size=200),
    price=st.none() | st.integers(300, 20_000).map(Money),
    seed=st.integers(),
)
def test_a_fan_gives_the_same_answer_to_the_same_message(
    fan_handle: str, text: str, price: Money | None, seed: int
) -> None:
    fan = traits_of(CREATOR, fan_handle, CreatorKind.MUSIC)
    response = respond(fan, text, price, seed)
    assert response == respond(traits_of(CREATOR, fan_handle, CreatorKind.MUSIC), text, price, seed)
    assert 0 <= response.delay_seconds <= GREATEST_DELAY_SECONDS
    assert response.reply_text is None or 0 < len(response.reply_text) <= 1_000
    if price is None:
        assert not response.buys


def test_a_fan_gives_the_same_answer_in_another_process() -> None:
    script = (
        "from vaultcrm.adapters.channels.simulator.fans import *\n"
        "print(respond(traits_of('mia-torres', 'tom88'), 'How are you?', None, 4))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    here = respond(traits_of(CREATOR, "tom88"), "How are you?", None, 4)
    assert other.stdout.strip() == str(here)


@given(
    fan_handle=st.text(max_size=10),
    cents=st.tuples(st.integers(300, 20_000), st.integers(300, 20_000)),
    seed=st.integers(0, 10_000),
)
def test_who_buys_at_a_price_also_buys_for_less(
    fan_handle: str, cents: tuple[int, int], seed: int
) -> None:
    fan = traits_of(CREATOR, fan_handle)
    dear, cheap = Money(max(cents)), Money(min(cents))
    if respond(fan, "A new video for you", dear, seed).buys:
        assert respond(fan, "A new video for you", cheap, seed).buys


def test_buying_gets_rarer_as_the_price_rises() -> None:
    bought = [
        sum(respond(EAGER, "A new video", Money(cents), seed).buys for seed in range(400))
        for cents in (500, 5_000, 20_000)
    ]
    assert all(more > fewer > 0 for more, fewer in pairwise(bought))


def test_a_fan_who_minds_the_price_buys_less_than_one_who_does_not() -> None:
    assert purchase_probability(THRIFTY, Money(500)) < purchase_probability(EAGER, Money(500)) / 2
    assert purchase_probability(THRIFTY, Money(20_000)) > 0


def test_a_chatty_fan_answers_more_often_than_a_quiet_one() -> None:
    quiet = FanTraits(CREATOR, "quiet", CreatorKind.FITNESS, 0.0, 0.5, Mood.SHY, ("food",))

    def answers(fan: FanTraits) -> int:
        return sum(respond(fan, "How was it?", None, s).reply_text is not None for s in range(300))

    def openings(fan: FanTraits) -> int:
        return sum(open_conversation(fan, seed) is not None for seed in range(300))

    assert answers(EAGER) > 2 * answers(quiet) > 0
    assert openings(EAGER) > 2 * openings(quiet) > 0


def test_fans_of_one_creator_differ_in_what_they_are_like() -> None:
    fans = [traits_of(CREATOR, f"fan-{number}", CreatorKind.FITNESS) for number in range(60)]
    assert {fan.mood for fan in fans} == set(Mood)
    assert len({fan.topics for fan in fans}) > 20
    for values in ([f.chattiness for f in fans], [f.price_sensitivity for f in fans]):
        assert min(values) < 0.3
        assert max(values) > 0.7


@pytest.mark.parametrize("kind", list(CreatorKind))
def test_what_fans_say_varies(kind: CreatorKind) -> None:
    fans = [traits_of(CREATOR, f"fan-{number}", kind) for number in range(40)]
    texts = ("How was your week?", "Strong and steady. Rest well today.")
    said = {
        respond(fan, text, None, seed).reply_text
        for fan in fans
        for text in texts
        for seed in range(20)
    }
    said |= {open_conversation(fan, seed) for fan in fans for seed in range(20)}
    assert len(said) > 300


def test_a_question_on_a_topic_is_answered_on_that_topic() -> None:
    replies = {
        respond(EAGER, "How did the 5k race go?", None, seed).reply_text for seed in range(200)
    }
    assert any(reply and reply.startswith("I ran the whole loop") for reply in replies)
    assert not any(reply and "breakfast" in reply for reply in replies)


def test_a_fan_who_is_told_of_the_assistant_answers_to_that() -> None:
    reply = next(
        response.reply_text
        for seed in range(50)
        if (response := respond(EAGER, "An AI assistant helps me to write.", None, seed)).reply_text
    )
    assert (
        "assistant" in reply or "AI" in reply or "read along" in reply or "could not tell" in reply
    )


def test_a_fan_who_declines_names_the_price_as_it_was_asked() -> None:
    replies = [respond(THRIFTY, "A new video", Money(9_900), seed) for seed in range(400)]
    texts = [response.reply_text for response in replies if response.reply_text]
    assert any("$99.00" in text for text in texts)
    assert not any("{" in text for text in texts)


def test_a_silent_fan_has_no_delay_and_an_active_one_has() -> None:
    responses = [respond(EAGER, "New video", Money(2_000), seed) for seed in range(200)]
    assert {bool(r.delay_seconds) for r in responses if r.buys or r.reply_text} == {True}
    assert {r.delay_seconds for r in responses if not r.buys and not r.reply_text} == {0}


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("Upbeat strength coach", CreatorKind.FITNESS),
        ("Laid-back indie folk musician", CreatorKind.MUSIC),
        ("Playful maker of costumes and wigs", CreatorKind.COSTUMES),
        ("Gardener", CreatorKind.GENERAL),
        ("", CreatorKind.GENERAL),
    ],
)
def test_the_kind_of_a_creator_is_read_from_a_description(
    description: str, kind: CreatorKind
) -> None:
    assert kind_of(description) is kind
