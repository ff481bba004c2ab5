"""Run a world with known truth through the real pipeline: make its people, then let them live.

Creators do not meet, so each has a clock of its own, and they may run side by side, in one process
or in several: what happens is the same in any order.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from vaultcrm.adapters.channels.accounts import ChannelBook
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.adapters.worlds.chance import chance
from vaultcrm.adapters.worlds.fans import DAY_MINUTES
from vaultcrm.adapters.worlds.people import (
    World,
    WorldCreator,
    WorldFan,
    starting_phrases,
    starting_tones,
)
from vaultcrm.adapters.worlds.platform import WorldPlatform
from vaultcrm.adapters.worlds.texts import Recipe, compose, texts
from vaultcrm.adapters.worlds.voice import VoiceDrafter
from vaultcrm.controls.secrets import Sealer
from vaultcrm.db.queries import access, creators, templates, worlds
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import ids_made_by
from vaultcrm.domain.people import Caller, Credential, Role
from vaultcrm.domain.template import TemplateDraft
from vaultcrm.settings import Settings
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.calibrate import calibrate_all
from vaultcrm.workflows.change_personality import change_personality
from vaultcrm.workflows.import_conversations import import_conversations
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.simulated_creator import begin, live_until, seen
from vaultcrm.workflows.simulated_facts import CreatorRun
from vaultcrm.workflows.simulated_life import CHANNEL, Life
from vaultcrm.workflows.simulated_time import BEGINS, Agenda, SimulatedJobs, seeded_ids

PAST = timedelta(days=30)
"""So long ago the fans who were there before have talked last."""
EXCHANGES = 3
"""So many messages of theirs, each answered, are known from then."""
AT_ONCE = 4
"""So many creators of a process live side by side."""


class Meeting(Protocol):
    """Where processes that share a world wait for each other at midnight."""

    async def arrive(self) -> bool:
        """Wait for all; True in one of the processes, which does the work of the night."""

    async def leave(self) -> None:
        """Wait until that work is done."""

    def abandon(self) -> None:
        """Wait no more, here or elsewhere: `arrive` and `leave` raise `Abandoned` from now on."""


class Abandoned(Exception):
    """A process that shares the world has ended or stopped."""


class Alone:
    """The meeting of a process that has the world for itself."""

    async def arrive(self) -> bool:
        return True

    async def leave(self) -> None:
        return

    def abandon(self) -> None:
        """Nobody waits."""


OnDay = Callable[[str, int, int], None]
"""Is told a creator's handle, how many of their days are over, and their messages by then."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The ids of a world's people: creators by handle, chatters' callers by handle."""

    creators: Mapping[str, UUID]
    chatters: Mapping[str, Caller]


def simulation_settings(settings: Settings) -> Settings:
    """Settings under which a world is not held up: simple replies leave by themselves, limits are
    out of the way, and the judge looks where it would in earnest.
    """
    return settings.model_copy(
        update={
            "ai_rollout_stage": 3,
            "ai_rate_limit_per_hour": 1_000_000,
            "ai_max_tokens_per_day": 2_000_000_000,
            "enable_ai_chat": True,
            "simulated_fans": False,
            "anthropic_api_key": None,
            "openai_base_url": None,
            # Nobody outside hears of what is made up.
            "smtp_host": None,
            "webhook_secret": None,
            "oidc_issuer": None,
        }
    )


async def settle_world(parts: Parts, world: World) -> Settled:
    """Make a world's creators, chatters and the fans who were there before, with what they said.

    Raises Conflict when the database holds creators already: it is not a scratch one.
    """
    with ids_made_by(seeded_ids(lambda: BEGINS, "settling", world.spec.seed)):
        return await _settle(replace(parts, now=lambda: BEGINS), world)


async def _settle(parts: Parts, world: World) -> Settled:
    async with parts.pool.connection() as connection:
        if await access.all_creator_ids(connection):
            raise Conflict(
                "This database holds creators already. A simulation wants one of its own: leave "
                "--database-url out, or name an empty database."
            )
    creator_ids = {creator.handle: await _add_creator(parts, creator) for creator in world.creators}
    manager = await _add_person(parts, "manager", Role.MANAGER)
    callers = {
        chatter.handle: await _add_person(parts, chatter.handle, Role.CHATTER)
        for creator in world.creators
        for chatter in creator.chatters
    }
    for creator in world.creators:
        await _give_voice(parts, world, creator, creator_ids[creator.handle], manager)
    lines = _past(world)
    report = await import_conversations(
        parts.pool, lines, content_filter=parts.content_filter, now=BEGINS
    )
    if report.problems:
        raise Conflict(f"The past of this world could not be imported: {report.problems[0]}")
    return Settled(creator_ids, callers)


async def simulate_creators(
    parts: Parts,
    world: World,
    settled: Settled,
    handles: Sequence[str],
    *,
    drafter: str = "voice",
    stop: asyncio.Event,
    on_day: OnDay,
    meeting: Meeting | None = None,
) -> tuple[CreatorRun, ...]:
    """Let some of a world's creators live until it ends or `stop` is set. `drafter` is `voice`,
    whose quality is known, or `retrieval`.

    At each midnight all wait for each other, in all processes that share the world (`meeting`), and
    one does what the worker does by night.
    """
    turns = asyncio.Semaphore(AT_ONCE)
    meeting = meeting or Alone()
    lives = [
        await _life(parts, world, settled, creator, drafter)
        for creator in world.creators
        if creator.handle in handles
    ]

    async def one(life: Life, day: int) -> None:
        async with turns:
            await live_until(life, float(day * DAY_MINUTES), stop)
        if not stop.is_set():
            on_day(life.creator.handle, day, len(life.platform.log))

    try:
        for day in range(1, world.spec.days + 1):
            await asyncio.gather(*(one(life, day) for life in lives))
            if stop.is_set():
                break
            if await meeting.arrive():
                await _by_night(parts, world, day)
            await meeting.leave()
    except Abandoned:
        stop.set()
    except BaseException:
        meeting.abandon()
        raise
    if stop.is_set():
        meeting.abandon()
    return tuple(seen(life) for life in lives)


