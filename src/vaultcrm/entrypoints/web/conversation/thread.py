"""The messages of a conversation as they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from vaultcrm.db.queries.console import ThreadMessage
from vaultcrm.db.queries.inbox import LeavingMessage
from vaultcrm.domain.conversation import Message, Sender
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.entrypoints.web.text import times, words

NEW_BYLINE_AFTER = timedelta(minutes=10)
ON_THE_WAY = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING})


@dataclass(frozen=True, slots=True)
class Bubble:
    """One message. `opens` says that its author and time stand above it, `day` that another day
    begins with it. `leaving` is set while it is not sent; `sent` on the last of ours that is.
    """

    message: Message
    name: str
    byline: str
    opens: bool
    day: str | None = None
    leaving: LeavingMessage | None = None
    sent: bool = False

    @property
    def ours(self) -> bool:
        return self.message.sender is Sender.CREATOR


@dataclass(frozen=True, slots=True)
class _Said:
    message: Message
    user_name: str | None
    leaving: LeavingMessage | None = None


def bubbles(
    newest_first: Sequence[ThreadMessage],
    *,
    fan_name: str,
    creator_name: str,
    leaving: Sequence[LeavingMessage] = (),
    now: datetime | None = None,
) -> tuple[Bubble, ...]:
    """The messages in the order in which they were sent; one author's in a row share a byline.

    What is on its way stands at the end, what was stopped where it was written. With `now`, whose
    zone counts, days are told apart.
    """
    sent = [_Said(item.message, item.user_name) for item in newest_first]
    stopped = [_as_said(item) for item in leaving if item.status not in ON_THE_WAY]
    said = sorted([*sent, *stopped], key=lambda one: (one.message.sent_at, one.message.id))
    said += [_as_said(item) for item in leaving if item.status in ON_THE_WAY]
    laid_out: list[Bubble] = []
    today: date | None = None
    for one in said:
        message = one.message
        before = laid_out[-1] if laid_out else None
        name = fan_name if message.sender is Sender.FAN else creator_name
        byline = words.conversations.byline(message.author, one.user_name)
        day = None
        if now is not None:
            on = message.sent_at.astimezone(now.tzinfo).date()
            day = None if on == today else times.day(message.sent_at, now)
            today = on
        opens = (
            before is None
            or day is not None
            or (before.name, before.byline, before.ours)
            != (name, byline, message.sender is Sender.CREATOR)
            or message.sent_at - before.message.sent_at > NEW_BYLINE_AFTER
        )
        laid_out.append(Bubble(message, name, byline, opens, day, one.leaving))
    return _last_sent_marked(laid_out)


def bubbles_of(
    messages: Sequence[Message], *, fan_name: str, creator_name: str = ""
) -> tuple[Bubble, ...]:
    """Messages that nothing more is known of, in their order."""
    newest_first = [ThreadMessage(message, None) for message in reversed(messages)]
    return bubbles(newest_first, fan_name=fan_name, creator_name=creator_name)


def _last_sent_marked(laid_out: list[Bubble]) -> tuple[Bubble, ...]:
    for place in range(len(laid_out) - 1, -1, -1):
        if laid_out[place].ours and laid_out[place].leaving is None:
            laid_out[place] = replace(laid_out[place], sent=True)
            break
    return tuple(laid_out)


def _as_said(item: LeavingMessage) -> _Said:
    message = Message(
        id=item.id,
        sender=Sender.CREATOR,
        text=item.text,
        sent_at=item.created_at,
        author=item.author,
        price=item.price,
    )
    return _Said(message, item.user_name, item)
