"""The same fans and chatters as arrays, for learning at speed: same truth, no text, no database.

Shapes: C creators, F fans of each, T tones, P phrases, K chatters of each creator, G flaws, n
messages. Tones, phrases and flaws go by their place in `texts().tones`, `texts().phrases`
and `FLAWS`. Imports numpy: for commands, worker jobs and evaluations only.

    world = arrays_of(build_world(WorldSpec(creators=20, fans=50)))
    sent = draw_messages(world, starting_policy(world), 5_000, week=0, rng=default_rng(1))
    replied = rng.random(5_000) < reply_chances(world, sent)
    approved = rng.random(5_000) < approval_chances(world, sent)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vaultcrm.adapters.worlds.chatters import CLEAN, FLAW_COSTS
from vaultcrm.adapters.worlds.fans import FLAW_APPEAL
from vaultcrm.adapters.worlds.people import World, starting_phrases, starting_tones
from vaultcrm.adapters.worlds.texts import Flaw, texts
from vaultcrm.adapters.worlds.voice import FLAW_RATES, FOLLOWS_PHRASE, FOLLOWS_TONE, RATING_NOISE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FLAWS = tuple(FLAW_RATES)
"""The flaws that a drafter makes; being off the voice follows from the tone."""
MOOD_SPREAD = 0.4


@dataclass(frozen=True, slots=True)
class ArrayWorld:
    """What is true of a world. `tastes` and `later` (C, T), `leanings` (C, F, T), `phrases` (C, P)
    are effects on the logit of P(reply); `voice` (C, T) says which tones are the creator's;
    `chattiness`, `sensitivity` (C, F); `leniency`, `sloppiness` (C, K).
    """

    world: World
    tastes: Floats
    later: Floats
    leanings: Floats
    phrases: Floats
    voice: Bools
    chattiness: Floats
    sensitivity: Floats
    leniency: Floats
    sloppiness: Floats


@dataclass(frozen=True, slots=True)
class Policy:
    """How drafts are written, for each creator: probabilities of tones (C, T), of phrases (C, P+1,
    the last of them of none) and of a question (C).
    """

    tones: Floats
    phrases: Floats
    asks: Floats


@dataclass(frozen=True, slots=True)
class Messages:
    """Drafts as arrays of n. `phrase` P is none; `flaws` is (n, G); `mood` that of the fan; what
    the drafter says of itself is `rating`, 0-100.
    """

    creator: Ints
    fan: Ints
    chatter: Ints
    tone: Ints
    phrase: Ints
    asks: Bools
    flaws: Bools
    mood: Floats
    rating: Floats
    week: float


def arrays_of(world: World) -> ArrayWorld:
    """The truth of a world as arrays; what its scalar functions say, these say too."""
    tones, phrases = texts().tones, texts().phrases
    creators = world.creators
    return ArrayWorld(
        world=world,
        tastes=np.array([[one.tastes[tone] for tone in tones] for one in creators]),
        later=np.array([[one.later[tone] for tone in tones] for one in creators]),
        leanings=np.array(
            [[[fan.leanings[tone] for tone in tones] for fan in one.fans] for one in creators]
        ),
        phrases=np.array([[one.phrase_effects[phrase] for phrase in phrases] for one in creators]),
        voice=np.array([[tone in one.voice for tone in tones] for one in creators]),
        chattiness=np.array([[fan.chattiness for fan in one.fans] for one in creators]),
        sensitivity=np.array([[fan.price_sensitivity for fan in one.fans] for one in creators]),
        leniency=np.array([[one.leniency for one in each.chatters] for each in creators]),
        sloppiness=np.array([[one.sloppiness for one in each.chatters] for each in creators]),
    )


def tone_effects(world: ArrayWorld, week: float) -> Floats:
    """What tones do to a creator's fans (C, T) so many weeks in: `people.taste`, for all."""
    period = world.world.preset.drift_weeks
    if not period:
        return world.tastes
    turned = 2 * np.pi * week / period
    found: Floats = world.tastes * np.cos(turned) + world.later * np.sin(turned)
    return found


def appeals(world: ArrayWorld, sent: Messages) -> Floats:
    """`fans.appeal` of each message (n)."""
    preset = world.world.preset
    tones = tone_effects(world, sent.week)[sent.creator, sent.tone]
    leanings = world.leanings[sent.creator, sent.fan, sent.tone]
    none = np.zeros((len(world.phrases), 1))
    phrases = np.concatenate([world.phrases, none], axis=1)[sent.creator, sent.phrase]
    costs = np.array([FLAW_APPEAL.get(flaw, 0.0) for flaw in FLAWS])
    found: Floats = (
        tones
        + leanings
        + phrases
        + preset.question_effect * sent.asks
        - preset.flaw_scale * (sent.flaws @ costs)
    )
    return found


def reply_chances(world: ArrayWorld, sent: Messages, *, waited_hours: float = 0.0) -> Floats:
    """`fans.reply_probability` of each message (n)."""
    chattiness = world.chattiness[sent.creator, sent.fan]
    waited = min(max(waited_hours, 0.0), 12.0)
    return _logistic(-1.0 + 2.2 * chattiness + appeals(world, sent) + sent.mood - 0.08 * waited)


