"""From the scripts, a seed and a time to a `DemoWorld`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.people import Tier
from vaultcrm.entrypoints.cli.demo_world.scripts import (
    ENGLISH,
    Activity,
    CreatorScripts,
    Ending,
    Exchange,
    FanPlan,
    Offer,
    Story,
    Turn,
    load_scripts,
    spoken,
)
from vaultcrm.entrypoints.cli.demo_world.world import (
    ConversationLine,
    DemoFanExtras,
    DemoWorld,
    MessageLine,
)

CURRENCY = "USD"
CHANNEL = "simulator"
DEFAULT_SEED = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Habits:
    """What a tier spends, in minor units, and how it takes offers."""

    least_value: int
    greatest_value: int
    dearest_offer: int
    exchanges_between_offers: int
    buys: float


@dataclass(frozen=True, slots=True)
class _Amount:
    """How many messages an activity makes, and over how many days."""

    messages: tuple[int, int]
    days: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Beat:
    """One exchange in its place. The first turn may be an offer at a price, and be bought."""

    turns: Exchange
    price_minor: int | None = None
    bought: bool = False


_HABITS = {
    Tier.WHALE: _Habits(112_000, 480_000, 20_000, 3, 0.85),
    Tier.HIGH: _Habits(32_000, 94_000, 8_000, 4, 0.65),
    Tier.MEDIUM: _Habits(5_500, 28_000, 4_500, 5, 0.45),
    Tier.LOW: _Habits(0, 4_800, 1_500, 6, 0.3),
}
_AMOUNTS = {
    Activity.ACTIVE: _Amount((95, 122), (90, 260)),
    Activity.STEADY: _Amount((14, 26), (40, 160)),
    Activity.QUIET: _Amount((4, 9), (10, 60)),
    Activity.NEW: _Amount((1, 1), (0, 0)),
}
_SILENT_DAYS = {
    Ending.WAITING: (0.002, 1.6),
    Ending.ANSWERED: (0.02, 2.5),
    Ending.PURCHASE: (0.02, 1.2),
    Ending.LAPSED: (21.0, 55.0),
}
"""Days between the last message and now. A fan who waits has waited 3 minutes to 38 hours."""
_LATELY_DAYS = 32
_LATELY = 6.0
"""So much likelier is a day of the last month than one before it."""
_WEEK = (1.3, 1.1, 0.8, 0.7, 0.9, 1.0, 1.4)
"""The rhythm of a week, by days before the last exchange modulo 7."""
_PAUSE_SECONDS = 600
_HOURS = range(6, 24)
_HOUR_WEIGHTS = (2, 4, 5, 4, 3, 3, 5, 5, 3, 3, 3, 5, 7, 9, 11, 11, 8, 4)
"""When a chat begins, on the fan's clock: a little at breakfast and lunch, most in the evening."""
_TIME_ZONES = (-8, -7, -6, -5, -5, -4, 0, 1)
"""Hours from UTC that English-speaking fans live at; others live at +1."""


def build_world(seed: int = DEFAULT_SEED, *, now: datetime) -> DemoWorld:
    """The demo world that ends at `now` (aware; whole seconds are kept).

    The same seed and time give the same world, byte for byte. Raises `ValueError` for a time
    without an offset.
    """
    if now.tzinfo is None:
        raise ValueError("now must say its offset from UTC")
    end = now.astimezone(UTC).replace(microsecond=0)
    creators = load_scripts()
    conversations: list[ConversationLine] = []
    extras: list[DemoFanExtras] = []
    for creator in creators:
        for fan in creator.fans:
            # A generator for each fan: one more fan leaves all the others as they are.
            random = Random(f"{seed}/{creator.personality.creator_handle}/{fan.handle}")  # noqa: S311 - no secret
            line, extra = _conversation(creator, fan, end, random)
            conversations.append(line)
            extras.append(extra)
    return DemoWorld(
        personalities=tuple(creator.personality for creator in creators),
        templates=tuple(template for creator in creators for template in creator.templates),
        conversations=tuple(conversations),
        extras=tuple(extras),
        waiting=tuple(
            (creator.personality.creator_handle, fan.handle, fan.draft)
            for creator in creators
            for fan in creator.fans
            if fan.draft is not None
        ),
    )


