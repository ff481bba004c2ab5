"""Drafts without a model: the creator's own approved replies and templates, ranked.

How well a past reply fits is how alike the fan's message then and the fan's message now are:

    similarity = 0.6 cos(words and word pairs) + 0.4 cos(character trigrams)

with tf-idf weights, tf = 1 + ln(count) and idf = ln((1 + N) / (1 + df)) + 1 over the N messages
of the repertoire (the smoothed forms of Manning, Raghavan and Schuetze, "Introduction to
Information Retrieval", chapter 6). Trigrams carry spelling mistakes and languages that write no
spaces. A template has no such message: what counts is that its category is the generation type.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median

from vaultcrm.adapters.llm.rough_analysis import analyze_roughly
from vaultcrm.domain.draft_options import DraftOptions, Length
from vaultcrm.domain.drafting import (
    Candidate,
    Draft,
    DraftDelta,
    DraftOutcome,
    DraftRequest,
    MessageAnalysis,
    Phrase,
)
from vaultcrm.domain.generation import GenerationType, TokenUsage
from vaultcrm.domain.judging import Judgement, JudgeRequest
from vaultcrm.domain.template import fill_variables, read_template

MODEL = "retrieval"
NOTE = "Suggested from your approved replies and templates."

WEAK_RATING_CAP = 79
"""Just below the default threshold of automatic sending: a person looks at a weak match."""
TEMPLATE_RATING = 60

LENGTH_COUNTS = 0.2
"""What a phrase of the length that was asked for gains over one that is as alike otherwise."""

_WORD_SHARE = 0.6
_TRIGRAM_SHARE = 0.4
_TOKEN = re.compile(r"\w+|[^\w\s]")
_SPACES = re.compile(r"\s+")


class RetrievalDrafter:
    """Suggests what the creator's team has approved before. It makes no calls and costs nothing."""

    name = "retrieval"
    model = MODEL
    checker = MODEL
    reads_repertoire = True

    async def draft(self, request: DraftRequest) -> Draft:
        """The best distinct phrases, or `UNUSABLE` with a note on how to make some."""
        fitting = [
            phrase for phrase in request.repertoire if _fits(phrase, request.generation_type)
        ]
        suggestions = _suggest(fitting, request)
        if suggestions:
            return Draft(DraftOutcome.COMPLETE, suggestions, TokenUsage(), MODEL, NOTE)
        note = _nothing_to_suggest(request.generation_type, fitting)
        return Draft(DraftOutcome.UNUSABLE, (), TokenUsage(), MODEL, note)

    async def stream(self, request: DraftRequest) -> AsyncIterator[DraftDelta | Draft]:
        """The whole first message at once, then the draft."""
        draft = await self.draft(request)
        if draft.candidates:
            yield DraftDelta(draft.candidates[0].message)
        yield draft

    async def analyze_message(self, text: str, recent: tuple[str, ...] = ()) -> MessageAnalysis:
        """By word lists: see `rough_analysis` for how little that is."""
        return analyze_roughly(text, MODEL)

    async def judge(self, request: JudgeRequest) -> Judgement:
        """Nothing to add to what people have approved word for word, and no doubt cleared.

        Any other text is `UNUSABLE`: nothing here can read what it means.
        """
        known = any(
            _filled(phrase.text, request.fan_name) == request.text for phrase in request.repertoire
        )
        outcome = DraftOutcome.COMPLETE if known else DraftOutcome.UNUSABLE
        return Judgement(outcome, (), frozenset(), TokenUsage(), MODEL)

    async def aclose(self) -> None:
        """Nothing to give back."""


def _fits(phrase: Phrase, generation_type: GenerationType) -> bool:
    """Templates and replies of another type are left out, and so is paid content unless it sells.

    A past reply without a category counts as a `reply`.
    """
    if phrase.price_minor is not None and not generation_type.sells:
        return False
    category = phrase.category or (GenerationType.REPLY if phrase.prompted_by else "")
    return category == generation_type


@dataclass(frozen=True, slots=True)
class _Match:
    """How well a phrase fits. `same_words`: the fan says now what another said then."""

    phrase: Phrase
    similarity: float
    same_words: bool

    @property
    def rating(self) -> int:
        """How sure the suggestion is, 0-100.

        A past reply: 40 + 55 x similarity, but at most 79 unless both messages have the same words
        in the same order (one "not" more in a long message hardly changes the similarity).
        A template: 60, and up to 10 more with its uses, 10 u / (u + 10).
        """
        if not self.phrase.prompted_by:
            return TEMPLATE_RATING + round(10 * self.phrase.uses / (self.phrase.uses + 10))
        rating = round(40 + 55 * self.similarity)
        return rating if self.same_words else min(rating, WEAK_RATING_CAP)


def _suggest(fitting: list[Phrase], request: DraftRequest) -> tuple[Candidate, ...]:
    index = _index(tuple(phrase.prompted_by for phrase in fitting))
    said = _said(request.fan_message)
    wanted = _wanted(fitting, request.options)
    matches = [
        _Match(phrase, similarity, bool(said) and said == said_then)
        for phrase, similarity, said_then in zip(
            fitting, index.similarities(request.fan_message), index.said, strict=True
        )
    ]
    matches.sort(
        key=lambda m: (
            -wanted.get(m.phrase.text, 0.0),
            -m.rating,
            -m.similarity,
            -m.phrase.uses,
            m.phrase.text,
        )
    )
    best: dict[str, Candidate] = {}
    for match in matches:
        text = _filled(match.phrase.text, request.fan_name)
        if text and text not in request.stopped:
            sameness = _SPACES.sub(" ", text).casefold()
            best.setdefault(sameness, _candidate(text, match, request.generation_type))
        if len(best) == request.candidates:
            break
    return tuple(best.values())


