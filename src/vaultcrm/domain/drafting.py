"""What goes to a language model and what comes back: the port `Drafter`.

Three adapters implement it: Anthropic, any OpenAI-compatible server, and retrieval over the
creator's own approved replies. One contract test suite runs over all three.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol
from uuid import UUID

from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.generation import GenerationType, TokenUsage


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt, whose parts are read in the order in which they change.

    `system` is the same for all fans of a creator. `history` is the conversation, a block a
    message, each of which reads the same in later prompts and ends its line. `turn` is what holds
    now. Providers cache what stays the same at the beginning. History and turn are one turn of the
    user's: nothing that a fan wrote is ever the model's own.
    """

    system: str
    turn: str
    history: tuple[str, ...] = ()

    @property
    def user_turn(self) -> str:
        """History and turn in one."""
        return "".join((*self.history, self.turn))


@dataclass(frozen=True, slots=True)
class Phrase:
    """One thing that the creator may say again: an approved reply or a template.

    `prompted_by` is the fan's message that the reply answered; "" for a template, whose
    `category` is matched with the generation type instead, and whose id is `template_id`.
    """

    text: str
    prompted_by: str = ""
    category: str = ""
    price_minor: int | None = None
    uses: int = 0
    template_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """One call: the prompt, how many candidates, and the most tokens that may be written.

    `user_hash` is an opaque hash for the provider's abuse checks, never a name or an id.
    `fan_message`, `repertoire`, `options` and `stopped` (texts that were stopped and are not to be
    suggested again) serve the retrieval drafter, which reads no prompt. `model` asks for another
    model than the drafter's own; the retrieval drafter has none.
    """

    prompt: Prompt
    generation_type: GenerationType
    max_tokens: int
    candidates: int = 2
    user_hash: str = ""
    fan_message: str = ""
    fan_name: str = ""
    repertoire: tuple[Phrase, ...] = ()
    options: DraftOptions = NO_OPTIONS
    stopped: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposed message. `self_rating` is the model's own confidence, 0-100; `template_id` says
    which template it was made from, if from any.
    """

    message: str
    reasoning: str
    self_rating: int
    suggested_price_minor: int | None = None
    template_id: UUID | None = None


class DraftOutcome(StrEnum):
    """`REFUSED`: the model declined. `UNUSABLE`: no valid answer, even after one repair."""

    COMPLETE = "complete"
    REFUSED = "refused"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a drafter answers. `candidates` is empty unless the outcome is `COMPLETE`.

    `usage` sums all attempts, a repair included. `note` is shown to people beside the draft.
    """

    outcome: DraftOutcome
    candidates: tuple[Candidate, ...]
    usage: TokenUsage
    model: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class DraftDelta:
    """While streaming: the first candidate's message as far as it is written (not the new part)."""

    text: str


class Distress(StrEnum):
    NONE = "none"
    POSSIBLE = "possible"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class MessageAnalysis:
    """What the checker model reads in a fan's message."""

    sentiment: Literal["positive", "neutral", "negative"]
    intent: Literal["chat", "question", "purchase", "complaint", "farewell", "other"]
    distress: Distress
    possible_minor: bool
    language: str
    usage: TokenUsage
    model: str


class Drafter(Protocol):
    """Writes drafts. Every method raises the errors of `vaultcrm.domain.errors.DrafterError`."""

    name: str
    """`anthropic`, `openai_compatible` or `retrieval`."""
    model: str
    """The model that drafts are made with, as it is priced and logged."""
    reads_repertoire: bool
    """True when `DraftRequest.repertoire` must be filled."""

    async def draft(self, request: DraftRequest) -> Draft:
        """One draft, complete."""

    def stream(self, request: DraftRequest) -> AsyncIterator[DraftDelta | Draft]:
        """The same, as it is written; the last item is the `Draft`."""

    async def analyze_message(self, text: str, recent: tuple[str, ...] = ()) -> MessageAnalysis:
        """Sentiment, intent, distress and language of a fan's message, by the checker model."""

    async def aclose(self) -> None:
        """Give connections back."""