def _conversation(
    creator: CreatorScripts, fan: FanPlan, now: datetime, random: Random
) -> tuple[ConversationLine, DemoFanExtras]:
    value = _aimed_value(fan, random)
    beats = _beats(creator, fan, value, random)
    spent = sum(beat.price_minor or 0 for beat in beats if beat.bought)
    earlier = 0 if fan.tier is Tier.LOW and random.random() < 0.7 else value - spent
    handle = creator.personality.creator_handle
    line: ConversationLine = {
        "creator": {"handle": handle, "displayName": creator.personality.display_name},
        "fan": {
            "handle": fan.handle,
            "displayName": fan.name,
            "lifetimeValueMinor": earlier + spent,
            "currency": CURRENCY,
        },
        "channel": CHANNEL,
        "messages": _messages(beats, fan, now, random),
    }
    return line, DemoFanExtras(fan.handle, handle, fan.notes, fan.disclosed, earlier)


def _aimed_value(fan: FanPlan, random: Random) -> int:
    """A lifetime value within the tier, nearer to its lower end, in whole dollars."""
    habits = _HABITS[fan.tier]
    if fan.activity is Activity.NEW:
        return 0
    reach = habits.greatest_value - habits.least_value
    return round((habits.least_value + reach * random.betavariate(1.3, 2.6)) / 100) * 100


# --- what is said ---------------------------------------------------------------------------------


def _beats(creator: CreatorScripts, fan: FanPlan, value: int, random: Random) -> list[_Beat]:
    """The exchanges of one conversation in order; what is bought stays within `value`."""
    scripts = creator.languages[fan.language]
    aim = random.randint(*_AMOUNTS[fan.activity].messages)
    welcome = random.choice(scripts.welcomes)
    if fan.activity is Activity.NEW:
        return [_Beat(_filled(welcome[:1], fan, random))]
    habits = _HABITS[fan.tier]
    stories = _shuffled(scripts.stories, random)
    offers = _offers_for(creator, fan, habits, random)
    reactions = {
        True: _shuffled(creator.bought, random),
        False: _shuffled(creator.declined, random),
    }
    closing = _closing(fan, stories, offers, value, random)
    left = value - sum(beat.price_minor or 0 for beat in closing)
    beats = [_Beat(_filled(welcome, fan, random))]
    said, since_offer = len(welcome) + sum(len(beat.turns) for beat in closing), 0
    while said < aim and stories:
        since_offer += 1
        if offers and since_offer > habits.exchanges_between_offers + random.randint(-1, 2):
            offer, since_offer = offers.pop(), 0
            bought = offer.price_minor <= left and random.random() < habits.buys
            left -= offer.price_minor if bought else 0
            told = [_offer_beat(fan, offer, bought, reactions[bought], random)]
        else:
            told = [_Beat(_filled(exchange, fan, random)) for exchange in stories.pop()]
        beats += told
        said += sum(len(beat.turns) for beat in told)
    return beats + closing


def _closing(
    fan: FanPlan, stories: list[Story], offers: list[Offer], value: int, random: Random
) -> list[_Beat]:
    """How the conversation stands at its end, out of `stories` and `offers`."""
    if fan.ending is Ending.PURCHASE:
        offer = next(offer for offer in offers if offer.price_minor <= value)
        offers.remove(offer)
        return [_offer_beat(fan, offer, True, [], random)]
    fits = _asks if fan.ending is Ending.WAITING else _is_answered
    story = next(story for story in stories if len(story) == 1 and fits(story[0]))
    stories.remove(story)
    turns = story[0][:1] if fan.ending is Ending.WAITING else story[0]
    return [_Beat(_filled(turns, fan, random))]


def _asks(turns: Exchange) -> bool:
    return turns[0].sender is Sender.FAN and "?" in turns[0].text


def _is_answered(turns: Exchange) -> bool:
    return turns[-1].sender is Sender.CREATOR


def _offers_for(
    creator: CreatorScripts, fan: FanPlan, habits: _Habits, random: Random
) -> list[Offer]:
    """Offers are written in English only, and nobody is offered what they would not pay."""
    if fan.language != ENGLISH:
        return []
    fitting = [offer for offer in creator.offers if offer.price_minor <= habits.dearest_offer]
    return _shuffled(fitting, random)


def _offer_beat(
    fan: FanPlan, offer: Offer, bought: bool, reactions: list[Exchange], random: Random
) -> _Beat:
    """An offer and what is said about it: nothing at times, and nothing that was said before."""
    reaction = reactions.pop() if reactions and random.random() < 0.8 else ()
    turns = (Turn(Sender.CREATOR, offer.text), *reaction)
    return _Beat(_filled(turns, fan, random, title=offer.title), offer.price_minor, bought)


