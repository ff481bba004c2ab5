"""Tell a fan that AI helps to write: right before a message, at once, or because they ask.

A disclosure is a message of its own in the outbox. One that goes before a message is put there in
the same transaction, and the message names it (`after_id`), so that it cannot leave first: see
`deliver_message`. That the fan was told is noted when the platform has taken it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, disclosures, flags, outbox, threads
from vaultcrm.db.queries.outbox import Departure
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author, Mode
from vaultcrm.domain.disclosure import Disclosure, Due, Why, Wording, disclosure_due
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound, SecretUnreadable
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.outbox import OutboxItem, Recipient
from vaultcrm.domain.people import Caller, Creator
from vaultcrm.pipeline.delivery import Recipe, outbox_item
from vaultcrm.pipeline.disclosure import choose_wording
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.leaving import hand_over
from vaultcrm.workflows.parts import Parts, Receipt

ANSWERED_FOR = timedelta(minutes=10)
"""Who asks again so soon after they were told has the answer above their question."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What a fan must be told before a message, and why."""

    recipient: Recipient
    why: Why
    wording: Wording


async def telling_before(
    parts: Parts,
    connection: Connection,
    departure: Departure,
    conversation_id: UUID,
    author: Author,
    now: datetime,
) -> Telling | None:
    """What the fan must be told before a message of this author; None when nothing is due.

    A chatter's own message is preceded only by the answer to a fan who has asked, and while AI is
    switched on.
    """
    recipient = departure.recipient
    due = disclosure_due(
        recipient.told_at,
        recipient.asked_at,
        every_days=parts.settings.ai_disclosure_every_days,
        now=now,
    )
    if due is None:
        return None
    if author is Author.CHATTER and (
        due is not Due.ASKED or not (await _flags(parts, connection, departure.creator)).enabled
    ):
        return None
    wording = await wording_for(connection, departure, conversation_id)
    return Telling(recipient, Why(due.value), wording)


async def wording_for(
    connection: Connection, departure: Departure, conversation_id: UUID
) -> Wording:
    """The wording in the conversation's language if it is known, else in the creator's."""
    creator = departure.creator
    spoken = await (await disclosures.spoken(connection, creator.id, conversation_id)).answer()
    return choose_wording(spoken.own, (spoken.language, creator.language))


async def hold_still(
    connection: Connection, telling: Telling | None, creator_id: UUID, conversation_id: UUID
) -> None:
    """Of messages that are decided at once only one brings the disclosure along: the conversation
    is locked, which must come before any draft of it is changed.
    """
    if telling is not None:
        await threads.lock_conversation(connection, creator_id, conversation_id)


async def put_before(
    connection: Connection, telling: Telling | None, item: OutboxItem, now: datetime
) -> OutboxItem:
    """The message with what must leave before it, which is put into the outbox.

    One that is on its way in the conversation already serves this message too, and so does one that
    has arrived since `telling` was found. The conversation must be locked (`hold_still`): what says
    that a disclosure has arrived waits for that lock, so it is seen as one or the other.
    """
    if telling is None:
        return item
    recipient = telling.recipient
    first = await disclosures.on_its_way(connection, item.creator_id, item.conversation_id)
    if first is None:
        told_at = await disclosures.told_at(connection, item.creator_id, recipient.fan_id)
        if told_at != recipient.told_at:
            return item
        told = _item(
            telling,
            creator_id=item.creator_id,
            conversation_id=item.conversation_id,
            user_id=item.author_user_id,
            not_before=item.not_before,
        )
        await _insert(connection, telling, told, now)
        first = told.id
    return replace(item, after_id=first)


async def take_back_before(connection: Connection, item: OutboxItem) -> None:
    """A message will not leave: neither will its disclosure, unless it has or another needs it."""
    if item.after_id is not None:
        await disclosures.take_back(connection, item.creator_id, item.after_id, but_for=item.id)


async def note_told(
    connection: Connection, item: OutboxItem, at: datetime, now: datetime
) -> Disclosure | None:
    """The platform has taken a disclosure at `at`: kept with the fan, and in the audit log."""
    told = await disclosures.note_told(connection, item.creator_id, item.id, at)
    if told is not None:
        await audit.record(
            connection,
            AuditEntry(
                creator_id=item.creator_id,
                actor_id=item.author_user_id,
                action=AuditAction.DISCLOSED,
                subject_type="fan",
                subject_id=str(told.fan_id),
                at=now,
                details={
                    "why": told.why.value,
                    "language": told.language,
                    "version": told.version,
                    "conversation": str(told.conversation_id),
                },
            ),
        )
    return told


# ---- at once


