"""A world: creators, their fans and their chatters, with everything that is true of them."""

import math
from dataclasses import dataclass, field

from vaultcrm.adapters.worlds.chance import chance
from vaultcrm.adapters.worlds.presets import PRESETS, Preset, WorldSpec
from vaultcrm.adapters.worlds.texts import texts


@dataclass(frozen=True, slots=True)
class WorldFan:
    """One fan. `chattiness` and `price_sensitivity` lie in 0..1; `peak_hour` (UTC) is when they are
    most awake. `leanings` are what single tones do to this fan beside what they do to all.
    `is_new`: follows the creator while the world runs; the rest were there before. `was_told`: has
    been told before the world begins that AI may write. `spent_minor` is what they spent before.
    """

    handle: str
    name: str
    chattiness: float
    price_sensitivity: float
    peak_hour: float
    leanings: dict[str, float]
    topics: tuple[str, ...]
    is_new: bool
    was_told: bool
    spent_minor: int


@dataclass(frozen=True, slots=True)
class WorldChatter:
    """One chatter. On shift from `shift_begins` (hour, UTC) for `shift_hours`. `minutes` is the
    median time to a decision. `leniency` is added to the logit of P(approved unchanged);
    `sloppiness` is the share of drafts that they approve unread. `manner` is what they add when
    they edit. `haggles` is how often they lower the price of an offer.
    """

    handle: str
    shift_begins: float
    shift_hours: float
    minutes: float
    leniency: float
    sloppiness: float
    manner: str
    haggles: float


@dataclass(frozen=True, slots=True)
class WorldCreator:
    """One creator. `voice` are the tones that the team holds for hers, which chatters judge drafts
    by. `tastes` are what tones do to her fans at the beginning, `later` what they do after a
    quarter of a turn. `phrase_effects` has every phrase, most of them with 0.
    """

    handle: str
    name: str
    voice: tuple[str, ...]
    tastes: dict[str, float]
    later: dict[str, float]
    phrase_effects: dict[str, float]
    fans: tuple[WorldFan, ...]
    chatters: tuple[WorldChatter, ...]


@dataclass(frozen=True, slots=True)
class World:
    """All that is true. `spec` and nothing else decides it."""

    spec: WorldSpec
    preset: Preset
    creators: tuple[WorldCreator, ...] = field(repr=False)


def build_world(spec: WorldSpec) -> World:
    """The world of a spec: the same for the same spec. A creator is the same however many others
    there are.
    """
    preset = PRESETS[spec.preset]
    return World(
        spec, preset, tuple(_creator(spec, preset, number) for number in range(spec.creators))
    )


def taste(preset: Preset, creator: WorldCreator, tone: str, week: float) -> float:
    """What a tone does to a creator's fans, on the logit of P(reply), `week` weeks in.

    With drift: t cos(a) + l sin(a), where a goes once round in `drift_weeks` weeks.
    """
    first = creator.tastes.get(tone, 0.0)
    if not preset.drift_weeks:
        return first
    turned = 2.0 * math.pi * week / preset.drift_weeks
    return first * math.cos(turned) + creator.later.get(tone, 0.0) * math.sin(turned)


def best_tone(preset: Preset, creator: WorldCreator, week: float) -> str:
    """The tone that her fans answer most, as long as one tone has to do for all."""
    return max(texts().tones, key=lambda tone: taste(preset, creator, tone, week))


def best_phrase(creator: WorldCreator) -> str | None:
    """The phrase that her fans answer most; None where none does any good."""
    phrase = max(texts().phrases, key=lambda one: creator.phrase_effects[one])
    return phrase if creator.phrase_effects[phrase] > 0 else None


def starting_tones(creator: WorldCreator) -> tuple[str, ...]:
    """The tones in the personality that a creator begins with: two of her three."""
    return creator.voice[:2]


def starting_phrases(world: World, creator: WorldCreator) -> tuple[str, ...]:
    """The phrases in that personality: three, which nobody has tried."""
    random = chance("voice", world.spec.seed, creator.handle)
    return tuple(random.sample(texts().phrases, k=3))


def _creator(spec: WorldSpec, preset: Preset, number: int) -> WorldCreator:
    random = chance("creator", spec.seed, number)
    known = texts()
    names = known.creator_names
    name = f"{names[number % len(names)]} {number + 1}"
    handle = f"creator{number + 1:03}"
    # Drawn with a spread of 1 and scaled, so that presets of one seed differ in nothing else.
    tastes = {tone: preset.tone_spread * random.gauss(0, 1) for tone in known.tones}
    later = {tone: preset.tone_spread * random.gauss(0, 1) for tone in known.tones}
    effects = {}
    for place, phrase in enumerate(known.phrases):
        drawn = preset.phrase_spread * random.gauss(0, 1)
        effects[phrase] = drawn if place % 2 == number % 2 else 0.0
    voice = tuple(random.sample(known.tones, k=3))
    return WorldCreator(
        handle=handle,
        name=name,
        voice=voice,
        tastes=tastes,
        later=later,
        phrase_effects=effects,
        fans=tuple(_fan(spec, preset, handle, place) for place in range(spec.fans)),
        chatters=tuple(_chatter(spec, preset, handle, place) for place in range(2)),
    )


def _fan(spec: WorldSpec, preset: Preset, creator: str, number: int) -> WorldFan:
    random = chance("fan", spec.seed, creator, number)
    known = texts()
    first = known.fan_names[number % len(known.fan_names)]
    return WorldFan(
        handle=f"fan{number + 1:04}",
        name=f"{first} {number + 1}",
        chattiness=round(random.betavariate(2.2, 1.8), 4),
        price_sensitivity=round(random.betavariate(*preset.sensitivity), 4),
        peak_hour=random.gauss(19.0, 3.0) % 24,
        leanings={tone: preset.fan_spread * random.gauss(0, 1) for tone in known.tones},
        topics=tuple(random.sample(known.topics, k=3)),
        is_new=random.random() < 0.2,
        was_told=random.random() < 0.7,
        spent_minor=round(math.exp(random.gauss(8.5, 1.4))),
    )


def _chatter(spec: WorldSpec, preset: Preset, creator: str, number: int) -> WorldChatter:
    random = chance("chatter", spec.seed, creator, number)
    spread = 0.5 + random.random()
    return WorldChatter(
        handle=f"{creator}-chatter{number + 1}",
        shift_begins=(8.0, 15.0)[number % 2] + random.uniform(-1, 1),
        shift_hours=9.0,
        minutes=round(math.exp(random.gauss(1.2, 0.4)), 2),
        leniency=preset.leniency_spread * random.gauss(0, 1),
        sloppiness=min(0.9, preset.sloppiness * spread),
        manner=random.choice(texts().extras),
        haggles=0.1 + 0.2 * random.random(),
    )
