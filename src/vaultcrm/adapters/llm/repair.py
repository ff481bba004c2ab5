"""One answer, one repair at most, one outcome: the same for every provider."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

from vaultcrm.adapters.llm.answers import UnreadableAnswer
from vaultcrm.domain.drafting import Candidate, Draft, DraftOutcome
from vaultcrm.domain.errors import DrafterError
from vaultcrm.domain.generation import TokenUsage

T = TypeVar("T")

_MOST_CHARACTERS_SENT_BACK = 1500


class Ending(Enum):
    """Why the model stopped."""

    FINISHED = auto()
    CUT_OFF = auto()
    REFUSED = auto()
    TOO_LONG = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in no provider's words. `text` leaves out what the model thought."""

    text: str
    ending: Ending
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Repair:
    """The two turns that ask again: the model's own answer, shortened, and what was wrong."""

    answer: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """What came of it. `value` is set only when the outcome is `COMPLETE`."""

    outcome: DraftOutcome
    usage: TokenUsage
    value: T | None = None
    problem: str = ""


async def settle(
    first: Answer, read: Callable[[str], T], ask_again: Callable[[Repair], Awaitable[Answer]]
) -> Settled[T]:
    """Read an answer; have it repaired once if it cannot be used.

    `read` raises `UnreadableAnswer`. When the repair call itself fails the outcome is `UNUSABLE`
    and not an error, so that what the first call cost is still counted.
    """
    settled = _read(first, read)
    if settled.outcome is not DraftOutcome.UNUSABLE or first.ending is Ending.TOO_LONG:
        return settled
    try:
        second = await ask_again(_repair_of(first, settled.problem))
    except DrafterError:
        return settled
    again = _read(second, read)
    return Settled(again.outcome, first.usage + second.usage, again.value, again.problem)


def draft_of(settled: Settled[tuple[Candidate, ...]], model: str) -> Draft:
    """The draft for people, with a note that says what to do when there is no candidate."""
    note = ""
    if settled.outcome is DraftOutcome.REFUSED:
        note = "The model declined to write this message. Write it yourself."
    elif settled.outcome is DraftOutcome.UNUSABLE:
        note = (
            f"The model gave no usable answer ({settled.problem}). "
            "Write this message yourself, or ask for another draft."
        )
    return Draft(settled.outcome, settled.value or (), settled.usage, model, note)


_PROBLEMS = {
    Ending.TOO_LONG: "the conversation is longer than the model can read",
    Ending.CUT_OFF: "it was cut off at the token limit",
}


def _read(answer: Answer, read: Callable[[str], T]) -> Settled[T]:
    if answer.ending is Ending.REFUSED:
        return Settled(DraftOutcome.REFUSED, answer.usage)
    if answer.ending in _PROBLEMS:
        return Settled(DraftOutcome.UNUSABLE, answer.usage, problem=_PROBLEMS[answer.ending])
    try:
        return Settled(DraftOutcome.COMPLETE, answer.usage, read(answer.text))
    except UnreadableAnswer as unreadable:
        return Settled(DraftOutcome.UNUSABLE, answer.usage, problem=str(unreadable))


def _repair_of(broken: Answer, problem: str) -> Repair:
    shortened = broken.text.strip()[:_MOST_CHARACTERS_SENT_BACK]
    advice = " Write much shorter." if broken.ending is Ending.CUT_OFF else ""
    return Repair(
        answer=shortened or "(no text)",
        complaint=f"That answer could not be used: {problem}.{advice} "
        "Answer again, with nothing but the JSON that was asked for.",
    )
