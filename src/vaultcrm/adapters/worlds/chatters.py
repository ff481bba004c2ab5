"""What chatters do with drafts: approve, edit in their manner, reject; and when they come to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vaultcrm.adapters.worlds.chance import chance, logistic
from vaultcrm.adapters.worlds.people import WorldChatter, WorldCreator
from vaultcrm.adapters.worlds.texts import Flaw, Reading, Recipe, compose, read_text
from vaultcrm.domain.approval import DecisionAction, RejectReason

DAY_MINUTES = 24 * 60
CLEAN = 4.6
"""The logit of P(approved unchanged) of a draft without a flaw: 0.990."""

FLAW_COSTS = {
    Flaw.BLAND: 3.0,
    Flaw.PUSHY: 4.5,
    Flaw.RAMBLING: 2.5,
    Flaw.UNSAFE: 8.0,
    Flaw.OFF_TOPIC: 4.5,
    Flaw.OFF_VOICE: 2.0,
}
"""What each flaw takes from that logit."""

WRITE_MINUTES = 4.0
"""What a message written by hand takes; an edit takes a third of it, a look a twelfth."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a chatter decides. `text` and `price_minor` are set for an edit, `reason` for a
    rejection. `writes_instead`: after a rejection they write a message of their own.
    """

    action: DecisionAction
    text: str | None = None
    price_minor: int | None = None
    reason: RejectReason | None = None
    writes_instead: bool = False


def flaws_seen(creator: WorldCreator, reading: Reading, topic: str | None) -> frozenset[Flaw]:
    """All that is wrong with a draft, for one who knows the creator's voice. `topic` is what the
    fan wrote about; None for nothing in particular.
    """
    flaws = set(reading.flaws)
    if topic is not None and reading.topic is not None and reading.topic != topic:
        flaws.add(Flaw.OFF_TOPIC)
    if reading.tone is not None and reading.tone not in creator.voice:
        flaws.add(Flaw.OFF_VOICE)
    return frozenset(flaws)


def quality(flaws: frozenset[Flaw]) -> float:
    """4.6 minus what the flaws cost: the logit of P(approved unchanged) for a chatter of mean
    leniency who reads the draft.
    """
    return CLEAN - sum(FLAW_COSTS[flaw] for flaw in flaws)


def unchanged_if_read(chatter: WorldChatter, flaws: frozenset[Flaw]) -> float:
    """P(approved unchanged) when the chatter reads the draft: logistic(quality + leniency)."""
    return logistic(quality(flaws) + chatter.leniency)


def unchanged(chatter: WorldChatter, flaws: frozenset[Flaw]) -> float:
    """P(approved unchanged): s + (1 - s) P(... if read), with s the share approved unread."""
    return chatter.sloppiness + (1 - chatter.sloppiness) * unchanged_if_read(chatter, flaws)


def unchanged_by_team(creator: WorldCreator, flaws: frozenset[Flaw]) -> float:
    """P(approved unchanged) by whichever of the creator's chatters comes to it."""
    chances = [unchanged(chatter, flaws) for chatter in creator.chatters]
    return sum(chances) / len(chances)


def unchanged_if_team_reads(creator: WorldCreator, flaws: frozenset[Flaw]) -> float:
    """The same when they all read what they approve."""
    chances = [unchanged_if_read(chatter, flaws) for chatter in creator.chatters]
    return sum(chances) / len(chances)


def rule(
    creator: WorldCreator,
    chatter: WorldChatter,
    text: str,
    topic: str | None,
    price_minor: int | None,
    *names: object,
) -> Ruling:
    """What a chatter does with a draft. `names` tell one draft from all others.

    What is not approved unchanged is rejected in logistic(-1.5 - 0.4 quality) of the cases, and
    edited in the rest: flaws taken out, in the chatter's own manner. An offer that would be
    approved is edited to a price a fifth lower as often as the chatter haggles.
    """
    random = chance("rules", creator.handle, chatter.handle, *names)
    drawn, harsh, haggles, writes = (random.random() for _ in range(4))
    reading = read_text(text)
    flaws = flaws_seen(creator, reading, topic)
    if drawn < unchanged(chatter, flaws):
        if price_minor is not None and haggles < chatter.haggles:
            return Ruling(DecisionAction.MODIFY, text, max(300, round(price_minor * 0.8)))
        return Ruling(DecisionAction.APPROVE)
    if harsh < logistic(-1.5 - 0.4 * quality(flaws)):
        return Ruling(DecisionAction.REJECT, reason=_reason(flaws), writes_instead=writes < 0.8)
    kind = "offer" if reading.offers else "answer"
    tone = reading.tone if reading.tone in creator.voice else random.choice(creator.voice)
    phrase = min(reading.phrases, default=None)
    subject = reading.topic if topic is None else topic
    mended = compose(Recipe(str(tone), subject, phrase, reading.asks, (), kind), random)
    return Ruling(DecisionAction.MODIFY, f"{mended} {chatter.manner}", price_minor)


def by_hand(creator: WorldCreator, topic: str | None, *names: object) -> str:
    """What a chatter writes without AI: in the creator's voice, on the topic, with a question every
    other time, and with no phrase.
    """
    random = chance("by hand", creator.handle, *names)
    asks = random.random() < 0.5
    return compose(Recipe(random.choice(creator.voice), topic, asks=asks), random)


def comes_to_it(
    chatters: Sequence[WorldChatter], minute: float, *names: object
) -> tuple[WorldChatter, float]:
    """Who decides on what waits since `minute` of the world, and in which minute.

    Whoever is on shift, drawn evenly if several are; else whose shift begins first. They take their
    median time, log-normal with a spread of 0.6, but never more than an hour.
    """
    random = chance("comes", *names)
    on_shift = [chatter for chatter in chatters if waits_for(chatter, minute) == 0.0]
    if on_shift:
        chatter = random.choice(on_shift)
    else:
        chatter = min(chatters, key=lambda one: waits_for(one, minute))
    taken = min(60.0, chatter.minutes * math.exp(0.6 * random.gauss(0, 1)))
    return chatter, minute + waits_for(chatter, minute) + taken


def waits_for(chatter: WorldChatter, minute: float) -> float:
    """Minutes until the chatter's shift; 0 during it."""
    into = (minute - chatter.shift_begins * 60) % DAY_MINUTES
    return 0.0 if into < chatter.shift_hours * 60 else DAY_MINUTES - into


def waits_by_hand(chatters: Sequence[WorldChatter], minute: float) -> float:
    """Minutes until a fan has an answer that is written by hand, with nobody in a hurry: until
    somebody is on shift, then their median time and the writing.
    """
    return min(waits_for(chatter, minute) + chatter.minutes + WRITE_MINUTES for chatter in chatters)


_REASONS = (
    (Flaw.UNSAFE, RejectReason.UNSAFE),
    (Flaw.PUSHY, RejectReason.TOO_PUSHY),
    (Flaw.OFF_TOPIC, RejectReason.WRONG_FACTS),
    (Flaw.OFF_VOICE, RejectReason.WRONG_VOICE),
    (Flaw.BLAND, RejectReason.REPETITIVE),
)


def _reason(flaws: frozenset[Flaw]) -> RejectReason:
    return next((reason for flaw, reason in _REASONS if flaw in flaws), RejectReason.OTHER)
