"""A world: what fans like, how a voice writes, and what comes of it. Everything follows a seed."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vaultcrm.domain.learning import PHRASE, Hypothesis, Outcome, Score
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.pipeline.learning.proposing import AVOID, LINES, PRICE, split_prompt
from vaultcrm.pipeline.learning.tallying import BANDS, Tally
from vaultcrm.pipeline.learning.traits import ARMS, INDEX, PRICE_BANDS

Floats = NDArray[np.float64]

CREATORS = 20
MESSAGES = 250
FANS = 60
OFFER_SHARE = 0.2
CURRENCY = "USD"

FREE_TRAITS = ("question", "exclamation", "name", "playful", "affection", "thanks", "about_fan")
EMOJI_TRAITS = ("no_emoji", "some_emoji", "many_emoji")
LENGTHS = ("short", "", "long")
PHRASES = tuple(f"phrase number {n}" for n in range(8))
"""What stands for eight phrases of a creator's; the last two are taken out by chatters."""

TASTES = {
    "question": 0.10,
    "name": 0.06,
    "about_fan": 0.07,
    "playful": 0.05,
    "affection": -0.05,
    "some_emoji": 0.04,
    "many_emoji": -0.06,
    "short": 0.05,
    "long": -0.06,
}
"""By how much a trait changes the probability of a reply, for a typical creator's fans."""
OWN_TASTES = 0.03
"""Standard deviation of that between creators, also for traits that typically change nothing."""
TASTES_APART = 0.07
"""The same where creators have nothing in common."""
FAN_TASTES = 0.05
PHRASE_TASTES = (0.06, 0.04, 0.0, 0.0, 0.0, 0.0, -0.05, -0.05)
REPLIES = {"whale": 0.45, "high": 0.4, "medium": 0.34, "low": 0.28}
TIER_SHARES = (0.05, 0.15, 0.3, 0.5)
PRICES_MINOR = (600, 1500, 3500, 7000)
BUYS = (0.26, 0.20, 0.07, 0.02)
"""The probability that an offer in each band of prices is bought, for a typical fan."""

USED = {"base": 0.4, "told": 0.85, "told_not": 0.08}
EMOJI_MIX = {
    EmojiStyle.NONE: (0.9, 0.08, 0.02),
    EmojiStyle.RARE: (0.6, 0.3, 0.1),
    EmojiStyle.MODERATE: (0.15, 0.7, 0.15),
    EmojiStyle.FREQUENT: (0.08, 0.25, 0.67),
}
LENGTH_MIX = {
    "": (0.35, 0.4, 0.25),
    "short": (0.8, 0.15, 0.05),
    "long": (0.08, 0.22, 0.7),
    "middle": (0.1, 0.8, 0.1),
}
PHRASE_USED = {"base": 0.15, "preferred": 0.5, "avoided": 0.01}
TAKEN_OUT = (*([0.04] * 6), 0.4, 0.4)
"""How often a chatter takes each phrase out of a draft that has it."""


@dataclass(frozen=True)
class Truth:
    """What matters to one creator's fans."""

    traits: dict[str, float]
    phrases: tuple[float, ...]
    buys: tuple[float, ...]
    taken_out: tuple[float, ...]


@dataclass(frozen=True)
class Policy:
    """How a voice writes: how often each trait, emoji, length, price band and phrase is used."""

    traits: dict[str, float]
    emoji: tuple[float, ...]
    lengths: tuple[float, ...]
    prices: tuple[float, ...]
    phrases: tuple[float, ...]


def truth_of(random: np.random.Generator, *, matters: bool, alike: bool = True) -> Truth:
    if not matters:
        # A dearer offer is bought as much more seldom, so that each price brings the same.
        buys = tuple(150 / price for price in PRICES_MINOR)
        return Truth({}, (0.0,) * len(PHRASES), buys, (0.05,) * len(PHRASES))
    named = (*FREE_TRAITS, *EMOJI_TRAITS, "short", "long")
    if alike:
        traits = {name: TASTES.get(name, 0.0) + random.normal(0, OWN_TASTES) for name in named}
    else:
        traits = {name: random.normal(0, TASTES_APART) for name in named}
    scale = np.exp(random.normal(0, 0.1, len(BUYS)))
    return Truth(
        traits,
        tuple(random.permutation(PHRASE_TASTES[:6])) + PHRASE_TASTES[6:],
        tuple(float(b * s) for b, s in zip(BUYS, scale, strict=True)),
        TAKEN_OUT,
    )


def starting_voice(number: int) -> Personality:
    return Personality(
        UUID(int=number + 1), 0, "friendly", ("warm",), (), (), EmojiStyle.RARE, "Be kind."
    )


def policy_of(voice: Personality) -> Policy:
    """What a model makes of a voice: most of what it is told, not all."""
    _, lines = split_prompt(voice.system_prompt)

    def used(trait: str) -> float:
        more, less = LINES[trait]
        return USED["told" if more in lines else "told_not" if less in lines else "base"]

    length = (
        "short"
        if LINES["short"][0] in lines
        else "long"
        if LINES["long"][0] in lines
        else "middle"
        if LINES["short"][1] in lines
        else ""
    )
    mix = list(LENGTH_MIX[length])
    if LINES["long"][1] in lines and length != "long":
        mix = [mix[0], mix[1] + mix[2] * 0.9, mix[2] * 0.1]
    prices = [0.25] * 4
    for band in range(4):
        if PRICE.format(PRICE_BANDS[band + 1], CURRENCY) in lines:
            prices = [0.7 if each == band else 0.1 for each in range(4)]
    phrases = tuple(
        PHRASE_USED[
            "preferred"
            if phrase in voice.preferred_phrases
            else "avoided"
            if AVOID.format(phrase) in lines
            else "base"
        ]
        for phrase in PHRASES
    )
    return Policy(
        {trait: used(trait) for trait in FREE_TRAITS},
        EMOJI_MIX[voice.emoji_style],
        tuple(mix),
        tuple(prices),
        phrases,
    )


