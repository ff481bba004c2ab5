"""What the demo has learned: the real learning, over its past and over weeks before it.

A demo's month is too short for learning to be sure of anything. So one creator has earlier weeks
too, of which the sums are left and the messages are gone, as after their retention period. Their
messages are made up, with effects that are known; what is found in them is what the product finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final
from uuid import UUID

from vaultcrm.db.queries import learning
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.learning import WeekSums
from vaultcrm.domain.people import Tier
from vaultcrm.pipeline.learning.edits import Edits
from vaultcrm.pipeline.learning.tallying import BANDS, Batch, Tally
from vaultcrm.pipeline.learning.traits import TIERS, band_of, circumstances_of, pieces_of, traits_of
from vaultcrm.pipeline.learning.weeks import WEEKS_AT_FIRST
from vaultcrm.workflows.learn_weekly import last_settled_week, learn_now
from vaultcrm.workflows.parts import Parts

SEED: Final = 20
CURRENCY: Final = "USD"
EARLIER_WEEKS: Final = 8
MESSAGES_A_WEEK: Final = 540

STATEMENTS: Final = (
    "Ten minutes on the mat count, even on a slow day.",
    "Rest days are part of the plan, so take this one.",
    "Your form looked steadier this week.",
    "The long walk home is a workout too.",
    "Small weights, slow tempo, and you will feel it tomorrow.",
    "That was a good week for showing up.",
)
MORE: Final = (
    "Begin with the hips, then the back, then two slow rounds of all that felt stiff this morning.",
    "Keep water beside the mat and write down how it went, because next week you want to compare.",
)
QUESTIONS: Final = (
    "How did the last round feel?",
    "Which part was the hardest?",
    "What are you training tomorrow?",
)
PET_PHRASE: Final = "Thinking of you."
"""What the drafter likes to say, and the team takes out."""


@dataclass(frozen=True, slots=True)
class _Said:
    draft: str
    text: str
    tier: Tier
    price_minor: int | None
    replied: bool
    purchased: bool


async def learn_in_demo(parts: Parts, creator_id: UUID) -> None:
    """Let one creator have learned for longer than the others, then learn from the demo's past."""
    random = Random(SEED)  # noqa: S311 -- a made-up world, nothing to guess
    first = last_settled_week(parts) - timedelta(weeks=WEEKS_AT_FIRST + EARLIER_WEEKS - 1)
    async with parts.transaction() as connection:
        for number in range(EARLIER_WEEKS):
            week = first + timedelta(weeks=number)
            await learning.keep_week(connection, creator_id, week, _sums(random, week), parts.now())
    await learn_now(parts)


def _sums(random: Random, week: date) -> WeekSums:
    phrase = " ".join(pieces_of(PET_PHRASE, frozenset())).rstrip(" |")
    tally, edits, batch = Tally([phrase]), Edits([phrase]), Batch()
    for said in _week(random):
        pieces = pieces_of(said.text, frozenset())
        band = band_of(said.price_minor, CURRENCY, CURRENCY)
        kind = GenerationType.PPV_OFFER if said.price_minor else GenerationType.REPLY
        sent_at = learning.start_of(week) + timedelta(minutes=random.randrange(7 * 24 * 60))
        arms = traits_of(said.text, pieces, frozenset())
        arms += circumstances_of(said.tier.value, band, sent_at, kind)
        if PET_PHRASE in said.text:
            arms.append(len(tally.names) - 1)
        revenue = (said.price_minor or 0) if said.purchased else 0
        stratum = TIERS.index(said.tier) * BANDS + band
        batch.add(stratum, arms, said.replied, said.purchased, revenue)
        edits.add(pieces_of(said.draft, frozenset()), pieces)
    tally.add(batch)
    return WeekSums(
        tally.messages,
        tally.offers,
        edits.drafts,
        edits.modified,
        {**tally.scores(CURRENCY), **edits.scores()},
    )


def _week(random: Random) -> Iterator[_Said]:
    """Fans who answer questions more readily than statements, and long messages less."""
    for _ in range(MESSAGES_A_WEEK):
        asks, is_long, is_offer = (random.random() < share for share in (0.45, 0.25, 0.2))
        sentences = [random.choice(STATEMENTS)]
        if is_long:
            sentences += MORE
        if asks:
            sentences.append(random.choice(QUESTIONS))
        draft = sent = " ".join(sentences)
        if random.random() < 0.1:
            draft = f"{PET_PHRASE} {sent}"
            sent = sent if random.random() < 0.65 else draft
        elif random.random() < 0.08:
            sent = sent.replace(" the ", " that ", 1)
        price = random.choice((800, 1_500, 2_200, 3_900)) if is_offer else None
        chance_of_purchase = {800: 0.16, 1_500: 0.15, 2_200: 0.13, 3_900: 0.03}
        yield _Said(
            draft,
            sent,
            random.choices((Tier.LOW, Tier.MEDIUM, Tier.HIGH), (6, 3, 1))[0],
            price,
            random.random() < 0.34 + 0.11 * asks - 0.1 * is_long,
            price is not None and random.random() < chance_of_purchase[price],
        )
