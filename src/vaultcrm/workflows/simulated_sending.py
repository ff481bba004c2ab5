"""Messages that leave in a simulated world, what each is worth, and what fans do about it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from vaultcrm.adapters.worlds import chatters, fans
from vaultcrm.adapters.worlds.chance import chance, share
from vaultcrm.adapters.worlds.fans import DAY_MINUTES
from vaultcrm.adapters.worlds.platform import Taken
from vaultcrm.adapters.worlds.texts import Flaw, Reading, read_text
from vaultcrm.db.jobs import DELIVER_MESSAGE
from vaultcrm.domain.conversation import Author
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.simulated_facts import SentSeen
from vaultcrm.workflows.simulated_life import TOLD_TWICE, Life, Talk
from vaultcrm.workflows.simulated_time import minute_of

OFFERS = 0.08
"""How often a chatter follows a reply up with an offer."""
OFFER_AFTER_MINUTES = 20.0
USUAL_PRICE_MINOR = 1500
"""What an offer costs that is made by hand."""


async def deliver(life: Life, about: Mapping[str, Any]) -> None:
    """A message leaves, now and then by a job that runs twice, and reaches its fan once."""
    known = len(life.platform.log)
    item_id = UUID(about["item_id"])
    delivery = await deliver_message(life.parts, life.creator_id, item_id)
    if delivery is None:
        return
    if delivery.retry_at is not None:
        life.agenda.add(minute_of(delivery.retry_at), DELIVER_MESSAGE, **about)
        return
    life.tally.counts["deliveries"] += 1
    drawn = share(life.world.spec.seed, "job", life.creator.handle, life.tally.counts["deliveries"])
    if drawn < TOLD_TWICE:
        life.tally.counts["delivered twice"] += 1
        life.agenda.add(life.agenda.minute, DELIVER_MESSAGE, **about)
    for taken in life.platform.log[known:]:
        if taken.id == item_id:
            _arrives(life, taken, delivery.item.author)


def _arrives(life: Life, taken: Taken, author: Author) -> None:
    """A message has reached its fan: what it is worth, and what they do about it."""
    talk = life.by_conversation[taken.conversation_id]
    minute = life.agenda.minute
    waited = 0.0 if talk.waits_since is None else (minute - talk.waits_since) / 60.0
    reading = read_text(taken.text)
    topic = talk.topic if talk.unanswered else None
    off_topic = Flaw.OFF_TOPIC in chatters.flaws_seen(life.creator, reading, topic)
    life.sent.append(_worth(life, talk, taken, author, reading, off_topic, waited))
    talk.got += 1
    talk.unanswered.clear()
    talk.waits_since = None
    if talk.gone:
        return
    reaction = fans.react(
        life.world,
        life.creator,
        talk.fan,
        reading,
        off_topic=off_topic,
        price_minor=taken.price_minor,
        minute=minute,
        waited_hours=waited,
        number=talk.got,
    )
    name, at = talk.fan.handle, minute + reaction.minutes
    if reaction.buys:
        price, ref = taken.price_minor, taken.external_id
        life.agenda.add(at, "buy", fan=name, ref=ref, minor=price)
        if reaction.refunds_after is not None:
            later = at + reaction.refunds_after
            life.agenda.add(later, "refund", fan=name, ref=ref, minor=price)
    if reaction.tip_minor:
        life.agenda.add(at, "tip", fan=name, minor=reaction.tip_minor)
    if reaction.reply is not None:
        life.agenda.add(at, "reply", fan=name, text=reaction.reply)
    if reaction.goes_silent:
        talk.gone = True
        life.tally.counts["gone"] += 1
    _maybe_offer(life, talk, author, taken)


def _worth(
    life: Life,
    talk: Talk,
    taken: Taken,
    author: Author,
    reading: Reading,
    off_topic: bool,
    waited: float,
) -> SentSeen:
    """What the message is worth on average, and what two others would have been."""
    preset, fan, minute = life.world.preset, talk.fan, life.agenda.minute
    week, day = minute / (7 * DAY_MINUTES), int(minute // DAY_MINUTES)
    found = fans.appeal(preset, life.creator, fan, reading, off_topic=off_topic, week=week)
    best = fans.best_appeal(preset, life.creator, fan, week)
    plain = fans.plain_appeal(preset, life.creator, fan, week)
    drafted = author in {Author.AI_APPROVED, Author.AI_AUTOMATIC}
    price = taken.price_minor
    if price is not None:
        ideal = fans.best_price(preset, fan, best)
        worth = [
            asked * fans.purchase_probability(preset, fan, asked, appealing)
            for asked, appealing in (
                (price, found),
                (ideal, best),
                (USUAL_PRICE_MINOR, plain),
            )
        ]
    else:
        mood = fans.mood(life.world, life.creator, fan, day)
        began = minute if talk.waits_since is None else talk.waits_since
        by_hand = chatters.waits_by_hand(life.creator.chatters, began) / 60.0
        worth = [
            fans.reply_probability(fan, appealing, mood=mood, waited_hours=hours)
            for appealing, hours in ((found, waited), (best, 0.0), (plain, by_hand))
        ]
    return SentSeen(minute, drafted, author is Author.AI_AUTOMATIC, price is not None, *worth)


def _maybe_offer(life: Life, talk: Talk, author: Author, taken: Taken) -> None:
    random = chance("offer", life.world.spec.seed, life.creator.handle, len(life.sent))
    if author is Author.DISCLOSURE or taken.price_minor is not None:
        return
    if random.random() < OFFERS:
        at = life.agenda.minute + OFFER_AFTER_MINUTES
        on_shift = [one for one in life.creator.chatters if chatters.waits_for(one, at) == 0.0]
        if on_shift:
            who = random.choice(on_shift).handle
            life.agenda.add(at, "offer", fan=talk.fan.handle, chatter=who)