def _filled(turns: Exchange, fan: FanPlan, random: Random, title: str = "") -> Exchange:
    return tuple(
        Turn(turn.sender, _capital(spoken(turn.text, random, fan=fan.call, title=title), turn.text))
        for turn in turns
    )


def _capital(said: str, written: str) -> str:
    """A sentence that was written with a slot in front still begins with a capital."""
    return said[:1].upper() + said[1:] if written.startswith(("{", "[")) else said


def _shuffled(items: Sequence[T], random: Random) -> list[T]:
    return random.sample(items, k=len(items))


# --- when it is said ------------------------------------------------------------------------------


def _messages(beats: list[_Beat], fan: FanPlan, now: datetime, random: Random) -> list[MessageLine]:
    timed = [_offsets(beat, random) for beat in beats]
    starts = _starts(beats, [offsets[-1] for offsets in timed], fan, now, random)
    messages: list[MessageLine] = []
    for beat, offsets, start in zip(beats, timed, starts, strict=True):
        for position, turn in enumerate(beat.turns):
            # A purchase has an offset of its own, right after the offer's.
            place = position + 1 if beat.bought and position else position
            line: MessageLine = {
                "id": f"m{len(messages) + 1}",
                "from": turn.sender.value,
                "text": turn.text,
                "sentAt": _written(start + timedelta(seconds=offsets[place])),
            }
            if beat.price_minor is not None and position == 0:
                line["priceMinor"] = beat.price_minor
                if beat.bought:
                    line["purchasedAt"] = _written(start + timedelta(seconds=offsets[1]))
            messages.append(line)
    return messages


def _offsets(beat: _Beat, random: Random) -> list[int]:
    """Seconds from the first message of an exchange to each; a purchase comes second."""
    offsets = [0]
    if beat.bought:
        offsets.append(_gap(6 * 60, random))
    for turn in beat.turns[1:]:
        median = 4 * 60 if turn.sender is Sender.FAN else 7 * 60
        offsets.append(offsets[-1] + _gap(median, random))
    return offsets


def _gap(median: int, random: Random) -> int:
    """Log-normal seconds, between 20 seconds and 45 minutes: a chat ends before the next day's."""
    return round(min(max(median * math.exp(random.gauss(0.0, 0.9)), 20), 2700))


def _starts(
    beats: list[_Beat], seconds: list[int], fan: FanPlan, now: datetime, random: Random
) -> list[datetime]:
    """When each exchange begins: the last one counted back from now, the others one a day.

    `seconds` is how long each takes.
    """
    shortest, longest = _SILENT_DAYS[fan.ending]
    silence = math.exp(random.uniform(math.log(shortest), math.log(longest)))
    last = now - timedelta(seconds=round(silence * 86_400) + seconds[-1])
    before, lengths = beats[:-1], seconds[:-1]
    days = max(random.randint(*_AMOUNTS[fan.activity].days), len(before) + 1)
    ages = _ages(len(before), days, random)
    zone = timedelta(hours=random.choice(_TIME_ZONES) if fan.language == ENGLISH else 1)
    midnight = (last + zone).replace(hour=0, minute=0, second=0) - zone
    starts = [last]
    for age, beat, length in zip(reversed(ages), reversed(before), reversed(lengths), strict=True):
        start = midnight - timedelta(days=age) + timedelta(seconds=_time_of_day(beat, random))
        # Who stays up late is still done before the next chat begins.
        starts.append(min(start, starts[-1] - timedelta(seconds=length + _PAUSE_SECONDS)))
    return starts[::-1]


def _ages(count: int, days: int, random: Random) -> list[int]:
    """So many different days before that of the last exchange, the earliest first.

    Most lie in the last weeks, and more on some days of a week than on others.
    """

    def weight(age: int) -> float:
        return (_LATELY if age <= _LATELY_DAYS else 1.0) * _WEEK[age % 7]

    # Drawn by weight without putting back: the days with the greatest u^(1/w) (Efraimidis and
    # Spirakis, 2006).
    drawn = sorted(range(1, days + 2), key=lambda age: random.random() ** (1 / weight(age)))
    return sorted(drawn[-count:], reverse=True) if count else []


def _time_of_day(beat: _Beat, random: Random) -> int:
    """Seconds after midnight. Who says good morning says it in the morning."""
    first = beat.turns[0].text.lower()
    if first.startswith(("morning", "good morning")):
        hour = random.randint(7, 10)
    elif first.startswith(("evening", "good evening")):
        hour = random.randint(18, 22)
    else:
        (hour,) = random.choices(_HOURS, _HOUR_WEIGHTS)
    return hour * 3600 + random.randrange(3600)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
