"""What fans do: write unasked, answer, buy, tip, take money back, fall silent.

Rates are per message that reached the fan, unless said otherwise.
"""

import math
from dataclasses import dataclass
from random import Random

from vaultcrm.adapters.worlds.chance import chance, logistic, share
from vaultcrm.adapters.worlds.people import World, WorldCreator, WorldFan, taste
from vaultcrm.adapters.worlds.presets import Preset
from vaultcrm.adapters.worlds.texts import Flaw, Reading, texts

DAY_MINUTES = 24 * 60
PRICES_MINOR = (500, 800, 1200, 1500, 2000, 2500, 3500, 5000, 7500, 10_000)
"""What offers cost, in cents: what drafters choose from, and the oracle too."""
LONGEST_WAIT_HOURS = 12.0

FLAW_APPEAL = {
    Flaw.BLAND: 0.8,
    Flaw.PUSHY: 0.7,
    Flaw.RAMBLING: 0.4,
    Flaw.OFF_TOPIC: 0.9,
    Flaw.UNSAFE: 0.5,
}
"""What each flaw takes from a message's appeal, before the preset's scale."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a fan does about one message. Times are minutes after it reached them.

    `reply` is None for a fan who writes nothing; `tip_minor` 0 is no tip. `goes_silent`: nothing
    more comes from this fan. `refunds_after` is None unless they take back what they paid, so many
    minutes after they bought.
    """

    reply: str | None
    minutes: float
    buys: bool
    tip_minor: int
    goes_silent: bool
    refunds_after: float | None = None


def mood(world: World, creator: WorldCreator, fan: WorldFan, day: int) -> float:
    """How a fan feels on a day, on the logit of P(reply): normal, standard deviation 0.4."""
    random = chance("mood", world.spec.seed, creator.handle, fan.handle, day)
    return random.gauss(0, 0.4)


def appeal(
    preset: Preset,
    creator: WorldCreator,
    fan: WorldFan,
    reading: Reading,
    *,
    off_topic: bool,
    week: float,
) -> float:
    """How much a message appeals to a fan, on the logit of P(reply): the sum of what tone, phrases,
    question and flaws do.
    """
    total = 0.0
    if reading.tone is not None:
        total += taste(preset, creator, reading.tone, week) + fan.leanings[reading.tone]
    total += sum(creator.phrase_effects[phrase] for phrase in reading.phrases)
    if reading.asks:
        total += preset.question_effect
    flaws = reading.flaws | ({Flaw.OFF_TOPIC} if off_topic else set())
    return total - preset.flaw_scale * sum(FLAW_APPEAL.get(flaw, 0.0) for flaw in flaws)


def reply_probability(
    fan: WorldFan, appealing: float, *, mood: float = 0.0, waited_hours: float = 0.0
) -> float:
    """logistic(-1 + 2.2 chattiness + appeal + mood - 0.08 min(hours waited, 12)).

    Rises with chattiness, appeal and mood; falls with the time that the fan waited for an answer.
    """
    waited = min(max(waited_hours, 0.0), LONGEST_WAIT_HOURS)
    return logistic(-1.0 + 2.2 * fan.chattiness + appealing + mood - 0.08 * waited)


def purchase_probability(
    preset: Preset, fan: WorldFan, price_minor: int, appealing: float
) -> float:
    """logistic(-0.4 + appeal - s) exp(-k p / b), with p the price in whole units, s the price
    sensitivity, k the preset's price scale and b = 15 + 105 (1 - s) the spending that comes easily.

    Falls with the price and with s (where k > 0), rises with the appeal.
    """
    sensitivity = fan.price_sensitivity
    easy = 15.0 + 105.0 * (1.0 - sensitivity)
    willing = logistic(-0.4 + appealing - sensitivity * min(preset.price_scale, 1.0))
    return willing * math.exp(-preset.price_scale * price_minor / 100.0 / easy)


def best_price(preset: Preset, fan: WorldFan, appealing: float) -> int:
    """The price of `PRICES_MINOR` that earns most from this fan on average."""
    return max(
        PRICES_MINOR, key=lambda price: price * purchase_probability(preset, fan, price, appealing)
    )


def best_appeal(preset: Preset, creator: WorldCreator, fan: WorldFan, week: float) -> float:
    """The appeal of the best message that one who knows all could write to this fan."""
    tones = texts().tones
    best = max(taste(preset, creator, tone, week) + fan.leanings[tone] for tone in tones)
    return best + max(0.0, *creator.phrase_effects.values()) + max(0.0, preset.question_effect)


