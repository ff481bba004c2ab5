"""From the demo world and a seed to the month that its team has worked on it.

Every message of the creator's in that month was drafted or written by somebody. What was thrown
away, stopped or overtaken lies between them. People get better drafts as the month goes on, and
more of them go out unchanged.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from vaultcrm.domain.conversation import Sender
from vaultcrm.domain.generation import FeedbackType, GenerationStatus, GenerationType, TokenUsage
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.cli.demo_world.assessing import draft_of
from vaultcrm.entrypoints.cli.demo_world.build import CURRENCY, DEFAULT_SEED
from vaultcrm.entrypoints.cli.demo_world.lore import Lore, Rejection, load_lore
from vaultcrm.entrypoints.cli.demo_world.past import (
    DemoHistory,
    PastAnswer,
    PastDecision,
    PastDraft,
    PastReading,
)
from vaultcrm.entrypoints.cli.demo_world.scripts import spoken
from vaultcrm.entrypoints.cli.demo_world.talks import (
    DAYS,
    Talk,
    Turn,
    progress_at,
    talks_of,
    texts_of_creators,
    turns_of,
    unpriced,
)
from vaultcrm.entrypoints.cli.demo_world.voices import past_voices
from vaultcrm.entrypoints.cli.demo_world.world import DemoWorld
from vaultcrm.pipeline.safety.filter import ContentFilter

READER = "claude-haiku-5-5"
_KNOWN_AFTER = timedelta(hours=24)
"""After so long without an answer it is known that none comes."""


@dataclass(frozen=True, slots=True)
class _Chances:
    """How likely things are at the beginning and at the end of the month."""

    first: float
    last: float

    def at(self, progress: float) -> float:
        return self.first + (self.last - self.first) * progress


_BY_HAND = _Chances(0.22, 0.10)
_EDITED = _Chances(0.32, 0.08)
_REJECTED_FIRST = _Chances(0.18, 0.06)
_BLOCKED = _Chances(0.05, 0.025)
_EXPIRED = _Chances(0.06, 0.04)
"""How often a message of the creator's was written by hand (more where the fan waited long) or from
an edited draft, and how often drafts were rejected, stopped or overtaken before it."""
_REJECTED_AND_WAITING = 0.12
"""How often a draft for a fan who still waits was rejected."""


def build_history(
    world: DemoWorld,
    seed: int = DEFAULT_SEED,
    *,
    now: datetime,
    content_filter: ContentFilter,
) -> DemoHistory:
    """The 30 days before `now` (aware) in that world. The same seed, world and time give the same.

    Findings and reasons are those of the real filter and policy over these texts.
    """
    now = now.astimezone(UTC)
    lore = load_lore()
    talks = talks_of(world, lore)
    maker = _Maker(lore, content_filter, now, texts_of_creators(talks))
    drafts: list[PastDraft] = []
    answers: list[PastAnswer] = []
    for talk in talks:
        random = Random(f"{seed}/history/{talk.handle}/{talk.fan_handle}")  # noqa: S311 - no secret
        for made in maker.told(talk, random):
            if isinstance(made, PastDraft):
                drafts.append(made)
            else:
                answers.append(made)
    drafts.sort(key=lambda draft: draft.at)
    readings = _readings(drafts, Random(f"{seed}/readings"))  # noqa: S311 - no secret
    return DemoHistory(
        voices=past_voices(world, lore, now),
        drafts=tuple(drafts),
        answers=tuple(sorted(answers, key=lambda answer: answer.sent_at)),
        readings=readings,
    )


# --- what the team did ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the drafts of one conversation after the other."""

    lore: Lore
    content_filter: ContentFilter
    now: datetime
    texts: dict[str, list[str]]

    def told(self, talk: Talk, random: Random) -> Iterator[PastDraft | PastAnswer]:
        """All that was done for one fan."""
        for turn in turns_of(talk, self.now):
            asked_at = self._asked_at(turn, random)
            for chance, make in (
                (_EXPIRED, self._expired),
                (_BLOCKED, self._blocked),
                (_REJECTED_FIRST, self._rejected),
            ):
                if random.random() < chance.at(turn.progress):
                    yield make(talk, turn, asked_at, random)
            if random.random() < _BY_HAND.at(turn.progress) * _slowness(turn):
                yield self._by_hand(talk, turn, random)
            else:
                yield self._sent(talk, turn, asked_at, random)
        yield from self._for_who_waits(talk, random)

    def _for_who_waits(self, talk: Talk, random: Random) -> Iterator[PastDraft]:
        """Somebody said no to a draft for a fan who still waits."""
        last = talk.said[-1]
        ready = last.at + timedelta(minutes=20) < self.now
        recent = last.at > self.now - timedelta(days=DAYS)
        if last.sender is Sender.FAN and ready and recent:
            turn = Turn(
                len(talk.said),
                replace(last, at=min(last.at + timedelta(minutes=30), self.now)),
                last,
                GenerationType.REPLY,
                progress_at(last.at, self.now),
            )
            if random.random() < _REJECTED_AND_WAITING:
                asked_at = last.at + timedelta(seconds=random.randint(4, 40))
                yield self._rejected(talk, turn, asked_at, random)

    def _asked_at(self, turn: Turn, random: Random) -> datetime:
        """A draft is asked for when the fan has written, or some minutes before it goes out."""
        answers, sent = turn.answers, turn.message.at
        if answers is not None and sent - answers.at < timedelta(hours=2):
            return answers.at + min(
                (sent - answers.at) / 3, timedelta(seconds=random.randint(3, 40))
            )
        return sent - timedelta(seconds=_skewed(240, random))

    def _sent(self, talk: Talk, turn: Turn, asked_at: datetime, random: Random) -> PastDraft:
        """A draft that became the message: as it was, edited, or by itself."""
        message = turn.message
        edited = random.random() < _EDITED.at(turn.progress)
        kind = FeedbackType.MODIFIED if edited else FeedbackType.APPROVED
        text, price, note = message.text, message.price, None
        if edited:
            text, price, note = self._before_the_edit(talk, turn, random)
        draft = self._draft(
            talk,
            turn,
            asked_at,
            turn.generation_type,
            text,
            price,
            kind,
            random,
            may_leave=not edited,
        )
        if not draft.reasons:
            kind = FeedbackType.AUTO_SENT
        automatic = kind is FeedbackType.AUTO_SENT
        decided_at = message.at - timedelta(seconds=random.randint(2, 6))
        seconds = _seconds_to_reply(talk, turn)
        bought = None if message.price is None else message.bought_at is not None
        known = self.now - message.at > _KNOWN_AFTER
        return replace(
            draft,
            # Whoever lets it go by itself asks for it when it is to go.
            at=decided_at if automatic else draft.at,
            status=GenerationStatus.AUTO_SENT if automatic else GenerationStatus.APPROVED,
            became=message.id,
            sent_at=message.at,
            decision=PastDecision(
                kind=kind,
                at=decided_at,
                by=None if automatic else _somebody(talk, random),
                final_message=message.text,
                final_price=message.price,
                notes=note or None,
                replied=seconds is not None if seconds is not None or known else None,
                seconds_to_reply=seconds,
                purchased=bought if bought or known else None,
            ),
        )

    def _before_the_edit(
        self, talk: Talk, turn: Turn, random: Random
    ) -> tuple[str, Money | None, str]:
        """What the draft said, and why it was changed."""
        text, price = turn.message.text, turn.message.price
        if price is not None and random.random() < 0.5:
            change = random.choice(self.lore.prices)
            dearer = Money(max(round(price.minor * change.factor / 100) * 100, 300), price.currency)
            if dearer != price:
                return text, dearer, change.note
        edit = random.choice(self.lore.edits)
        draft = f"{edit.before}{text}{edit.after}".replace("{fan}", talk.call)
        return draft, price, edit.note

    def _rejected(self, talk: Talk, turn: Turn, asked_at: datetime, random: Random) -> PastDraft:
        weights = [rejection.weight for rejection in self.lore.rejections]
        (why,) = random.choices(self.lore.rejections, weights)
        kind, text, price = self._unwanted(talk, turn, why, random)
        draft = self._draft(talk, turn, asked_at, kind, text, price, FeedbackType.REJECTED, random)
        wait = (turn.message.at - asked_at) * random.uniform(0.3, 0.8)
        decision = PastDecision(
            kind=FeedbackType.REJECTED,
            at=asked_at + wait,
            by=_somebody(talk, random),
            reason=why.reason.value,
            notes=random.choice(why.notes) or None,
        )
        return replace(draft, status=GenerationStatus.REJECTED, decision=decision)

    def _unwanted(
        self, talk: Talk, turn: Turn, why: Rejection, random: Random
    ) -> tuple[GenerationType, str, Money | None]:
        """A draft that somebody says no to for this reason."""
        said = unpriced(talk.said[: turn.position])
        if why.source == "offer":
            offer = random.choice(talk.creator.offers)
            text = spoken(offer.text, random, fan=talk.call, title=offer.title)
            return GenerationType.PPV_OFFER, text, Money(offer.price_minor, CURRENCY)
        if why.source == "texts":
            return turn.generation_type, random.choice(why.texts).replace("{fan}", talk.call), None
        if why.source == "said" and said:
            return turn.generation_type, random.choice(said[-12:]), None
        return turn.generation_type, random.choice(self.texts[talk.handle]), None

    def _blocked(self, talk: Talk, turn: Turn, asked_at: datetime, random: Random) -> PastDraft:
        text = random.choice(self.lore.blocked).replace("{fan}", talk.call)
        kind = FeedbackType.REJECTED
        draft = self._draft(talk, turn, asked_at, GenerationType.REPLY, text, None, kind, random)
        return replace(draft, status=GenerationStatus.REJECTED)

    def _expired(self, talk: Talk, turn: Turn, asked_at: datetime, random: Random) -> PastDraft:
        """Nobody came to it before the fan went on, or somebody answered by hand."""
        text, kind = turn.message.text, FeedbackType.APPROVED
        price = turn.message.price
        draft = self._draft(talk, turn, asked_at, turn.generation_type, text, price, kind, random)
        stale_at = asked_at + (turn.message.at - asked_at) * 0.5
        return replace(draft, status=GenerationStatus.EXPIRED, stale_at=stale_at)

    def _draft(
        self,
        talk: Talk,
        turn: Turn,
        at: datetime,
        generation_type: GenerationType,
        text: str,
        price: Money | None,
        fate: FeedbackType,
        random: Random,
        *,
        may_leave: bool = False,
    ) -> PastDraft:
        return draft_of(
            talk,
            turn,
            at,
            generation_type,
            text,
            price,
            fate,
            lore=self.lore,
            content_filter=self.content_filter,
            random=random,
            may_leave=may_leave,
        )

    def _by_hand(self, talk: Talk, turn: Turn, random: Random) -> PastAnswer:
        return PastAnswer(
            creator_handle=talk.handle,
            fan_handle=talk.fan_handle,
            message=turn.message.id,
            text=turn.message.text,
            price=turn.message.price,
            sent_at=turn.message.at,
            by=_somebody(talk, random),
            answers=None if turn.answers is None else turn.answers.id,
        )


