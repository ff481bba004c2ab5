"""What a model is asked to answer with, and how its answer is read.

The schemas keep to what every provider takes: no ranges, no lengths, every property required, no
others allowed. What a schema cannot say stands in its descriptions and is checked here.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json

from vaultcrm.domain.drafting import Candidate, Distress
from vaultcrm.domain.judging import (
    JUDGED,
    JUDGED_TIERS,
    LONGEST_REASON,
    MOST_FINDINGS,
    SETTLED,
    JudgeFinding,
)
from vaultcrm.domain.safety import Category, FindingTier

T = TypeVar("T")

_MOST_MINOR_UNITS = 1_000_000
_NonEmpty = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class UnreadableAnswer(Exception):  # an outcome to repair, not a failure of ours
    """An answer that is not of the asked form. `str` says what is wrong, for the model to mend."""


@dataclass(frozen=True, slots=True)
class _CandidateAnswer:
    message: _NonEmpty
    self_rating: Annotated[int, Field(ge=0, le=100)]
    reasoning: str = ""
    suggested_price_minor: Annotated[int, Field(ge=0, le=_MOST_MINOR_UNITS)] | None = None


@dataclass(frozen=True, slots=True)
class _DraftAnswer:
    candidates: Annotated[list[_CandidateAnswer], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class AnalysisAnswer:
    """The checker model's answer; a `MessageAnalysis` without its usage."""

    sentiment: Literal["positive", "neutral", "negative"]
    intent: Literal["chat", "question", "purchase", "complaint", "farewell", "other"]
    distress: Distress
    possible_minor: bool
    language: Annotated[str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z]{2,3}$")]


@dataclass(frozen=True, slots=True)
class _FindingAnswer:
    category: Category
    tier: Literal[FindingTier.BLOCK, FindingTier.REVIEW]
    quote: str
    reason: str


@dataclass(frozen=True, slots=True)
class _JudgeAnswer:
    findings: list[_FindingAnswer]
    cleared: list[Category]


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """The checker model's answer; a `Judgement` without its usage."""

    findings: tuple[JudgeFinding, ...]
    cleared: frozenset[Category]


_DRAFT = TypeAdapter(_DraftAnswer)
_ANALYSIS = TypeAdapter(AnalysisAnswer)
_JUDGEMENT = TypeAdapter(_JudgeAnswer)


@cache
def draft_schema(candidates: int) -> dict[str, Any]:
    """The JSON schema of a draft of so many candidates. Shared: callers must not change it."""
    candidate = {
        "type": "object",
        "properties": {
            "message": {
                "type": "string",
                "description": "The message, exactly as the fan will read it.",
            },
            "suggested_price_minor": {
                "anyOf": [{"type": "integer"}, {"type": "null"}],
                "description": "The price in minor units (cents) when the message offers paid "
                "content, otherwise null.",
            },
            "reasoning": {
                "type": "string",
                "description": "One short sentence for the team: why this message fits.",
            },
            "self_rating": {
                "type": "integer",
                "description": "0 to 100: how sure you are that the creator would send this "
                "unchanged.",
            },
        },
        "required": ["message", "suggested_price_minor", "reasoning", "self_rating"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "candidates": {
                "type": "array",
                "items": candidate,
                "description": f"{candidates} candidates that differ, the best first.",
            }
        },
        "required": ["candidates"],
        "additionalProperties": False,
    }


@cache
def analysis_schema() -> dict[str, Any]:
    """The JSON schema of an analysis. Shared: callers must not change it."""
    return {
        "type": "object",
        "properties": {
            "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative"]},
            "intent": {
                "type": "string",
                "enum": ["chat", "question", "purchase", "complaint", "farewell", "other"],
            },
            "distress": {"type": "string", "enum": [str(level) for level in Distress]},
            "possible_minor": {"type": "boolean"},
            "language": {"type": "string", "description": "ISO 639-1 code, such as en."},
        },
        "required": ["sentiment", "intent", "distress", "possible_minor", "language"],
        "additionalProperties": False,
    }


