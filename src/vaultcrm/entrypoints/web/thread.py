"""The messages of a conversation as they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from vaultcrm.db.queries.console import ThreadMessage
from vaultcrm.domain.conversation import Message, Sender
from vaultcrm.entrypoints.web import words

NEW_BYLINE_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message. `opens` says that its author and time stand above it."""

    message: Message
    name: str
    byline: str
    opens: bool

    @property
    def ours(self) -> bool:
        return self.message.sender is Sender.CREATOR


def bubbles(
    newest_first: Sequence[ThreadMessage], *, fan_name: str, creator_name: str
) -> tuple[Bubble, ...]:
    """The messages in the order in which they were sent; one author's in a row share a byline."""
    laid_out: list[Bubble] = []
    for item in reversed(newest_first):
        message = item.message
        before = laid_out[-1] if laid_out else None
        name = fan_name if message.sender is Sender.FAN else creator_name
        byline = words.byline(message.author, item.user_name)
        opens = (
            before is None
            or (before.name, before.byline, before.ours)
            != (name, byline, message.sender is Sender.CREATOR)
            or message.sent_at - before.message.sent_at > NEW_BYLINE_AFTER
        )
        laid_out.append(Bubble(message, name, byline, opens))
    return tuple(laid_out)
