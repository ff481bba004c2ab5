"""From findings to a voice: what changes, what is left to people, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from vaultcrm.domain.learning import PHRASE, Finding, Outcome
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.pipeline.learning.examples import Answered, choose
from vaultcrm.pipeline.learning.phrases import Common, Finder, runs
from vaultcrm.pipeline.learning.proposing import changed, join_prompt, split_prompt, suggestions
from vaultcrm.pipeline.learning.telling import sentence
from vaultcrm.pipeline.learning.traits import ARMS, band_of, pieces_of, traits_of, words_of

VOICE = Personality(
    UUID(int=1), 3, "warm", ("warm",), (), ("hello sunshine",), EmojiStyle.RARE, "Be kind."
)


def finding(arm: str, effect: float, outcome: Outcome = Outcome.REPLIED) -> Finding:
    rate = 0.33 + effect
    return Finding(arm, outcome, "", rate, 0.33, effect - 0.03, effect + 0.03, 4200, effect, False)


def made_of(*findings: Finding, voice: Personality = VOICE) -> Personality:
    return replace(voice, **changed(voice, suggestions(voice, findings)))


def test_a_finding_reads_as_a_sentence_with_rates_interval_and_count() -> None:
    assert sentence(finding("question", 0.08)) == (
        "Messages that ask a question were answered 41 % against 33 % "
        "(+5 to +11 points, 4,200 messages)."
    )
    brought = Finding("price:2", Outcome.REVENUE, "USD", 210, 140, 20, 120, 800, 70, True)
    assert sentence(brought) == (
        "Offers priced 10 to 25 USD brought $2.10 each against $1.40 "
        "(+$0.20 to +$1.20, 800 offers, all creators together)."
    )


def test_a_trait_that_does_well_becomes_a_line_and_its_opposite_goes() -> None:
    asking = made_of(finding("question", 0.08))
    assert asking.system_prompt == (
        "Be kind.\n\nWhat has worked with fans:\n- Ask the fan one short question."
    )
    not_asking = made_of(finding("question", -0.08), voice=asking)
    assert split_prompt(not_asking.system_prompt) == ("Be kind.", ["Ask questions seldom."])
    assert suggestions(asking, [finding("question", 0.08)]) == []


def test_what_people_wrote_around_the_learned_lines_stays() -> None:
    prompt = "First.\n\nWhat has worked with fans:\n- A line of our own.\n\nLast."
    own, lines = split_prompt(prompt)
    assert (own, lines) == ("First.\n\nLast.", ["A line of our own."])
    assert split_prompt(join_prompt(own, lines)) == (own, lines)


def test_a_trait_that_helps_one_outcome_and_harms_another_is_left_to_people() -> None:
    mixed = [finding("short", 0.08), finding("short", -0.05, Outcome.PURCHASED)]
    assert suggestions(VOICE, mixed) == []


def test_what_holds_everywhere_but_not_for_this_creator_has_no_vote() -> None:
    everywhere = replace(finding("question", 0.08), everywhere=True, expected=-0.04)
    assert suggestions(VOICE, [everywhere]) == []


def test_a_phrase_people_take_out_is_avoided_and_never_forbidden() -> None:
    voice = made_of(finding(f"{PHRASE}hello sunshine", 0.5, Outcome.REMOVED))
    assert voice.preferred_phrases == ()
    assert voice.forbidden_words == ()
    assert "Do not say “hello sunshine”." in voice.system_prompt


def test_the_emoji_style_goes_to_what_does_best() -> None:
    assert made_of(finding("some_emoji", 0.05)).emoji_style is EmojiStyle.MODERATE
    away = made_of(
        finding("many_emoji", -0.1), voice=replace(VOICE, emoji_style=EmojiStyle.FREQUENT)
    )
    assert away.emoji_style is EmojiStyle.MODERATE


@pytest.mark.parametrize(
    ("text", "traits"),
    [
        ("Hey Tom! How was it? 😊", {"question", "exclamation", "name", "short", "some_emoji"}),
        (
            "Haha, thank you love",
            {"short", "no_emoji", "playful", "affection", "thanks", "about_fan"},
        ),
        ("x" * 201, {"long", "no_emoji"}),
    ],
)
def test_the_traits_of_a_text_are_seen(text: str, traits: set[str]) -> None:
    found = {ARMS[place] for place in traits_of(text, words_of(text), frozenset({"tom"}))}
    assert found == traits


def test_a_price_in_another_currency_has_a_band_of_its_own() -> None:
    assert [band_of(p, "USD", "USD") for p in (None, 999, 1000, 4999, 5000)] == [0, 1, 2, 3, 4]
    assert band_of(1500, "JPY", "USD") == 5
    assert band_of(1500, "JPY", "JPY") == 4


def test_a_phrase_is_taken_up_only_if_many_fans_have_read_it() -> None:
    common = Common()
    for fan in range(40):
        text = "Have a lovely evening. " + ("The boat leaves at dawn." if fan % 40 < 3 else "Bye.")
        common.add(runs(pieces_of(text, frozenset())), fan % 4 if "boat" in text else fan)
    assert common.chosen(10, least_share=0.01) == []
    for fan in range(8):
        common.add(runs(pieces_of("The boat leaves at dawn.", frozenset())), 100 + fan)
    assert "boat leaves at dawn" in common.chosen(10, least_share=0.01)


def test_no_phrase_runs_over_a_sentence_or_holds_the_fans_name() -> None:
    pieces = pieces_of("Good night, Tom. Sleep well", frozenset({"tom"}))
    assert set(runs(pieces)) == {"good night", "sleep well"}
    assert Finder(["good night", "night sleep"]).in_(pieces) == {0}


def test_examples_are_apart_from_each_other_and_hold_nothing_that_could_be_a_name() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def said(text: str, fan: int, days: int = 1) -> Answered:
        return Answered(
            UUID(int=fan * 100 + days), text, UUID(int=fan), "Tom", 300, now - timedelta(days=days)
        )

    common = "That sounds like a long week over there."
    candidates = [
        *(said(common, fan, fan) for fan in range(1, 7)),
        said("that was Marge in the garden again.", 8),
        said("that is the best thing, Tom, really.", 9),
        said("that bus was 20 minutes late again.", 10),
        said("that book kept me up until the morning.", 11, 3),
    ]
    chosen = choose(candidates, now, lambda text: "bus" not in text)
    assert [one.text for one in chosen] == [common, candidates[-1].text]
    assert choose(candidates, now, lambda text: False) == []
