"""Suggestions from what the team approved before, without a model."""

from dataclasses import replace

import pytest

from tests.adapters.llm.drafters import REPERTOIRE, REQUEST, draft_with
from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.domain.drafting import Draft, DraftOutcome, DraftRequest, Phrase
from vaultcrm.domain.generation import GenerationType


def suggest(request: DraftRequest) -> Draft:
    return draft_with(RetrievalDrafter(), request)


def asked(
    message: str,
    *repertoire: Phrase,
    type_: GenerationType = GenerationType.REPLY,
    name: str = "Tom",
    candidates: int = 2,
) -> DraftRequest:
    return replace(
        REQUEST,
        fan_message=message,
        fan_name=name,
        repertoire=repertoire,
        generation_type=type_,
        candidates=candidates,
    )


@pytest.mark.parametrize(
    "message",
    [
        "what are you doing today?",
        "What are you up to today",
        "wat are u doin today??",
        "so what are you doing right now",
    ],
)
def test_the_reply_to_the_most_similar_message_comes_first(message: str) -> None:
    best = suggest(asked(message, *REPERTOIRE)).candidates[0]

    assert best.message == "Just back from the gym, and you Tom?"


def test_it_finds_similar_messages_in_a_language_without_spaces() -> None:
    phrases = (
        Phrase("ありがとう!", prompted_by="とても可愛いですね"),
        Phrase("元気だよ!", prompted_by="今日は元気ですか"),
    )

    assert suggest(asked("元気ですか?", *phrases)).candidates[0].message == "元気だよ!"


def test_the_same_message_as_before_is_rated_highest_and_a_stranger_one_lower() -> None:
    same = suggest(asked("did you sleep well?", *REPERTOIRE)).candidates[0]
    like = suggest(asked("did you sleep?", *REPERTOIRE)).candidates[0]
    unlike = suggest(asked("xyzzy", *REPERTOIRE)).candidates[0]

    assert 100 > same.self_rating > like.self_rating > unlike.self_rating


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "you look nice",
        "you do not look beautiful",
        "you don't look beautiful",
        "what are you not doing today?",
        "beautiful you look",
        "did you sleep with him well?",
    ],
)
def test_a_message_that_only_resembles_an_old_one_is_never_answered_by_itself(
    message: str,
) -> None:
    for candidate in suggest(asked(message, *REPERTOIRE)).candidates:
        assert candidate.self_rating < 80


def test_a_template_is_never_rated_high_enough_to_be_sent_by_itself() -> None:
    template = Phrase("Welcome {fan_name}!", category="welcome", uses=1_000_000)
    draft = suggest(asked("", template, type_=GenerationType.WELCOME))

    assert draft.candidates[0].self_rating < 80


@pytest.mark.parametrize(
    "variable", ["{fan_name}", "{{ fan_name }}", "{{fan_name}}", "{ fan_name }"]
)
def test_the_fans_name_is_filled_in(variable: str) -> None:
    phrase = Phrase(f"Hey {variable}, welcome!", category="welcome")
    draft = suggest(asked("", phrase, type_=GenerationType.WELCOME))

    assert draft.candidates[0].message == "Hey Tom, welcome!"


def test_without_a_name_its_place_closes_up() -> None:
    phrase = Phrase("Hey {fan_name}, welcome!", category="welcome")
    draft = suggest(asked("", phrase, type_=GenerationType.WELCOME, name="  "))

    assert draft.candidates[0].message == "Hey, welcome!"


def test_a_name_that_looks_like_a_variable_is_not_filled_again() -> None:
    phrase = Phrase("Hey {fan_name}!", category="welcome")
    draft = suggest(asked("", phrase, type_=GenerationType.WELCOME, name="{fan_name}"))

    assert draft.candidates[0].message == "Hey {fan_name}!"


def test_a_text_with_a_variable_that_nobody_can_fill_is_never_suggested() -> None:
    phrases = (Phrase("Only {discount} off!", category="welcome", uses=99),)
    alone = suggest(asked("", *phrases, type_=GenerationType.WELCOME))
    with_another = suggest(
        asked("", *phrases, Phrase("Hi!", category="welcome"), type_=GenerationType.WELCOME)
    )

    assert alone.outcome is DraftOutcome.UNUSABLE
    assert "{fan_name}" in alone.note
    assert [candidate.message for candidate in with_another.candidates] == ["Hi!"]


def test_the_same_text_is_suggested_once() -> None:
    twice = (
        Phrase("I am fine!", prompted_by="how are you?"),
        Phrase("I  am FINE!", prompted_by="how are you"),
        Phrase("And you?", prompted_by="and you?"),
    )
    draft = suggest(asked("how are you?", *twice))

    assert [candidate.message for candidate in draft.candidates] == ["I am fine!", "And you?"]


def test_of_templates_that_fit_alike_the_most_used_comes_first() -> None:
    phrases = [Phrase(f"Welcome {n}", category="welcome", uses=n) for n in (1, 30, 5)]
    draft = suggest(asked("", *phrases, type_=GenerationType.WELCOME, candidates=3))

    assert [candidate.message for candidate in draft.candidates] == [
        "Welcome 30",
        "Welcome 5",
        "Welcome 1",
    ]


def test_templates_of_another_category_are_left_out() -> None:
    phrases = (
        Phrase("Thank you!", category="thank_you"),
        Phrase("Welcome!", category="welcome"),
    )
    draft = suggest(asked("hi", *phrases, type_=GenerationType.THANK_YOU))

    assert [candidate.message for candidate in draft.candidates] == ["Thank you!"]


def test_an_offer_keeps_its_price_and_nothing_else_has_one() -> None:
    offer = Phrase("My new set is here", category="ppv_offer", price_minor=1500)
    paid_reply = Phrase("Unlock this", prompted_by="hi", category="reply", price_minor=900)
    reply = Phrase("Hi you", prompted_by="hi")

    offered = suggest(asked("hi", offer, reply, type_=GenerationType.PPV_OFFER))
    replied = suggest(asked("hi", offer, paid_reply, reply))

    assert [c.suggested_price_minor for c in offered.candidates] == [1500]
    assert [(c.message, c.suggested_price_minor) for c in replied.candidates] == [("Hi you", None)]


@pytest.mark.parametrize("type_", list(GenerationType))
def test_with_nothing_to_suggest_from_it_says_how_to_make_something(
    type_: GenerationType,
) -> None:
    draft = suggest(asked("hi", type_=type_))

    assert (draft.outcome, draft.candidates) == (DraftOutcome.UNUSABLE, ())
    assert f"type {type_}" in draft.note
    assert "template" in draft.note


def test_a_suggestion_says_where_it_comes_from_and_costs_nothing() -> None:
    draft = suggest(asked("hi", Phrase("Hi you", prompted_by="hi")))

    assert "from your approved replies" in draft.note
    assert draft.usage.total == 0
    assert cost_micro_usd(find_model(draft.model), draft.usage) == 0


def test_what_was_stopped_is_not_suggested_again() -> None:
    first = draft_with(RetrievalDrafter(), replace(REQUEST, candidates=1))
    [stopped] = [candidate.message for candidate in first.candidates]
    again = draft_with(RetrievalDrafter(), replace(REQUEST, stopped=(stopped,)))
    assert stopped not in {candidate.message for candidate in again.candidates}
    assert len(again.candidates) == 2
