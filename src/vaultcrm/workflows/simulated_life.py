"""What a simulated creator's share of a world has come to: talks, drafts, messages, counts."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from vaultcrm.adapters.worlds.people import World, WorldCreator, WorldFan
from vaultcrm.adapters.worlds.platform import WorldPlatform
from vaultcrm.adapters.worlds.texts import topic_of_fan
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.simulated_facts import DraftSeen, SentSeen
from vaultcrm.workflows.simulated_time import Agenda

CHANNEL = "simulator"
TOLD_TWICE = 0.02
"""How often the platform tells of something twice, and how often a delivery's job runs twice."""


@dataclass(slots=True)
class Talk:
    """One conversation as the world sees it. `unanswered` is what the fan said since our last
    message, `waits_since` the minute of the first of it.
    """

    fan: WorldFan
    conversation_id: UUID | None = None
    unanswered: list[str] = field(default_factory=list)
    last_said: str = ""
    waits_since: float | None = None
    got: int = 0
    gone: bool = False

    @property
    def topic(self) -> str | None:
        return topic_of_fan("\n".join(self.unanswered) or self.last_said)


@dataclass(slots=True)
class Tally:
    """`Done` and `Work` of `simulated_facts` while they grow."""

    replies: list[float] = field(default_factory=list)
    purchases: list[tuple[float, int]] = field(default_factory=list)
    tips: list[tuple[float, int]] = field(default_factory=list)
    refunds: list[tuple[float, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    minutes: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Life:
    """What goes on around one creator. `parts` have the agenda's clock and jobs."""

    parts: Parts
    world: World
    creator: WorldCreator
    creator_id: UUID
    callers: Mapping[str, Caller]
    platform: WorldPlatform
    agenda: Agenda
    make_id: Callable[[], UUID]
    known: Mapping[str, UUID]
    """Conversations that were there before, by the fan's handle."""
    talks: dict[str, Talk] = field(default_factory=dict)
    by_conversation: dict[UUID, Talk] = field(default_factory=dict)
    drafts: dict[UUID, DraftSeen] = field(default_factory=dict)
    sent: list[SentSeen] = field(default_factory=list)
    fan_refs: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    events: int = 0
    seconds: float = 0.0