@cache
def judge_schema() -> dict[str, Any]:
    """The JSON schema of a judgement. Shared: callers must not change it."""
    finding = {
        "type": "object",
        "properties": {
            "category": {"type": "string", "enum": [category.value for category in JUDGED]},
            "tier": {"type": "string", "enum": [tier.value for tier in JUDGED_TIERS]},
            "quote": {
                "type": "string",
                "description": "The words of the text that show it, copied exactly.",
            },
            "reason": {
                "type": "string",
                "description": "One short sentence for the team, without names.",
            },
        },
        "required": ["category", "tier", "quote", "reason"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "findings": {"type": "array", "items": finding},
            "cleared": {
                "type": "array",
                "items": {"type": "string", "enum": sorted(SETTLED)},
                "description": "Categories of the doubts that are harmless here.",
            },
        },
        "required": ["findings", "cleared"],
        "additionalProperties": False,
    }


@cache
def ask_for_candidates(candidates: int) -> str:
    """The sentence that ends every drafting prompt."""
    if candidates == 1:
        return "Write 1 candidate message."
    return f"Write {candidates} different candidate messages, the best first."


def ask_for_json(schema: dict[str, Any]) -> str:
    """The form of the answer in words, for servers that cannot be held to a schema."""
    return (
        "Answer with one JSON object and nothing else: no explanation, no code fence. "
        f"It must be valid for this JSON schema:\n{json.dumps(schema)}"
    )


def read_candidates(text: str, most: int) -> tuple[Candidate, ...]:
    """The different candidates of an answer, at most `most`. Raises `UnreadableAnswer`."""
    different: dict[str, Candidate] = {}
    for candidate in _read(_DRAFT, text).candidates:
        different.setdefault(
            candidate.message,
            Candidate(
                message=candidate.message,
                reasoning=candidate.reasoning.strip(),
                self_rating=candidate.self_rating,
                suggested_price_minor=candidate.suggested_price_minor or None,
            ),
        )
    return tuple(different.values())[:most]


def read_analysis(text: str) -> AnalysisAnswer:
    """The analysis of an answer. Raises `UnreadableAnswer`."""
    return _read(_ANALYSIS, text)


def read_judgement(text: str) -> JudgeAnswer:
    """The judgement of an answer. Raises `UnreadableAnswer`, also for what was not asked for: an
    answer that is wrong in one place is not to be trusted in another.
    """
    answer = _read(_JUDGEMENT, text)
    if unknown := {found.category for found in answer.findings} - set(JUDGED):
        raise UnreadableAnswer(f"findings: {min(unknown)} is not among the categories")
    if unknown := set(answer.cleared) - SETTLED:
        raise UnreadableAnswer(f"cleared: {min(unknown)} cannot be cleared")
    if len(answer.findings) > MOST_FINDINGS:
        raise UnreadableAnswer(f"findings: at most {MOST_FINDINGS}")
    return JudgeAnswer(
        findings=tuple(
            JudgeFinding(
                found.category,
                found.tier,
                found.quote.strip(),
                " ".join(found.reason.split())[:LONGEST_REASON],
            )
            for found in answer.findings
        ),
        cleared=frozenset(answer.cleared),
    )


def message_so_far(text: str) -> str:
    """The first candidate's message in an answer of which only the start is there yet."""
    try:
        answer = from_json(_from_brace(text), allow_partial="trailing-strings")
        message = answer["candidates"][0]["message"]
    except (ValueError, LookupError, TypeError):
        return ""
    return message if isinstance(message, str) else ""


def _read(adapter: TypeAdapter[T], text: str) -> T:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        complaint = _complaint(error)
    start = _from_brace(text)
    bare = start[: start.rfind("}") + 1]
    if bare and bare != text:
        try:
            return adapter.validate_json(bare)
        except ValidationError as error:
            complaint = _complaint(error)
    raise UnreadableAnswer(complaint)


def _from_brace(text: str) -> str:
    """An answer without what stands before its JSON: thinking aloud, a code fence, prose."""
    if text.lstrip().startswith("<think>"):
        text = text.partition("</think>")[2]
    start = text.find("{")
    return text[start:] if start >= 0 else ""


def _complaint(error: ValidationError) -> str:
    """The first thing that is wrong, with its place; none of the answer's own text."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
