"""What every message passes on its way out, whoever wrote it: the checks, and the hand-over."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from vaultcrm.db.jobs import DELIVER_MESSAGE
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import outbox
from vaultcrm.domain.channels import Capabilities
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem, Recipient
from vaultcrm.domain.people import Creator
from vaultcrm.domain.safety import SafetyReport, Scope, Verdict
from vaultcrm.pipeline.delivery import check_price
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.parts import Parts


@dataclass(frozen=True, slots=True)
class Leaving:
    """A message that a person wants to send, and what the fields of their request are called."""

    text: str
    price: Money | None
    media_ids: tuple[str, ...] = ()
    text_field: str = "text"
    price_field: str = "price"
    media_field: str = "mediaIds"
    channel_field: str = "text"


async def check_leaving(
    parts: Parts,
    leaving: Leaving,
    recipient: Recipient,
    creator: Creator,
    forbidden_words: tuple[str, ...],
) -> SafetyReport:
    """Nothing leaves that the filter blocks, this fan must not be asked, or the channel cannot
    carry; what the filter only asks to look at is for the writer to know.

    Raises InvalidInput.
    """
    if leaving.price is not None and recipient.care is not None:
        raise InvalidInput(
            FieldProblem(
                leaving.price_field, "selling is stopped in this conversation: set it to 0"
            )
        )
    try:
        channel = await find_channel(parts, creator.id, recipient.channel)
    except NotFound:
        raise InvalidInput(
            FieldProblem(
                leaving.channel_field,
                f"the channel {recipient.channel} is not set up here, so nothing can be sent",
            )
        ) from None
    _check_carried(leaving, channel.capabilities)
    report = parts.content_filter.check(
        leaving.text,
        Scope.CHATTER,
        forbidden_words=forbidden_words,
        region=creator.region,
        own_rules=await parts.rule_book.of_creator(creator, parts.pool),
    )
    if report.verdict is Verdict.BLOCK:
        raise InvalidInput(
            *(
                FieldProblem(leaving.text_field, f"“{finding.matched}”: {finding.reason}")
                for finding in report.findings
            )
        )
    return report


def _check_carried(leaving: Leaving, capabilities: Capabilities) -> None:
    """Raise InvalidInput for a message that the channel cannot carry."""
    price = leaving.price
    if leaving.media_ids and not capabilities.takes_media:
        raise InvalidInput(FieldProblem(leaving.media_field, "this channel takes no media"))
    longest = capabilities.longest(with_media=bool(leaving.media_ids))
    if capabilities.length_of(leaving.text) > longest:
        beside = " beside media" if longest != capabilities.longest_text else ""
        emoji = "; most emoji count as two" if capabilities.counts_utf16 else ""
        raise InvalidInput(
            FieldProblem(
                leaving.text_field,
                f"this channel takes at most {longest:,} characters{beside}{emoji}",
            )
        )
    if price is not None and not capabilities.takes_prices:
        raise InvalidInput(FieldProblem(leaving.price_field, "this channel takes no prices"))
    if price is not None and capabilities.price_needs_media and not leaving.media_ids:
        raise InvalidInput(
            FieldProblem(leaving.media_field, "on this channel a price is for media: add some")
        )
    check_price(price, capabilities.least_price, capabilities.greatest_price, leaving.price_field)


def leaves_at(parts: Parts, recipient: Recipient, price: Money | None, now: datetime) -> datetime:
    """When a message that a person sends leaves: until then it can be taken back.

    The account's own delay wins; a paid message waits at least as long as any other.
    """
    settings = parts.settings
    delay = recipient.send_delay_seconds
    if delay is None:
        paid = settings.send_delay_paid_seconds if price is not None else 0
        delay = max(settings.send_delay_seconds, paid)
    return now + timedelta(seconds=delay)


async def hand_over(parts: Parts, connection: Connection, item: OutboxItem, now: datetime) -> None:
    """Put a message in the outbox with its job, in the transaction that decides on it."""
    await outbox.insert(connection, item, now)
    await defer_delivery(parts, connection, item)


async def defer_delivery(parts: Parts, connection: Connection, item: OutboxItem) -> None:
    """Ask for an attempt. Jobs of one conversation run in the order in which they are deferred."""
    await parts.jobs.defer(
        connection,
        DELIVER_MESSAGE,
        lock=str(item.conversation_id),
        at=item.not_before if item.not_before > parts.now() else None,
        creator_id=str(item.creator_id),
        item_id=str(item.id),
    )


async def defer_recovery(parts: Parts, connection: Connection, item: OutboxItem) -> bool:
    """Ask for an attempt whose job seems lost; False when that was asked for already."""
    return await parts.jobs.defer(
        connection,
        DELIVER_MESSAGE,
        lock=str(item.conversation_id),
        queueing_lock=f"deliver:{item.id}",
        creator_id=str(item.creator_id),
        item_id=str(item.id),
    )