def _seconds_to_reply(talk: Talk, turn: Turn) -> int | None:
    """How soon the fan wrote next, where that may be called an answer."""
    sent_at = turn.message.at
    after = talk.said[turn.position + 1 : turn.position + 2]
    if not after or after[0].sender is not Sender.FAN or after[0].at - sent_at > _KNOWN_AFTER:
        return None
    return int((after[0].at - sent_at).total_seconds())


def _slowness(turn: Turn) -> float:
    """Answers that took long were rather written by somebody, and those at once drafted."""
    if turn.answers is None:
        return 1.0
    minutes = (turn.message.at - turn.answers.at) / timedelta(minutes=1)
    return min(max(minutes / 9, 0.25), 2.6)


def _somebody(talk: Talk, random: Random) -> str:
    """Chatters decide more often than the manager does."""
    weights = [3 if person.creators else 1 for person in talk.people]
    (person,) = random.choices(talk.people, weights)
    return person.email


def _readings(drafts: Sequence[PastDraft], random: Random) -> tuple[PastReading, ...]:
    """Each message that was answered by a draft has been read once by the small model."""
    seen: set[tuple[str, str, str]] = set()
    readings: list[PastReading] = []
    for draft in drafts:
        key = (draft.creator_handle, draft.fan_handle, draft.answers or "")
        if draft.answers is not None and key not in seen:
            seen.add(key)
            usage = TokenUsage(input=random.randint(380, 520), output=random.randint(28, 44))
            at = draft.at - timedelta(seconds=2)
            readings.append(PastReading(draft.creator_handle, at, READER, usage))
    return tuple(readings)


def _skewed(median: int, random: Random) -> int:
    """Log-normal seconds between 30 seconds and half an hour."""
    return round(min(max(median * math.exp(random.gauss(0.0, 0.7)), 30), 1800))
