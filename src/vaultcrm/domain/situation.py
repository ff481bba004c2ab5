"""Everything that is known when a draft is asked for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from vaultcrm.domain.content_rules import NO_RULES, OwnRules
from vaultcrm.domain.conversation import Conversation, Message
from vaultcrm.domain.drafting import Phrase
from vaultcrm.domain.experiments import RunningTest
from vaultcrm.domain.people import Creator, Fan
from vaultcrm.domain.personality import Personality

LAST_MESSAGES: Final = 10
"""What everything that is decided about a draft reads of a conversation."""
SHOWN_STEP: Final = 6
MOST_SHOWN: Final = LAST_MESSAGES + SHOWN_STEP - 1
QUIET: Final = timedelta(minutes=5)
"""A fan who writes after so long begins a sitting: no provider has kept a prompt until then."""


def messages_shown(in_sitting: int) -> int:
    """How many of a conversation's last messages a prompt shows: ten, and up to five before them.

        shown = 10 + (in_sitting - 1) mod 6

    `in_sitting` goes up by one with each message, from 1 for the fan's that begins a sitting. So a
    sitting begins with ten, and the first message shown stays where it is while five are added:
    what a provider has cached begins with it.
    """
    return LAST_MESSAGES + (in_sitting - 1) % SHOWN_STEP


@dataclass(frozen=True, slots=True)
class Activity:
    """Counts over the last 100 messages of a conversation, for the engagement score."""

    fan_messages_30_days: int
    purchases_90_days: int
    last_fan_message_at: datetime | None


@dataclass(frozen=True, slots=True)
class Situation:
    """A conversation with its fan, its creator and the creator's voice.

    `messages` are the last ten, oldest first; `earlier` are those before them that a prompt shows
    too (`messages_shown`), and nothing else reads. `personality` is None when nobody has made one.
    `stale_drafts` says whether a draft that the fan has overtaken still waits. `revision` goes up
    with every message of the conversation. `account_automates` says whether the creator's own
    account on the channel may send automatically; None where they have none.
    """

    creator: Creator
    fan: Fan
    conversation: Conversation
    messages: tuple[Message, ...]
    activity: Activity
    personality: Personality | None
    waiting_since: datetime | None
    stale_drafts: bool = False
    revision: int = 0
    earlier: tuple[Message, ...] = ()
    repertoire: tuple[Phrase, ...] = ()
    account_automates: bool | None = None
    own_rules: OwnRules = NO_RULES
    examples: tuple[str, ...] = ()
    """Messages of the creator's that fans liked to answer, for the prompt."""
    under_test: tuple[RunningTest, ...] = ()
    """The creator's running A/B tests."""
    confidence_revision: UUID | None = None
    """What scores this creator's drafts has changed when this has."""

    @property
    def last_message_id(self) -> UUID | None:
        return self.messages[-1].id if self.messages else None
