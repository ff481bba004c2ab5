"""Fans, chatters and texts of simulated worlds: what must be true of them whatever the seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.adapters.worlds import arrays, chatters, fans
from vaultcrm.adapters.worlds.chance import chance
from vaultcrm.adapters.worlds.people import World, build_world, taste
from vaultcrm.adapters.worlds.presets import PRESETS, PresetName, WorldSpec
from vaultcrm.adapters.worlds.texts import (
    Flaw,
    Reading,
    Recipe,
    compose,
    read_text,
    texts,
    topic_of_fan,
)
from vaultcrm.domain.approval import DecisionAction

PRICED = [name for name in PresetName if name is not PresetName.NOTHING_MATTERS]

prices = st.integers(min_value=300, max_value=20_000)
appealing = st.floats(min_value=-3, max_value=3)
seeds = st.integers(min_value=0, max_value=10_000)
flaw_sets = st.frozensets(st.sampled_from(list(Flaw)))


def small(preset: PresetName = PresetName.STANDARD, seed: int = 7) -> World:
    return build_world(WorldSpec(preset, creators=2, fans=6, days=7, seed=seed))


def test_the_same_spec_is_the_same_world_and_another_seed_another() -> None:
    assert small() == small()
    assert small(seed=8).creators != small().creators


def test_a_creator_is_the_same_however_many_others_there_are() -> None:
    few = build_world(WorldSpec(creators=1, fans=3))
    many = build_world(WorldSpec(creators=4, fans=3))
    assert many.creators[0] == few.creators[0]


@pytest.mark.parametrize("preset", PRICED)
@settings(max_examples=40)
@given(one=prices, other=prices, appeal=appealing, seed=seeds)
def test_no_fan_buys_dearer_more_readily_than_cheaper(
    preset: PresetName, one: int, other: int, appeal: float, seed: int
) -> None:
    fan = small(preset, seed).creators[0].fans[0]
    cheap, dear = sorted((one, other))
    chances = [fans.purchase_probability(PRESETS[preset], fan, p, appeal) for p in (cheap, dear)]
    assert 0.0 < chances[1] <= chances[0] < 1.0


@settings(max_examples=40)
@given(price=prices, low=appealing, high=appealing, seed=seeds)
def test_a_fan_answers_and_buys_no_less_when_a_message_appeals_more(
    price: int, low: float, high: float, seed: int
) -> None:
    world = small(seed=seed)
    fan = world.creators[0].fans[0]
    less, more = sorted((low, high))
    assert fans.reply_probability(fan, less) <= fans.reply_probability(fan, more)
    assert fans.purchase_probability(world.preset, fan, price, less) <= (
        fans.purchase_probability(world.preset, fan, price, more)
    )


@given(early=st.floats(0, 48), late=st.floats(0, 48))
def test_a_fan_who_waited_longer_answers_no_more_readily(early: float, late: float) -> None:
    fan = small().creators[0].fans[0]
    soon, then = sorted((early, late))
    assert fans.reply_probability(fan, 0.3, waited_hours=then) <= (
        fans.reply_probability(fan, 0.3, waited_hours=soon)
    )


def test_a_fan_who_buys_at_a_price_buys_for_less_too() -> None:
    world = small()
    creator = world.creators[0]
    bought = 0
    for fan in creator.fans:
        for number in range(60):
            dear, cheap = (
                fans.react(
                    world,
                    creator,
                    fan,
                    Reading("warm", offers=True),
                    off_topic=False,
                    price_minor=price,
                    minute=600.0,
                    waited_hours=0.0,
                    number=number,
                )
                for price in (5000, 800)
            )
            bought += dear.buys
            assert cheap.buys >= dear.buys
    assert bought


def test_nobody_can_write_better_than_the_oracle() -> None:
    world = small()
    for creator in world.creators:
        for fan in creator.fans:
            best = fans.best_appeal(world.preset, creator, fan, 2.0)
            for tone in texts().tones:
                for phrase in (frozenset[str](), *(frozenset({one}) for one in texts().phrases)):
                    reading = Reading(tone, phrases=phrase, asks=True)
                    found = fans.appeal(
                        world.preset, creator, fan, reading, off_topic=False, week=2.0
                    )
                    assert found <= best + 1e-12


def test_where_nothing_matters_every_message_is_worth_the_same() -> None:
    world = small(PresetName.NOTHING_MATTERS)
    creator = world.creators[0]
    fan = creator.fans[0]
    readings = [
        Reading(tone, phrases=frozenset({phrase}), asks=asks, flaws=frozenset({Flaw.PUSHY}))
        for tone in texts().tones
        for phrase in texts().phrases
        for asks in (True, False)
    ]
    worth = {
        fans.appeal(world.preset, creator, fan, reading, off_topic=True, week=1.0)
        for reading in readings
    }
    assert worth == {0.0}
    assert len({fans.purchase_probability(world.preset, fan, p, 0.0) for p in (300, 9000)}) == 1


def test_tastes_stay_in_the_standard_world_and_turn_in_the_drifting_one() -> None:
    tone = texts().tones[0]
    still, turning = small(), small(PresetName.DRIFTING)
    assert taste(still.preset, still.creators[0], tone, 0) == taste(
        still.preset, still.creators[0], tone, 9
    )
    drifting, creator = turning.preset, turning.creators[0]
    assert taste(drifting, creator, tone, 4) != pytest.approx(taste(drifting, creator, tone, 0))
    assert taste(drifting, creator, tone, 16) == pytest.approx(taste(drifting, creator, tone, 0))


@settings(max_examples=60)
@given(
    tone=st.sampled_from(texts().tones),
    topic=st.sampled_from(texts().topics),
    phrase=st.one_of(st.none(), st.sampled_from(texts().phrases)),
    asks=st.booleans(),
    flaws=st.sets(st.sampled_from([Flaw.PUSHY, Flaw.RAMBLING, Flaw.UNSAFE])),
    offers=st.booleans(),
    seed=seeds,
)
def test_what_a_message_is_made_of_is_read_in_it_again(
    tone: str,
    topic: str,
    phrase: str | None,
    asks: bool,
    flaws: set[Flaw],
    offers: bool,
    seed: int,
) -> None:
    recipe = Recipe(tone, topic, phrase, asks, tuple(flaws), "offer" if offers else "answer")
    reading = read_text(compose(recipe, chance(seed)))
    said = frozenset() if phrase is None else frozenset({phrase})
    assert reading == Reading(tone, topic, said, asks, frozenset(flaws), offers)


def test_what_fans_write_has_the_topic_that_they_mean() -> None:
    for topic, sentences in texts().fan_says.items():
        assert {topic_of_fan(f"Hi! {one}") for one in sentences} == {topic}


@given(flaws=flaw_sets, more=st.sampled_from(list(Flaw)), seed=seeds)
def test_one_flaw_more_never_makes_an_unchanged_approval_likelier(
    flaws: frozenset[Flaw], more: Flaw, seed: int
) -> None:
    chatter = small(seed=seed).creators[0].chatters[0]
    assert chatters.unchanged(chatter, flaws | {more}) <= chatters.unchanged(chatter, flaws)
    assert chatters.unchanged_if_read(chatter, flaws) <= chatters.unchanged(chatter, flaws)


def test_chatters_approve_as_often_as_is_said_to_be_true_of_them() -> None:
    creator = small(PresetName.SLOPPY_CHATTERS).creators[0]
    chatter = replace(creator.chatters[0], haggles=0.0)
    recipe = Recipe(creator.voice[0], "music", flaws=(Flaw.BLAND,))
    text = compose(recipe, chance("a draft"))
    flaws = chatters.flaws_seen(creator, read_text(text), None)
    true = chatters.unchanged(chatter, flaws)
    rulings = [chatters.rule(creator, chatter, text, None, None, n) for n in range(3000)]
    share = sum(one.action is DecisionAction.APPROVE for one in rulings) / len(rulings)
    assert abs(share - true) < 4 * (true * (1 - true) / len(rulings)) ** 0.5


def test_an_edit_takes_the_flaws_out_and_differs_from_the_draft() -> None:
    creator = small().creators[0]
    text = compose(Recipe(creator.voice[0], "music", flaws=(Flaw.PUSHY,)), chance("a draft"))
    rulings = [
        chatters.rule(creator, creator.chatters[0], text, "films", None, n) for n in range(50)
    ]
    edits = [one.text for one in rulings if one.action is DecisionAction.MODIFY]
    assert edits
    for edit in edits:
        assert edit is not None
        assert edit != text
        assert not chatters.flaws_seen(creator, read_text(edit), "films")


@settings(max_examples=60)
@given(minute=st.floats(0, 30_000), seed=seeds)
def test_a_chatter_comes_to_a_draft_after_it_and_on_shift(minute: float, seed: int) -> None:
    creator = small(seed=seed).creators[0]
    chatter, at = chatters.comes_to_it(creator.chatters, minute, seed)
    begins = minute + chatters.waits_for(chatter, minute)
    assert minute < at <= begins + 60
    assert chatters.waits_for(chatter, begins + 1e-6) == pytest.approx(0.0)


def test_fans_as_arrays_are_the_fans_themselves() -> None:
    for preset in (PresetName.STANDARD, PresetName.DRIFTING, PresetName.SLOPPY_CHATTERS):
        world = small(preset)
        told = arrays.arrays_of(world)
        rng = np.random.default_rng(5)
        sent = arrays.draw_messages(told, arrays.starting_policy(told), 200, week=3.0, rng=rng)
        prices_minor = rng.integers(300, 9000, size=200)
        replies = arrays.reply_chances(told, sent, waited_hours=2.0)
        sales = arrays.purchase_chances(told, sent, prices_minor)
        approvals = arrays.approval_chances(told, sent)
        phrases = (*texts().phrases, None)
        for n in range(200):
            creator = world.creators[sent.creator[n]]
            fan, phrase = creator.fans[sent.fan[n]], phrases[sent.phrase[n]]
            flaws = frozenset(f for f, has in zip(arrays.FLAWS, sent.flaws[n], strict=True) if has)
            reading = Reading(
                texts().tones[sent.tone[n]],
                phrases=frozenset() if phrase is None else frozenset({phrase}),
                asks=bool(sent.asks[n]),
                flaws=flaws,
            )
            found = fans.appeal(world.preset, creator, fan, reading, off_topic=False, week=3.0)
            reply = fans.reply_probability(fan, found, mood=sent.mood[n], waited_hours=2.0)
            sale = fans.purchase_probability(world.preset, fan, int(prices_minor[n]), found)
            seen = chatters.flaws_seen(creator, reading, None)
            approval = chatters.unchanged(creator.chatters[sent.chatter[n]], seen)
            assert replies[n] == pytest.approx(reply)
            assert sales[n] == pytest.approx(sale)
            assert approvals[n] == pytest.approx(approval)


def test_no_policy_is_worth_more_than_the_oracles() -> None:
    told = arrays.arrays_of(small())
    best = arrays.value(told, arrays.oracle_policy(told, 0.0), 0.0)
    assert (arrays.value(told, arrays.starting_policy(told), 0.0) < best).all()
    nothing = arrays.arrays_of(small(PresetName.NOTHING_MATTERS))
    assert arrays.value(nothing, arrays.starting_policy(nothing), 0.0) == pytest.approx(
        arrays.value(nothing, arrays.oracle_policy(nothing, 0.0), 0.0)
    )