async def _by_night(parts: Parts, world: World, day: int) -> None:
    """What the worker does between two days: outcomes are attributed, confidence is calibrated."""
    agenda = Agenda(float(day * DAY_MINUTES))
    later = replace(parts, now=agenda.now, jobs=SimulatedJobs(agenda))
    with ids_made_by(seeded_ids(agenda.now, "night", world.spec.seed, day)):
        await attribute_outcomes(later)
        await calibrate_all(later)


async def _life(
    parts: Parts, world: World, settled: Settled, creator: WorldCreator, drafter: str
) -> Life:
    agenda, platform = Agenda(), WorldPlatform()
    writer = RetrievalDrafter() if drafter == "retrieval" else VoiceDrafter(world.spec.seed)
    creator_id = settled.creators[creator.handle]
    async with parts.pool.connection() as connection:
        known = await worlds.conversations(connection, creator_id, CHANNEL)
    simulated = replace(
        parts,
        now=agenda.now,
        jobs=SimulatedJobs(agenda),
        drafter=writer,
        judge=writer,
        channels=_only(platform),
    )
    life = Life(
        parts=simulated,
        world=world,
        creator=creator,
        creator_id=creator_id,
        callers=settled.chatters,
        platform=platform,
        agenda=agenda,
        make_id=seeded_ids(agenda.now, "life", world.spec.seed, creator.handle),
        known=known,
    )
    begin(life)
    return life


def _only(platform: WorldPlatform) -> ChannelBook:
    """The simulator and nothing else: nobody's account is asked for."""
    return ChannelBook({CHANNEL: platform}, {}, Sealer(bytes(32)), _no_account, _no_secret)


async def _no_account(creator_id: UUID, channel: str, secret: bytes) -> None:
    raise AssertionError("a simulated world has no accounts")


async def _no_secret(creator_id: UUID, channel: str) -> bytes | None:
    return None


async def _add_creator(parts: Parts, creator: WorldCreator) -> UUID:
    async with parts.transaction() as connection:
        added = await creators.add_creator(
            connection,
            handle=creator.handle,
            display_name=creator.name,
            language="en",
            region="US",
            now=BEGINS - PAST,
        )
        assert added is not None  # noqa: S101 -- the database is empty
        for kind, made, price in (
            (GenerationType.WELCOME, texts().welcome, None),
            (GenerationType.THANK_YOU, texts().thanks, None),
            (GenerationType.PPV_OFFER, tuple(texts().offers.values()), 1500),
        ):
            for number, said in enumerate(made):
                draft = TemplateDraft(
                    f"{kind.value} {number + 1}",
                    kind,
                    "en",
                    f"{texts().openers[creator.voice[0]][0]} "
                    f"{said if isinstance(said, str) else said[0]}",
                    price,
                )
                await templates.add_template(connection, added.id, draft, BEGINS - PAST)
    return added.id


async def _add_person(parts: Parts, name: str, role: Role) -> Caller:
    async with parts.transaction() as connection:
        user_id = await access.add_user(
            connection,
            email=f"{name}@simulation.example",
            name=name,
            role=role,
            all_creators=True,
            now=BEGINS - PAST,
        )
        sent = await access.find_caller(connection, Credential(user_id=user_id), BEGINS)
        caller = await sent.answer()
    assert caller is not None  # noqa: S101 -- it was made just now
    return caller


async def _give_voice(
    parts: Parts, world: World, creator: WorldCreator, creator_id: UUID, manager: Caller
) -> None:
    """The voice that a world begins with: two of its tones, and phrases that nobody has tried."""
    changes: dict[str, Any] = {
        "personality_type": "friendly",
        "tone_descriptors": list(starting_tones(creator)),
        "preferred_phrases": list(starting_phrases(world, creator)),
    }
    await change_personality(parts, manager, creator_id, changes)


def _past(world: World) -> Iterator[bytes]:
    for creator in world.creators:
        for fan in creator.fans:
            if not fan.is_new:
                yield json.dumps(_past_of(world, creator, fan)).encode()


def _past_of(world: World, creator: WorldCreator, fan: WorldFan) -> dict[str, Any]:
    """A fan's line of import: some messages, each answered well by hand."""
    random = chance("past", world.spec.seed, creator.handle, fan.handle)
    known = texts()
    said: list[dict[str, Any]] = []
    at = BEGINS - PAST + timedelta(minutes=random.randrange(20 * 24 * 60))
    for number in range(EXCHANGES):
        topic = random.choice(fan.topics)
        answer = compose(
            Recipe(random.choice(creator.voice), topic, asks=random.random() < 0.5), random
        )
        for sender, text in (("fan", random.choice(known.fan_says[topic])), ("creator", answer)):
            at += timedelta(minutes=random.randrange(3, 300))
            said.append(
                {
                    "id": f"p{number}-{sender}",
                    "from": sender,
                    "text": text,
                    "sentAt": at.isoformat(),
                }
            )
    person: dict[str, Any] = {
        "handle": fan.handle,
        "displayName": fan.name,
        "lifetimeValueMinor": fan.spent_minor,
        "currency": "USD",
    }
    if fan.was_told:
        person["disclosedAt"] = said[0]["sentAt"]
    return {
        "creator": {"handle": creator.handle, "displayName": creator.name},
        "fan": person,
        "channel": CHANNEL,
        "messages": said,
    }
