"""The demo world as its team sees it: each message of a creator's in its place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier, tier_of
from vaultcrm.entrypoints.cli.demo_world.build import CURRENCY
from vaultcrm.entrypoints.cli.demo_world.lore import Lore
from vaultcrm.entrypoints.cli.demo_world.past import DemoPerson
from vaultcrm.entrypoints.cli.demo_world.scripts import CreatorScripts, load_scripts
from vaultcrm.entrypoints.cli.demo_world.world import ConversationLine, DemoWorld, MessageLine

DAYS = 30
"""How long the history is."""
_CHAT_GAP = timedelta(hours=16)
_ASKED_WITHIN = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the world with its time read."""

    id: str
    sender: Sender
    text: str
    at: datetime
    price: Money | None
    bought_at: datetime | None


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation with what decides on its drafts."""

    creator: CreatorScripts
    fan_handle: str
    call: str
    tier: Tier
    disclosed: bool
    said: tuple[Said, ...]
    people: tuple[DemoPerson, ...]

    @property
    def handle(self) -> str:
        return self.creator.personality.creator_handle


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of the creator's in its place; `position` is that in the conversation."""

    position: int
    message: Said
    answers: Said | None
    generation_type: GenerationType
    progress: float


def talks_of(world: DemoWorld, lore: Lore) -> list[Talk]:
    """Every conversation with its messages, and who of the team may act in it."""
    creators = {creator.personality.creator_handle: creator for creator in load_scripts()}
    calls = {
        (handle, fan.handle): fan.call
        for handle, creator in creators.items()
        for fan in creator.fans
    }
    disclosed = {(extra.creator_handle, extra.handle): extra.disclosed for extra in world.extras}
    return [
        Talk(
            creator=creators[key[0]],
            fan_handle=key[1],
            call=calls[key],
            tier=tier_of(Money(line["fan"]["lifetimeValueMinor"], CURRENCY)),
            disclosed=disclosed[key],
            said=tuple(_read_said(message) for message in line["messages"]),
            people=tuple(
                person for person in lore.people if not person.creators or key[0] in person.creators
            ),
        )
        for line in world.conversations
        for key in [_key(line)]
    ]


def _key(line: ConversationLine) -> tuple[str, str]:
    return line["creator"]["handle"], line["fan"]["handle"]


def _read_said(line: MessageLine) -> Said:
    price, bought = line.get("priceMinor"), line.get("purchasedAt")
    return Said(
        id=line["id"],
        sender=Sender(line["from"]),
        text=line["text"],
        at=datetime.fromisoformat(line["sentAt"]),
        price=None if price is None else Money(price, CURRENCY),
        bought_at=None if bought is None else datetime.fromisoformat(bought),
    )


def texts_of_creators(talks: Sequence[Talk]) -> dict[str, list[str]]:
    """What each creator has said to anybody, without offers."""
    texts: dict[str, list[str]] = {}
    for talk in talks:
        texts.setdefault(talk.handle, []).extend(unpriced(talk.said))
    return texts


def unpriced(said: Sequence[Said]) -> list[str]:
    """What the creator has said without a price."""
    return [one.text for one in said if one.sender is Sender.CREATOR and one.price is None]


def turns_of(talk: Talk, now: datetime) -> Iterator[Turn]:
    """The creator's messages of the last month."""
    start = now - timedelta(days=DAYS)
    for position, message in enumerate(talk.said):
        if message.sender is Sender.CREATOR and message.at >= start:
            yield Turn(
                position,
                message,
                _asked(talk.said, position),
                _type_of(talk.said, position),
                progress_at(message.at, now),
            )


def progress_at(at: datetime, now: datetime) -> float:
    """How much of the month has gone by, 0 to 1."""
    return max(0.0, 1 - (now - at) / timedelta(days=DAYS))


def _asked(said: Sequence[Said], position: int) -> Said | None:
    """The fan's newest message before this one; none where this one begins a chat."""
    before = said[:position]
    found = next((one for one in reversed(before) if one.sender is Sender.FAN), None)
    if found is None or said[position].at - found.at > _ASKED_WITHIN:
        return None
    return found


def _type_of(said: Sequence[Said], position: int) -> GenerationType:
    message, before = said[position], said[:position]
    if message.price is not None:
        return GenerationType.PPV_OFFER
    own = [one for one in before if one.sender is Sender.CREATOR]
    if not own:
        return GenerationType.WELCOME
    if own[-1].bought_at is not None:
        return GenerationType.THANK_YOU
    if message.at - before[-1].at > _CHAT_GAP:
        return GenerationType.RE_ENGAGEMENT
    return GenerationType.REPLY
