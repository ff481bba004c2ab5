"""What a simulation has seen, beside what is true of it: frozen, and small enough to pass on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from vaultcrm.adapters.worlds.texts import Flaw
from vaultcrm.domain.generation import GenerationType


class Fate(StrEnum):
    """What became of a draft. `OVERTAKEN`: the conversation went on before it was decided."""

    AUTOMATIC = "automatic"
    APPROVED = "approved"
    MODIFIED = "modified"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    OVERTAKEN = "overtaken"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class DraftSeen:
    """One draft. `true_chance` is P(approved unchanged) by the creator's team with its habits,
    `read_chance` the same if they all read what they approve. `flaws` are all that it has, and
    `found` whether the content filter found something, in this or a stopped attempt; `unsafe`
    whether there was something to find. `seconds` is what generating it took on this machine.
    """

    minute: float
    generation_type: GenerationType
    confidence: int
    true_chance: float
    read_chance: float
    flaws: tuple[Flaw, ...]
    found: bool
    unsafe: bool
    cost_micro_usd: int
    seconds: float
    fate: Fate


@dataclass(frozen=True, slots=True)
class SentSeen:
    """One message that reached a fan, and what it was worth on average: as it was (`expected`), as
    one who knows all would have written it at once (`oracle`), and written by hand (`plain`).

    Of a message without a price these are probabilities of a reply; of an offer they are revenue in
    cents. `automatic` left by itself, `drafted` is any that AI wrote.
    """

    minute: float
    drafted: bool
    automatic: bool
    is_offer: bool
    expected: float
    oracle: float
    plain: float


@dataclass(frozen=True, slots=True)
class Done:
    """What people on the platform did, as it reached us."""

    fan_messages: int = 0
    replies: tuple[float, ...] = ()
    """The minutes of fans' messages that answer one of ours."""
    purchases: tuple[tuple[float, int], ...] = ()
    """Minute and cents."""
    tips: tuple[tuple[float, int], ...] = ()
    refunds: tuple[tuple[float, int], ...] = ()
    told_twice: int = 0
    """Events that came a second time."""
    fans_gone: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What the team did. Minutes are those of people, by hand what the same would have taken."""

    decisions: int = 0
    own_messages: int = 0
    minutes: float = 0.0
    minutes_by_hand: float = 0.0
    deliveries_twice: int = 0
    """Deliveries whose job ran a second time."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """What the product refused, by the kind of error."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One message in the platform's log, by our id and its own."""

    id: UUID
    external_id: str


@dataclass(frozen=True, slots=True)
class CreatorRun:
    """Everything that was seen of one creator. `until` is the minute that the run came to; `events`
    is how many things happened; `fan_refs` are the platform's ids of fans' messages, in order.
    `jobs_waiting` are the ids of messages whose delivery is still on the agenda.
    """

    handle: str
    creator_id: UUID
    until: float
    events: int
    seconds: float
    drafts: tuple[DraftSeen, ...]
    sent: tuple[SentSeen, ...]
    done: Done
    work: Work
    log: tuple[LogEntry, ...]
    fan_refs: tuple[str, ...]
    jobs_waiting: tuple[str, ...]
    jobs_left_out: Mapping[str, int]
    spent_before_minor: int