def plain_appeal(preset: Preset, creator: WorldCreator, fan: WorldFan, week: float) -> float:
    """The mean appeal of what chatters write by hand (`chatters.by_hand`): the voice's tones, no
    phrase, a question every other time.
    """
    likings = [taste(preset, creator, tone, week) + fan.leanings[tone] for tone in creator.voice]
    return sum(likings) / len(likings) + preset.question_effect / 2


def react(
    world: World,
    creator: WorldCreator,
    fan: WorldFan,
    reading: Reading,
    *,
    off_topic: bool,
    price_minor: int | None,
    minute: float,
    waited_hours: float,
    number: int,
) -> Reaction:
    """What a fan does about the message that reached them in minute `minute` of the world.

    `number` tells the messages to one fan apart. Whoever buys at a price would, all else equal,
    have bought for less.
    """
    seed = world.spec.seed
    week, day = minute / (7 * DAY_MINUTES), int(minute // DAY_MINUTES)
    random = chance("react", seed, creator.handle, fan.handle, number)
    willing, talks, tips, leaves, regrets = (random.random() for _ in range(5))
    found = appeal(world.preset, creator, fan, reading, off_topic=off_topic, week=week)
    buys = price_minor is not None and willing < purchase_probability(
        world.preset, fan, price_minor, found
    )
    chance_of_reply = reply_probability(
        fan, found, mood=mood(world, creator, fan, day), waited_hours=waited_hours
    )
    if price_minor is not None and not buys:
        chance_of_reply *= 0.5
    reply = None
    if talks < chance_of_reply:
        reply = _words(fan, random, buys=buys, offered=price_minor is not None)
    minutes = min(8.0 * 60.0, 4.0 * math.exp(2.0 * (1 - fan.chattiness) + random.gauss(0, 0.8)))
    tip = 0
    if reply is not None and tips < 0.02 * (1.5 - fan.price_sensitivity):
        tip = random.choice((300, 500, 1000, 2000))
    return Reaction(
        reply=reply,
        minutes=_when_awake(fan, minute + minutes) - minute,
        buys=buys,
        tip_minor=tip,
        goes_silent=leaves < 0.001 + 0.004 * logistic(-2.0 * found),
        refunds_after=180.0 + 1200.0 * random.random() if buys and regrets < 0.03 else None,
    )


def opening_minutes(
    world: World, creator: WorldCreator, fan: WorldFan, day: int
) -> tuple[float, ...]:
    """When a fan writes unasked on a day, in minutes of the world, in order.

    A fan opens 0.1 + 0.5 chattiness conversations a day on average (Poisson, at most 4), most of
    them around their peak hour: times are normal around it, with a standard deviation of 3 hours.
    """
    random = chance("opens", world.spec.seed, creator.handle, fan.handle, day)
    rate, count, product = 0.1 + 0.5 * fan.chattiness, 0, random.random()
    while product > math.exp(-rate) and count < 4:
        count, product = count + 1, product * random.random()
    minutes = [(fan.peak_hour * 60 + random.gauss(0, 180)) % DAY_MINUTES for _ in range(count)]
    return tuple(sorted(day * DAY_MINUTES + minute for minute in minutes))


def opening(world: World, creator: WorldCreator, fan: WorldFan, number: int) -> str:
    """What a fan writes unasked."""
    random = chance("opening", world.spec.seed, creator.handle, fan.handle, number)
    return f"{random.choice(texts().hellos)} {_about_a_topic(fan, random)}"


def follows_at(world: World, creator: WorldCreator, fan: WorldFan) -> float:
    """The minute of the world in which a new fan follows the creator; in its first half."""
    drawn = share("follows", world.spec.seed, creator.handle, fan.handle)
    return drawn * max(1, world.spec.days) * DAY_MINUTES / 2


def _words(fan: WorldFan, random: Random, *, buys: bool, offered: bool) -> str:
    known = texts()
    if offered:
        said = random.choice(known.bought if buys else known.declined)
        return f"{said} {_about_a_topic(fan, random)}" if random.random() < 0.5 else said
    return _about_a_topic(fan, random)


def _about_a_topic(fan: WorldFan, random: Random) -> str:
    return random.choice(texts().fan_says[random.choice(fan.topics)])


def _when_awake(fan: WorldFan, minute: float) -> float:
    """The minute itself where the fan is awake; else when they wake. They sleep for eight hours,
    the middle of which is twelve hours from their peak.
    """
    asleep_from = (fan.peak_hour * 60 + 8 * 60) % DAY_MINUTES
    into_sleep = (minute - asleep_from) % DAY_MINUTES
    return minute + (8 * 60 - into_sleep) if into_sleep < 8 * 60 else minute