def _wanted(fitting: list[Phrase], options: DraftOptions) -> dict[str, float]:
    """How far each phrase is what a person asked for, by its text; nothing where they did not.

    A hint, or a message begun, is compared with the phrases themselves. A length divides them by
    their median. A tone is beyond what this drafter can hear.
    """
    texts = tuple(phrase.text for phrase in fitting)
    found = dict.fromkeys(texts, 0.0)
    if options.own_words:
        alike = _index(texts).similarities(options.own_words)
        found = dict(zip(texts, alike, strict=True))
    if options.length is not None and texts:
        middle = median(len(text) for text in texts)
        for text in texts:
            if (len(text) > middle) == (options.length is Length.LONGER):
                found[text] += LENGTH_COUNTS
    return found


def _candidate(text: str, match: _Match, generation_type: GenerationType) -> Candidate:
    phrase = match.phrase
    if not phrase.prompted_by:
        reasoning = f"A template of the category {generation_type}, used {phrase.uses} times."
    elif match.similarity > 0:
        reasoning = (
            "Approved before as the answer to a similar message "
            f"(similarity {match.similarity:.2f})."
        )
    else:
        reasoning = "Approved before, but as the answer to quite another message."
    return Candidate(
        message=text,
        reasoning=reasoning,
        self_rating=match.rating,
        suggested_price_minor=phrase.price_minor if generation_type.sells else None,
        template_id=phrase.template_id,
    )


def _filled(text: str, fan_name: str) -> str:
    """The text filled in with the fan's name; "" when it has a variable that nobody can fill.

    Without a name the variable's fallback stands for it, or its place closes up.
    """
    if read_template(text)[1]:
        return ""
    name = fan_name.strip()
    filled = fill_variables(text, {"fan_name": name} if name else {})
    if filled.missing == ("fan_name",):
        filled = fill_variables(text, {"fan_name": ""})
    return "" if filled.missing else filled.text.strip()


def _nothing_to_suggest(generation_type: GenerationType, fitting: list[Phrase]) -> str:
    if fitting:
        return (
            "The templates for this type of message have variables that cannot be filled. "
            "{fan_name} is the one that can: use it, write the others out, or give each something "
            "to stand in its place, as in {last_purchase|that}."
        )
    return (
        f"There is nothing to suggest from yet. Approve or write a few messages of the type "
        f"{generation_type}, or add a template of that category. To have new drafts written, set "
        "ANTHROPIC_API_KEY or OPENAI_BASE_URL."
    )


@dataclass(frozen=True, slots=True)
class _Index:
    """Unit vectors of the messages, turned round: which messages have a feature, how much.

    `said` has each message as its bare words.
    """

    said: tuple[str, ...]
    idf: dict[str, float]
    postings: dict[str, list[tuple[int, float]]]

    def similarities(self, text: str) -> list[float]:
        """The similarity of each message with `text`, 0 to 1."""
        found = [0.0] * len(self.said)
        for feature, weight in _vector(text, self.idf, len(self.said)).items():
            for place, other in self.postings.get(feature, ()):
                found[place] += weight * other
        return [min(1.0, similarity) for similarity in found]


@lru_cache(maxsize=64)
def _index(messages: tuple[str, ...]) -> _Index:
    """Kept, because a creator's repertoire is asked again and again before it changes."""
    seen = Counter(
        feature for message in messages for block in _features(message) for feature in block
    )
    idf = {feature: _idf(count, len(messages)) for feature, count in seen.items()}
    postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for place, message in enumerate(messages):
        for feature, weight in _vector(message, idf, len(messages)).items():
            postings[feature].append((place, weight))
    said = tuple(_said(message) for message in messages)
    return _Index(said, idf, dict(postings))


def _idf(documents_with: int, documents: int) -> float:
    return math.log((1 + documents) / (1 + documents_with)) + 1


def _vector(text: str, idf: dict[str, float], documents: int) -> dict[str, float]:
    """Both kinds of features, each a unit vector scaled so that a dot product is the similarity."""
    unseen = _idf(0, documents)
    vector: dict[str, float] = {}
    for block, share in zip(_features(text), (_WORD_SHARE, _TRIGRAM_SHARE), strict=True):
        weights = {
            feature: (1 + math.log(count)) * idf.get(feature, unseen)
            for feature, count in block.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        scale = math.sqrt(share) / length if length else 0.0
        vector.update((feature, weight * scale) for feature, weight in weights.items())
    return vector


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def _said(text: str) -> str:
    """The words alone, in order; a message without words is its signs."""
    tokens = _tokens(text)
    return " ".join([token for token in tokens if token[0].isalnum()] or tokens)


def _features(text: str) -> tuple[Counter[str], Counter[str]]:
    """Words (and signs) with their pairs, and the trigrams inside words with a space around them.

    Pairs carry the order: without them "you do look" and "do you look" would be one. Trigrams
    carry a mark so that the word "hey" and the trigram "hey" stay apart.
    """
    words = _tokens(text)
    pairs = [f"{one} {two}" for one, two in pairwise(["", *words, ""])] if words else []
    trigrams = (
        f"~{padded[at : at + 3]}"
        for padded in (f" {word} " for word in words)
        for at in range(len(padded) - 2)
    )
    return Counter([*words, *pairs]), Counter(trigrams)