def best_policy(truth: Truth) -> Policy:
    """What somebody would do who knows the truth, with the same knobs."""

    def best(value: float) -> float:
        return USED["told"] if value > 0 else USED["told_not"]

    def weigh(mix: tuple[float, ...], names: tuple[str, ...]) -> float:
        return sum(m * truth.traits.get(n, 0.0) for m, n in zip(mix, names, strict=True))

    brings = [price * buys for price, buys in zip(PRICES_MINOR, truth.buys, strict=True)]
    top = int(np.argmax(brings))
    return Policy(
        {trait: best(truth.traits.get(trait, 0.0)) for trait in FREE_TRAITS},
        max(EMOJI_MIX.values(), key=lambda mix: weigh(mix, EMOJI_TRAITS)),
        max(LENGTH_MIX.values(), key=lambda mix: weigh(mix, LENGTHS)),
        tuple(0.7 if band == top else 0.1 for band in range(4)),
        tuple(PHRASE_USED["preferred" if v > 0 else "avoided"] for v in truth.phrases),
    )


def value(policy: Policy, truth: Truth) -> tuple[float, float]:
    """The probability of a reply, and what an offer brings in minor units, on average."""
    replies = sum(s * r for s, r in zip(TIER_SHARES, REPLIES.values(), strict=True))
    replies += sum(policy.traits[t] * truth.traits.get(t, 0.0) for t in FREE_TRAITS)
    for mix, names in ((policy.emoji, EMOJI_TRAITS), (policy.lengths, LENGTHS)):
        replies += sum(m * truth.traits.get(n, 0.0) for m, n in zip(mix, names, strict=True))
    replies += sum(u * v for u, v in zip(policy.phrases, truth.phrases, strict=True))
    brings = sum(
        share * price * buys
        for share, price, buys in zip(policy.prices, PRICES_MINOR, truth.buys, strict=True)
    )
    return replies, brings


def a_week(
    random: np.random.Generator, policy: Policy, truth: Truth, messages: int = MESSAGES
) -> dict[Hypothesis, Score]:
    """One creator's week as the product would count it."""
    fans = random.integers(0, FANS, messages)
    # A fan's tier, moods and tastes are theirs for good, whichever week it is.
    of_fan = np.random.default_rng(1)
    tiers = of_fan.choice(4, FANS, p=TIER_SHARES)[fans]
    moods = of_fan.normal(0, 0.05, FANS)[fans]
    arms: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    base = np.array(list(REPLIES.values()))[tiers]
    reply: Floats = np.add(base, moods)

    def has(arm: int, which: NDArray[np.bool_], effect: float) -> None:
        places = np.flatnonzero(which)
        arms.append(np.full(len(places), arm))
        rows.append(places)
        tastes = of_fan.normal(0, FAN_TASTES if effect else 0.0, FANS)[fans]
        np.add(reply, which * (effect + tastes), out=reply)

    for trait in FREE_TRAITS:
        # Whoever spends much is called by name more often, which is not why they answer.
        share = np.full(messages, policy.traits[trait])
        if trait == "name":
            share = np.clip(share + 0.1 * (tiers < 2), 0, 1)
        has(INDEX[trait], random.random(messages) < share, truth.traits.get(trait, 0.0))
    emoji = random.choice(3, messages, p=np.array(policy.emoji) / sum(policy.emoji))
    for place, trait in enumerate(EMOJI_TRAITS):
        has(INDEX[trait], emoji == place, truth.traits.get(trait, 0.0))
    lengths = random.choice(3, messages, p=np.array(policy.lengths) / sum(policy.lengths))
    for place, trait in ((0, "short"), (2, "long")):
        has(INDEX[trait], lengths == place, truth.traits.get(trait, 0.0))
    for place, used in enumerate(policy.phrases):
        has(len(ARMS) + place, random.random(messages) < used, truth.phrases[place])

    hours = random.integers(0, 4, messages)
    offers = random.random(messages) < OFFER_SHARE
    bands = np.where(offers, 1 + random.choice(4, messages, p=policy.prices), 0)
    for hour in range(4):
        has(INDEX[f"hours:{hour}"], hours == hour, 0.0)
    for band in range(1, 5):
        has(INDEX[f"price:{band}"], bands == band, 0.0)
    prices = np.array([0, *PRICES_MINOR])[bands]
    buys = np.array([0.0, *truth.buys])[bands] * np.array([1.6, 1.3, 1.0, 0.8])[tiers]
    replied = random.random(messages) < np.clip(reply, 0.02, 0.98)
    bought = random.random(messages) < buys
    outcomes = np.array([replied, bought, bought * prices], dtype=np.float64)

    tally = Tally(PHRASES)
    strata = (tiers * BANDS + bands).astype(np.int64)
    tally.add_arrays(strata, outcomes, np.concatenate(arms), np.concatenate(rows))
    return tally.scores(CURRENCY) | _edits(random, policy, truth, messages)


def _edits(
    random: np.random.Generator, policy: Policy, truth: Truth, messages: int
) -> dict[Hypothesis, Score]:
    """What chatters take out. That each phrase is as likely as any other is what chance means."""
    found = {}
    for phrase, share, removal in zip(PHRASES, policy.phrases, truth.taken_out, strict=True):
        had = int(random.binomial(messages, share))
        times = int(random.binomial(had, removal))
        chance = had * 0.05
        if had:
            score = Score(times - chance, chance, had, times, chance, had, messages - had)
            found[Hypothesis(PHRASE + phrase, Outcome.REMOVED)] = score
    return found