def purchase_chances(world: ArrayWorld, sent: Messages, price_minor: Ints) -> Floats:
    """`fans.purchase_probability` of each message, were it an offer at that price (n)."""
    scale = world.world.preset.price_scale
    sensitivity = world.sensitivity[sent.creator, sent.fan]
    willing = _logistic(-0.4 + appeals(world, sent) - sensitivity * min(scale, 1.0))
    easy = 15.0 + 105.0 * (1.0 - sensitivity)
    found: Floats = willing * np.exp(-scale * price_minor / 100.0 / easy)
    return found


def approval_chances(world: ArrayWorld, sent: Messages, *, if_read: bool = False) -> Floats:
    """P(approved unchanged) by the chatter who comes to it (n): `chatters.unchanged`, or
    `chatters.unchanged_if_read`.
    """
    read = _logistic(quality(world, sent) + world.leniency[sent.creator, sent.chatter])
    if if_read:
        return read
    sloppy = world.sloppiness[sent.creator, sent.chatter]
    found: Floats = sloppy + (1 - sloppy) * read
    return found


def quality(world: ArrayWorld, sent: Messages) -> Floats:
    """`chatters.quality` of each draft (n)."""
    costs = np.array([FLAW_COSTS[flaw] for flaw in FLAWS])
    off_voice = ~world.voice[sent.creator, sent.tone]
    found: Floats = CLEAN - sent.flaws @ costs - FLAW_COSTS[Flaw.OFF_VOICE] * off_voice
    return found


def starting_policy(world: ArrayWorld) -> Policy:
    """How the drafter of `voice` writes with the personality that a world begins with."""
    tones, phrases = texts().tones, texts().phrases
    creators = world.world.creators
    chances = np.full((len(creators), len(tones)), (1 - FOLLOWS_TONE) / len(tones))
    said = np.zeros((len(creators), len(phrases) + 1))
    for number, creator in enumerate(creators):
        for tone in (named := starting_tones(creator)):
            chances[number, tones.index(tone)] += FOLLOWS_TONE / len(named)
        for phrase in (liked := starting_phrases(world.world, creator)):
            said[number, phrases.index(phrase)] = FOLLOWS_PHRASE / len(liked)
    said[:, -1] = 1 - FOLLOWS_PHRASE
    return Policy(chances, said, np.full(len(creators), 0.5))


def draw_messages(
    world: ArrayWorld, policy: Policy, count: int, *, week: float, rng: np.random.Generator
) -> Messages:
    """Drafts to fans who are drawn evenly, written by a policy."""
    creators, fans = world.chattiness.shape
    creator = rng.integers(creators, size=count)
    flaws = rng.random((count, len(FLAWS))) < np.array([FLAW_RATES[flaw] for flaw in FLAWS])
    costs = flaws @ np.array([FLAW_COSTS[flaw] for flaw in FLAWS])
    rating = np.rint(96 - 7 * costs + rng.normal(0, RATING_NOISE, count))
    return Messages(
        creator=creator,
        fan=rng.integers(fans, size=count),
        chatter=rng.integers(world.leniency.shape[1], size=count),
        tone=_drawn(policy.tones[creator], rng),
        phrase=_drawn(policy.phrases[creator], rng),
        asks=rng.random(count) < policy.asks[creator],
        flaws=flaws,
        mood=rng.normal(0, MOOD_SPREAD, count),
        rating=np.clip(rating, 0, 100),
        week=week,
    )


def value(world: ArrayWorld, policy: Policy, week: float) -> Floats:
    """P(reply) of a draft without flaws to an average fan in an even mood (C): exact, undrawn."""
    base = -1.0 + 2.2 * world.chattiness
    effects = tone_effects(world, week)[:, None, :] + world.leanings
    said = np.concatenate([world.phrases, np.zeros((len(world.phrases), 1))], axis=1)
    total: Floats = np.zeros(len(world.phrases))
    for asks in (False, True):
        share = policy.asks if asks else 1 - policy.asks
        bonus = world.world.preset.question_effect * asks
        for phrase in range(said.shape[1]):
            logit = base[:, :, None] + effects + said[:, phrase][:, None, None] + bonus
            by_tone = _logistic(logit).mean(axis=1)
            total += share * policy.phrases[:, phrase] * (policy.tones * by_tone).sum(axis=1)
    return total


def oracle_policy(world: ArrayWorld, week: float) -> Policy:
    """The best policy for each creator, as long as one has to do for all her fans: one tone, one
    phrase or none, and a question always or never.
    """
    base = -1.0 + 2.2 * world.chattiness
    effects = tone_effects(world, week)[:, None, :] + world.leanings
    best_tone = _logistic(base[:, :, None] + effects).mean(axis=1).argmax(axis=1)
    said = np.concatenate([world.phrases, np.zeros((len(world.phrases), 1))], axis=1)
    asks = 1.0 if world.world.preset.question_effect > 0 else 0.0
    return Policy(
        np.eye(effects.shape[2])[best_tone],
        np.eye(said.shape[1])[said.argmax(axis=1)],
        np.full(len(world.phrases), asks),
    )


def _drawn(chances: Floats, rng: np.random.Generator) -> Ints:
    """One place of each row, by the row's probabilities."""
    edges = np.cumsum(chances, axis=1)
    drawn: Ints = (rng.random((len(chances), 1)) * edges[:, -1:] > edges).sum(axis=1)
    return drawn


def _logistic(x: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-x))
    return found
