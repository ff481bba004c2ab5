"""A drafter of known quality: what it writes can be read (`texts.read_text`), so that the true
probability of every draft is known. It stands behind the port of the real ones.

It follows the prompt as a model would: tones and phrases that the prompt names are used more often.
"""

from collections.abc import AsyncIterator
from functools import lru_cache
from random import Random

from vaultcrm.adapters.llm.rough_analysis import analyze_roughly
from vaultcrm.adapters.worlds.chance import chance
from vaultcrm.adapters.worlds.chatters import FLAW_COSTS
from vaultcrm.adapters.worlds.fans import PRICES_MINOR
from vaultcrm.adapters.worlds.texts import Flaw, Recipe, compose, texts, topic_of_fan
from vaultcrm.domain.drafting import (
    Candidate,
    Draft,
    DraftDelta,
    DraftOutcome,
    DraftRequest,
    MessageAnalysis,
)
from vaultcrm.domain.generation import GenerationType, TokenUsage
from vaultcrm.domain.judging import Judgement, JudgeRequest

PRICED_AS = "claude-sonnet-5-5"
CHECKED_AS = "claude-haiku-5-5"

FLAW_RATES = {
    Flaw.BLAND: 0.1,
    Flaw.PUSHY: 0.04,
    Flaw.RAMBLING: 0.08,
    Flaw.UNSAFE: 0.015,
    Flaw.OFF_TOPIC: 0.1,
}
"""How often a draft has each flaw."""
FOLLOWS_TONE = 0.85
FOLLOWS_PHRASE = 0.5
"""How often it takes a tone, and a phrase, that the prompt names; else any tone, and no phrase."""
SHARES_FLAWS = 0.6
"""How often all candidates have the same flaws, as when a model has misunderstood."""
RATING_NOISE = 8.0
"""The standard deviation of its self-rating around 96 - 7 (what the flaws cost)."""


class VoiceDrafter:
    """Writes the drafts of one world: the same for the same prompt, fan and seed.

    Tokens are counted by length (4 characters each), and cost as those of `PRICED_AS`.
    """

    name = "voice"
    model = PRICED_AS
    checker = CHECKED_AS
    reads_repertoire = False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    async def draft(self, request: DraftRequest) -> Draft:
        """Candidates that differ; the better one is not always rated higher."""
        topic = topic_of_fan(request.fan_message)
        asked = ("draft", self._seed, request.fan_name, request.prompt.user_turn, *request.stopped)
        shared = chance(*asked)
        common = draw_flaws(shared) if shared.random() < SHARES_FLAWS else None
        made = [
            _candidate(request, topic, common, chance(*asked, number))
            for number in range(request.candidates)
        ]
        written = sum(len(one.message) for one in made) // 4
        usage = TokenUsage(
            input=len(request.prompt.user_turn) // 4,
            output=written,
            cache_read=len(request.prompt.system) // 4,
        )
        return Draft(DraftOutcome.COMPLETE, tuple(made), usage, self.model)

    async def stream(self, request: DraftRequest) -> AsyncIterator[DraftDelta | Draft]:
        """The whole first message at once, then the draft."""
        draft = await self.draft(request)
        yield DraftDelta(draft.candidates[0].message)
        yield draft

    async def analyze_message(self, text: str, recent: tuple[str, ...] = ()) -> MessageAnalysis:
        """By word lists, as where there is no model."""
        return analyze_roughly(text, CHECKED_AS)

    async def judge(self, request: JudgeRequest) -> Judgement:
        """Finds nothing beside the rules, and clears none of their doubts."""
        usage = TokenUsage(input=len(request.prompt.turn) // 4, output=10)
        return Judgement(DraftOutcome.COMPLETE, (), frozenset(), usage, CHECKED_AS)

    async def aclose(self) -> None:
        """Nothing to give back."""


def draw_flaws(random: Random) -> tuple[Flaw, ...]:
    """The flaws of one draft, each at its rate."""
    return tuple(flaw for flaw, rate in FLAW_RATES.items() if random.random() < rate)


def self_rating(cost: float, random: Random) -> int:
    """How sure the drafter says it is, 0-100: 96 - 7 (what the flaws cost) and noise.

    It says something of the truth and is no probability: that is what calibration is for.
    """
    return max(0, min(100, round(96 - 7 * cost + random.gauss(0, RATING_NOISE))))


def _candidate(
    request: DraftRequest, topic: str | None, common: tuple[Flaw, ...] | None, random: Random
) -> Candidate:
    known = texts()
    tones, phrases = _asked_for(request.prompt.system)
    flaws = draw_flaws(random) if common is None else common
    tone = random.choice(tones if tones and random.random() < FOLLOWS_TONE else known.tones)
    phrase = random.choice(phrases) if phrases and random.random() < FOLLOWS_PHRASE else None
    sells = request.generation_type.sells
    subject = topic or random.choice(known.topics)
    if Flaw.OFF_TOPIC in flaws:
        subject = random.choice([one for one in known.topics if one != subject])
    recipe = Recipe(
        tone, subject, phrase, random.random() < 0.5, flaws, _kind(request.generation_type)
    )
    return Candidate(
        message=compose(recipe, random),
        reasoning=f"{tone}, on {subject}",
        self_rating=self_rating(sum(FLAW_COSTS[flaw] for flaw in flaws), random),
        suggested_price_minor=random.choice(PRICES_MINOR) if sells else None,
    )


def _kind(generation_type: GenerationType) -> str:
    if generation_type.sells:
        return "offer"
    if generation_type is GenerationType.WELCOME:
        return "welcome"
    return "thanks" if generation_type is GenerationType.THANK_YOU else "answer"


@lru_cache(maxsize=256)
def _asked_for(system: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tones and phrases that a prompt names."""
    known = texts()
    tone_line = next((line for line in system.splitlines() if line.startswith("Tone: ")), "")
    tones = tuple(tone for tone in known.tones if tone in tone_line)
    return tones, tuple(phrase for phrase in known.phrases if phrase in system)