async def send_disclosure(
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    conversation_id: UUID,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[OutboxItem], str] | None = None,
) -> OutboxItem:
    """Send the disclosure now, as a person wants it.

    Raises NotFound, InvalidInput where the channel is not set up, or Conflict when one is on its
    way already.
    """
    require_creator(caller, creator_id)
    now = parts.now()
    async with parts.transaction() as connection:
        await threads.lock_conversation(connection, creator_id, conversation_id)
        departure = await (await outbox.departure(connection, creator_id, conversation_id)).answer()
        if departure is None:
            raise NotFound("conversation")
        await _require_channel(parts, connection, departure)
        if await disclosures.on_its_way(connection, creator_id, conversation_id, alone=True):
            raise Conflict("The disclosure is on its way already.")
        item = await _send_at_once(
            parts, connection, departure, conversation_id, caller.user_id, now
        )
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.DISCLOSURE_ORDERED,
                subject_type="conversation",
                subject_id=str(conversation_id),
                at=now,
                details={"outbox": str(item.id)},
            ),
        )
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(item))
    return item


async def _require_channel(parts: Parts, connection: Connection, departure: Departure) -> None:
    channel = departure.recipient.channel
    try:
        await find_channel(parts, departure.creator.id, channel, connection)
    except NotFound:
        problem = f"the channel {channel} is not set up here, so nothing can be sent"
        raise InvalidInput(FieldProblem("conversationId", problem)) from None


async def fan_asks(
    parts: Parts, connection: Connection, creator_id: UUID, conversation_id: UUID
) -> None:
    """A fan asks whether AI writes, inside the caller's transaction, which has locked the
    conversation: the next message answers them, or, where messages may leave by themselves, the
    disclosure does at once.
    """
    now = parts.now()
    noted = await disclosures.note_asked(
        connection, creator_id, conversation_id, told_since=now - ANSWERED_FOR, now=now
    )
    if not noted:
        return
    departure = await (await outbox.departure(connection, creator_id, conversation_id)).answer()
    if departure is None:
        return
    by_itself = await _may_leave_by_itself(parts, connection, departure)
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=None,
            action=AuditAction.DISCLOSURE_ASKED,
            subject_type="conversation",
            subject_id=str(conversation_id),
            at=now,
            details={"answered_at_once": by_itself},
        ),
    )
    if by_itself and not await disclosures.on_its_way(
        connection, creator_id, conversation_id, alone=True
    ):
        await _send_at_once(parts, connection, departure, conversation_id, None, now)


async def _may_leave_by_itself(parts: Parts, connection: Connection, departure: Departure) -> bool:
    """Whether anything may: where a person approves every message, one sends this as well."""
    recipient, creator = departure.recipient, departure.creator
    if recipient.mode is not Mode.AUTO or recipient.care is not None:
        return False
    in_force = await _flags(parts, connection, creator)
    if not in_force.ai_is_on_for(creator.handle):
        return False
    if in_force.rollout_stage <= RolloutStage.MANUAL_APPROVAL:
        return False
    try:
        channel = await find_channel(parts, creator.id, recipient.channel, connection)
    except (NotFound, InvalidInput, SecretUnreadable):
        return False
    return channel.capabilities.automated_sending


async def _flags(parts: Parts, connection: Connection, creator: Creator) -> Flags:
    return effective_flags(
        parts.settings, Overrides(*await flags.overrides(connection, creator.id))
    )


async def _send_at_once(
    parts: Parts,
    connection: Connection,
    departure: Departure,
    conversation_id: UUID,
    user_id: UUID | None,
    now: datetime,
) -> OutboxItem:
    recipient = departure.recipient
    due = disclosure_due(
        recipient.told_at,
        recipient.asked_at,
        every_days=parts.settings.ai_disclosure_every_days,
        now=now,
    )
    why = Why.ORDERED if due is None else Why(due.value)
    wording = await wording_for(connection, departure, conversation_id)
    telling = Telling(recipient, why, wording)
    item = _item(
        telling,
        creator_id=departure.creator.id,
        conversation_id=conversation_id,
        user_id=user_id,
        not_before=now,
    )
    await _note(connection, telling, item, now)
    await hand_over(parts, connection, item, now)
    return item


# ---- parts of both


def _item(
    telling: Telling,
    *,
    creator_id: UUID,
    conversation_id: UUID,
    user_id: UUID | None,
    not_before: datetime,
) -> OutboxItem:
    recipient = telling.recipient
    return outbox_item(
        Recipe(
            conversation_id,
            recipient.channel,
            recipient.conversation_ref,
            recipient.fan_handle,
            telling.wording.text,
            None,
        ),
        creator_id=creator_id,
        generation_id=None,
        author=Author.DISCLOSURE,
        author_user_id=user_id,
        seen_message_id=recipient.newest_fan_message_id,
        not_before=not_before,
    )


async def _insert(
    connection: Connection, telling: Telling, item: OutboxItem, now: datetime
) -> None:
    """Into the outbox without a job of its own: the job of the message behind it sends both."""
    await outbox.insert(connection, item, now)
    await _note(connection, telling, item, now)


async def _note(connection: Connection, telling: Telling, item: OutboxItem, now: datetime) -> None:
    await disclosures.insert(
        connection,
        Disclosure(
            id=new_id(),
            creator_id=item.creator_id,
            fan_id=telling.recipient.fan_id,
            conversation_id=item.conversation_id,
            item_id=item.id,
            why=telling.why,
            language=telling.wording.language,
            version=telling.wording.version,
            created_at=now,
        ),
    )
