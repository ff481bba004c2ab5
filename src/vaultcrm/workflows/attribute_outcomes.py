"""Attach what fans did to the messages that caused it: answers, purchases, refunds.

What comes in leaves a mark in its own transaction, which costs it no statement. This goes through
the marks, reads everything that is known of the messages around them, and writes down what each of
them did. As that is a function of what is known (`vaultcrm.domain.outcomes`), it may be done again
at any time, and what is late, repeated or out of order comes to the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, engagement, outcomes, rollups, threads
from vaultcrm.db.queries.outcomes import Mark
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.money import Money
from vaultcrm.domain.outcomes import MessageFacts, Outcome, outcome_of
from vaultcrm.domain.rollups import floor_hour
from vaultcrm.domain.spending import PaymentKind
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.spending_care import note_payment

MARKS_AT_ONCE = 50
SETTLED_AT_ONCE = 2_000
AT_ONCE = 1_000
"""Messages that are written down by one statement."""
MOST_BATCHES = 500
"""Transactions for one creator in one run; the next run goes on."""

_BY_AI = frozenset({Author.AI_APPROVED, Author.AI_AUTOMATIC})


async def attribute_outcomes(parts: Parts) -> int:
    """Bring the outcomes of every creator up to date; how many messages were looked at.

    Any number of processes may do it at once: a creator that another one is at is left to it. Each
    batch is a transaction of its own, so breaking off loses nothing.
    """
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    seen = 0
    for creator_id in creator_ids:
        for _ in range(MOST_BATCHES):
            async with parts.transaction() as connection:
                found, more = await _batch(parts, connection, creator_id)
            seen += found
            if not more:
                break
    return seen


async def attribute_message(
    parts: Parts, connection: Connection, creator_id: UUID, message_id: UUID
) -> Outcome | None:
    """Make the outcome of one message anew, in the caller's transaction; None if it has none."""
    now, window = parts.now(), attribution_window(parts)
    known = await outcomes.facts(connection, creator_id, (), (message_id,), window)
    found = [outcome_of(one, window, now) for one in known]
    await _save(parts, connection, creator_id, found, now)
    return found[0] if found else None


def attribution_window(parts: Parts) -> timedelta:
    """How long after a message an answer or a purchase counts as its effect."""
    return timedelta(hours=parts.settings.attribution_hours)


async def _batch(parts: Parts, connection: Connection, creator_id: UUID) -> tuple[int, bool]:
    """One batch of a creator's, in a transaction: how many messages, and whether more is left."""
    now, window = parts.now(), attribution_window(parts)
    settled = await outcomes.lock(connection, creator_id, now - window)
    if settled is None:
        return 0, False
    marks = await outcomes.take_marks(connection, creator_id, MARKS_AT_ONCE)
    named: list[UUID] = []
    if marks:
        named = await outcomes.attach(
            connection, creator_id, sorted({one.conversation_id for one in marks})
        )
    drafts, settled_now = await outcomes.settling(
        connection, creator_id, settled, now - window, SETTLED_AT_ONCE
    )
    if settled_now > settled:
        await outcomes.note_settled(connection, creator_id, settled_now)
    found = 0
    if marks or named or drafts:
        found = await _bring_up(parts, connection, creator_id, marks, {*named, *drafts}, now)
    await engagement.count_due(connection, creator_id, now)
    return found, len(marks) == MARKS_AT_ONCE or settled_now < now - window


async def _bring_up(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    marks: Iterable[Mark],
    message_ids: Iterable[UUID],
    now: datetime,
) -> int:
    window = attribution_window(parts)
    known = await outcomes.facts(connection, creator_id, marks, message_ids, window)
    for one in sorted(known, key=lambda each: each.fan_id):
        await _note_late_purchase(parts, connection, one)
    found = [outcome_of(one, window, now) for one in known]
    for start in range(0, len(found), AT_ONCE):
        await _save(parts, connection, creator_id, found[start : start + AT_ONCE], now)
    return len(found)


async def _save(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    found: Sequence[Outcome],
    now: datetime,
) -> None:
    """Write outcomes down, with what hangs on them: the fan's value, and roll-ups."""
    for one in sorted(found, key=lambda each: each.facts.fan_id):
        await _take_back(connection, one)
    moments = await outcomes.save(connection, creator_id, found, now)
    hours = sorted({floor_hour(moment) for moment in moments} - {floor_hour(now)})
    if hours:
        await rollups.mark(connection, creator_id, hours)
    first: dict[UUID, datetime] = {}
    for one in found:
        if one.facts.author in _BY_AI:
            at, conversation_id = one.facts.sent_at, one.facts.conversation_id
            first[conversation_id] = min(at, first.get(conversation_id, at))
    if first:
        await engagement.note_first(connection, creator_id, first)


async def _note_late_purchase(parts: Parts, connection: Connection, facts: MessageFacts) -> None:
    """A purchase that was told before its message was here counts for the fan from now on."""
    if not facts.purchases or facts.is_bought:
        return
    first = min(facts.purchases, key=lambda one: (one.at, one.key))
    if not await outcomes.buy(connection, facts.creator_id, facts.id, first.at):
        return
    amount = first.amount or facts.price
    if amount is None:
        return
    await threads.add_value(connection, facts.creator_id, facts.fan_id, amount)
    await note_payment(
        parts,
        connection,
        creator_id=facts.creator_id,
        fan_id=facts.fan_id,
        payment_id=facts.id,
        kind=PaymentKind.PURCHASE,
        amount=amount,
        paid_at=first.at,
    )


async def _take_back(connection: Connection, one: Outcome) -> None:
    """What was refunded leaves the fan's lifetime value, once, however often this is done."""
    before = one.facts.counted_refund or Money(0, one.currency or "USD")
    change = one.refunded_minor - before.minor
    if not change or one.currency is None or before.currency != one.currency:
        return
    creator_id, fan_id = one.facts.creator_id, one.facts.fan_id
    value = await outcomes.take_value(connection, creator_id, fan_id, change, one.currency)
    if value is not None:
        await threads.set_tier(connection, creator_id, fan_id, value)
