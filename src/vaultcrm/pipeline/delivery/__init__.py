"""Binding a message to what was decided, and the last checks before it leaves."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.channels import SendErrorKind, SendResult, SendStatus
from vaultcrm.domain.conversation import Author, Mode
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem, Recipient

MOST_ATTEMPTS = 8
FIRST_RETRY_SECONDS = 2.0
LONGEST_RETRY_SECONDS = 600.0
LONGEST_ASKED_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was decided: exactly this text, price and media, to this fan, over this channel.

    `conversation_ref` and `fan_handle` are the platform's names for where it goes.
    """

    conversation_id: UUID
    channel: str
    conversation_ref: str
    fan_handle: str
    text: str
    price: Money | None
    media_ids: tuple[str, ...] = ()


def bound_hash(recipe: Recipe) -> bytes:
    """SHA-256 over what was decided, in one unambiguous form."""
    price = None if recipe.price is None else [recipe.price.minor, recipe.price.currency]
    parts = [
        str(recipe.conversation_id),
        recipe.channel,
        recipe.conversation_ref,
        recipe.fan_handle,
        recipe.text,
        price,
        list(recipe.media_ids),
    ]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).digest()


def outbox_item(
    recipe: Recipe,
    *,
    creator_id: UUID,
    generation_id: UUID | None,
    author: Author,
    author_user_id: UUID | None,
    seen_message_id: UUID | None,
    not_before: datetime,
    template_id: UUID | None = None,
) -> OutboxItem:
    """The message to send, bound to the recipe; it leaves at `not_before` or later."""
    return OutboxItem(
        id=new_id(),
        creator_id=creator_id,
        conversation_id=recipe.conversation_id,
        generation_id=generation_id,
        author=author,
        author_user_id=author_user_id,
        text=recipe.text,
        price=recipe.price,
        media_ids=recipe.media_ids,
        bound_hash=bound_hash(recipe),
        seen_message_id=seen_message_id,
        not_before=not_before,
        template_id=template_id,
    )


def check_price(
    price: Money | None, least: Money | None, greatest: Money | None, field: str = "price"
) -> None:
    """Raise InvalidInput when a channel does not take a price: its amount or its currency."""
    if price is None:
        return
    for bound in (least, greatest):
        if bound is not None and bound.currency != price.currency:
            raise InvalidInput(
                FieldProblem(field, f"this channel takes prices in {bound.currency}")
            )
    for bound, word, wrong in (
        (least, "at least", least is not None and price.minor < least.minor),
        (greatest, "at most", greatest is not None and price.minor > greatest.minor),
    ):
        if wrong:
            raise InvalidInput(FieldProblem(field, f"this channel takes {word} {bound}"))


class Hold(StrEnum):
    """Why a message must not leave although its turn has come."""

    GONE = "the conversation is gone"
    DIFFERS = "it differs from what was decided"
    SELLING_STOPPED = "selling is stopped in this conversation"
    AUTOMATION_STOPPED = "automatic messages are stopped in this conversation"
    NOT_AUTOMATIC = "the conversation is not automatic any more"
    MOVED_ON = "the fan has written since it was decided"
    COOLING_OFF = "the fan is cooling off: no offers go to them"
    NOT_TOLD = "the fan has not been told that AI helps to write"
    DISCLOSURE_NOT_SENT = "the disclosure that goes before it did not reach the fan"


_DRAFTED = frozenset({Author.AI_AUTOMATIC, Author.AI_APPROVED})


def reason_not_to_send(item: OutboxItem, recipient: Recipient | None) -> Hold | None:
    """Why a message must not leave; None when it may.

    What is sent is compared with what was decided. A draft is held back when the fan has written
    since somebody, or the policy, decided on it, for that was decided without the new message in
    view; an automatic one also where the conversation's mode was changed. Where the fan needs care,
    nothing is sold and nothing goes by itself, whatever was decided before. No draft reaches a fan
    who was never told about AI, unless a disclosure goes before it.
    """
    if recipient is None:
        return Hold.GONE
    if bound_hash(recipe_of(item, recipient)) != item.bound_hash:
        return Hold.DIFFERS
    if recipient.care is not None and item.price is not None:
        return Hold.SELLING_STOPPED
    by_itself = is_automatic(item)
    if recipient.care is not None and by_itself:
        return Hold.AUTOMATION_STOPPED
    if recipient.mode is not Mode.AUTO and by_itself:
        return Hold.NOT_AUTOMATIC
    if (
        item.author in _DRAFTED
        and recipient.newest_fan_message_id is not None
        and recipient.newest_fan_message_id != item.seen_message_id
    ):
        return Hold.MOVED_ON
    if item.author in _DRAFTED and item.after_id is None and recipient.told_at is None:
        return Hold.NOT_TOLD
    return None


def is_automatic(item: OutboxItem) -> bool:
    """Whether a message leaves without a person: a draft, or a disclosure that nobody ordered."""
    if item.author is Author.DISCLOSURE:
        return item.author_user_id is None
    return item.author is Author.AI_AUTOMATIC


def recipe_of(item: OutboxItem, recipient: Recipient) -> Recipe:
    """What would leave now."""
    return Recipe(
        item.conversation_id,
        recipient.channel,
        recipient.conversation_ref,
        recipient.fan_handle,
        item.text,
        item.price,
        item.media_ids,
    )


@dataclass(frozen=True, slots=True)
class Closing:
    """How an attempt ends. `retry_at` is set when the message waits for another one."""

    status: DeliveryStatus
    error: str | None = None
    retry_at: datetime | None = None


def closing_of(result: SendResult, attempts: int, now: datetime) -> Closing:
    """What to write down after an attempt: sent, failed, uncertain, or wait and try again.

    `attempts` counts this one, so it is at least 1. Retries wait 2 s, doubled each time up to 10
    minutes, or as long as the platform asks but at most a day; after eight attempts the message
    has failed. One that may have arrived is still being sent while it waits: what comes up in the
    meantime must not make a message that the fan has read into one that was held back.
    """
    if result.status is SendStatus.SENT:
        return Closing(DeliveryStatus.SENT)
    if result.status is SendStatus.UNCERTAIN:
        return Closing(DeliveryStatus.UNCERTAIN, result.error or "the platform gave no answer")
    may_retry = result.error_kind in {SendErrorKind.RETRYABLE, SendErrorKind.RATE_LIMITED}
    if may_retry and attempts < MOST_ATTEMPTS:
        wait = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** (attempts - 1))
        if result.retry_after is not None:
            wait = max(wait, min(result.retry_after, LONGEST_ASKED_SECONDS))
        waiting = DeliveryStatus.SENDING if result.may_have_arrived else DeliveryStatus.PENDING
        return Closing(waiting, result.error, now + timedelta(seconds=wait))
    return Closing(DeliveryStatus.FAILED, result.error or "the platform refused it")
