"""Erase a fan on request: stop what is under way, then empty what is held, in small steps.

`erase_fan` does at once what must not wait: nothing leaves any more, and the names are gone, so
that whoever writes from then on is another fan. The rest is `carry_on`, which a job calls: it
empties the tables some rows at a time, each step a transaction that may run again, so that it can
be killed anywhere. A quarter of an hour later it looks through everything once more, for what was
under way meanwhile, and forgets what it was looking for.

The audit log keeps who erased whom (by id), when and why. Of earlier entries about the fan the
words that people put there are taken out in the way that keeps the seals whole.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.jobs import ERASE_FAN
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import (
    access,
    audit,
    audit_seals,
    erased_drafts,
    erased_fans,
    erased_mentions,
    erased_rows,
    erased_webhooks,
    erasures,
    outbox,
)
from vaultcrm.db.queries.erased_fans import FoundFan, Reference
from vaultcrm.db.queries.erased_webhooks import RawEvent
from vaultcrm.domain.alerts import AlertKind, conversation_subject, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.channels import InboundEvent
from vaultcrm.domain.erasure import LONGEST_REASON, Erasure, ErasureCounts
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound, SecretUnreadable
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.alerting import clear_alert
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.receive_message import receive_event

AT_ONCE = 500
ASKED_AGAIN_EVERY = timedelta(minutes=1)
PATIENT_AFTER = timedelta(hours=1)
ASKED_PATIENTLY_EVERY = timedelta(hours=1)
SHORTEST_NAME = 3
_GONE = json.dumps(
    {
        "type": "/problems/not-found",
        "title": HTTPStatus.NOT_FOUND.phrase,
        "status": HTTPStatus.NOT_FOUND.value,
        "detail": "This answer was about a fan who has been erased.",
    }
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


# ---- asking for it


async def look_at_fan(
    parts: Parts, caller: Caller, creator_id: UUID, fan: str
) -> tuple[FoundFan, ErasureCounts]:
    """A fan by id or handle, and what would go; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        found = await erased_fans.find_fan(connection, creator_id, fan)
        if found is None:
            raise NotFound("fan")
        return found, await erased_fans.count_held(connection, creator_id, found.id)


async def erase_fan(
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    *,
    handle: str,
    reason: str,
    receipt: Receipt | None = None,
    encode: Callable[[Erasure], str] | None = None,
) -> Erasure:
    """Stop everything for a fan, take their names away, and have a job empty the rest.

    For admins. `handle` is the fan's, typed by whoever asks. Raises Forbidden, NotFound, and
    InvalidInput for another handle or a reason that is missing or names the fan.
    """
    require_role(caller, Role.ADMIN)
    require_creator(caller, creator_id)
    async with parts.transaction() as connection:
        # In the order in which whoever works a webhook through holds rows: that first, then the
        # fan, then conversations.
        waiting = [one async for one in _waiting(connection, creator_id)]
        fan = await erased_fans.lock_fan(connection, creator_id, fan_id)
        if fan is None:
            raise NotFound("fan")
        reason = _checked(fan, handle, reason)
        references = await erased_fans.lock_references(connection, creator_id, fan_id)
        now = parts.now()
        held = await erased_fans.count_held(connection, creator_id, fan_id)
        identifiers = sorted({fan.handle, *(each.external_ref for each in references)})
        erasure_id = await erasures.add(
            connection,
            creator_id=creator_id,
            fan_id=fan_id,
            by=caller.user_id,
            reason=reason,
            identifiers=identifiers,
            held=held,
            now=now,
        )
        await _drop_waiting(parts, connection, creator_id, waiting, fan, references, now)
        conversation_ids = [each.conversation_id for each in references]
        await erased_fans.stop(
            connection,
            creator_id,
            fan_id,
            conversation_ids,
            [conversation_subject(creator_id, each) for each in conversation_ids],
            now,
        )
        if not await outbox.any_uncertain(connection, creator_id):
            await clear_alert(
                parts,
                connection,
                AlertKind.MESSAGE_UNCERTAIN,
                now,
                subject=creator_subject(creator_id),
            )
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.FAN_ERASED,
                subject_type="fan",
                subject_id=str(fan_id),
                at=now,
                details={
                    "reason": reason,
                    "conversations": held.conversations,
                    "messages": held.messages,
                    "drafts": held.drafts,
                },
            ),
        )
        await _ask(parts, connection, creator_id, erasure_id, at=None)
        erasure = await erasures.get(connection, creator_id, erasure_id)
        assert erasure is not None  # noqa: S101 -- it was added above
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(erasure), HTTPStatus.ACCEPTED)
    return erasure


def _checked(fan: FoundFan, handle: str, reason: str) -> str:
    """The reason without blanks around it; raises InvalidInput."""
    reason = reason.strip()
    wrong = []
    if handle.strip() != fan.handle:
        wrong.append(FieldProblem("handle", "is not this fan's: type it as it stands there"))
    if not reason:
        wrong.append(FieldProblem("reason", "say why, as in: asked for it by e-mail"))
    elif len(reason) > LONGEST_REASON:
        wrong.append(FieldProblem("reason", f"must have at most {LONGEST_REASON} characters"))
    elif _names(fan, reason):
        wrong.append(FieldProblem("reason", "leave the fan's name out: the reason is kept"))
    if wrong:
        raise InvalidInput(*wrong)
    return reason


def _names(fan: FoundFan, reason: str) -> bool:
    """Whether a reason holds a name of the fan's, where that is long enough to tell."""
    return any(
        len(name) >= SHORTEST_NAME
        and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reason, re.IGNORECASE) is not None
        for name in (fan.handle, fan.display_name)
    )


async def _ask(
    parts: Parts, connection: Connection, creator_id: UUID, erasure_id: UUID, at: datetime | None
) -> bool:
    return await parts.jobs.defer(
        connection,
        ERASE_FAN,
        queueing_lock=f"erase:{erasure_id}",
        at=at,
        creator_id=str(creator_id),
        erasure_id=str(erasure_id),
    )


# ---- carrying it out


async def carry_on(parts: Parts, creator_id: UUID, erasure_id: UUID) -> datetime | None:
    """Empty what is held about an erased fan; when a job will do so again, None once it is over."""
    async with parts.pool.connection() as connection:
        erasure = await erasures.get(connection, creator_id, erasure_id)
    if erasure is None or erasure.finished_at is not None:
        return None
    began = parts.now()
    rest = await _empty_everything(parts, erasure)
    again_at = _next_look(erasure, began, rest)
    async with parts.transaction() as connection:
        await erasures.note_cleared(connection, erasure, parts.now())
        if again_at is None:
            await erasures.finish(connection, erasure, parts.now())
        else:
            await _ask(parts, connection, creator_id, erasure_id, at=again_at)
    return again_at


def _next_look(erasure: Erasure, began: datetime, rest: bool) -> datetime | None:
    if began < erasure.last_look_at:
        return erasure.last_look_at
    if not rest:
        return None
    is_new = began < erasure.requested_at + PATIENT_AFTER
    return began + (ASKED_AGAIN_EVERY if is_new else ASKED_PATIENTLY_EVERY)


async def continue_erasures(parts: Parts) -> int:
    """Ask again for erasures that are due and whose job may be lost; how many there were."""
    asked = 0
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    for creator_id in creator_ids:
        async with parts.transaction() as connection:
            for erasure in await erasures.open_ones(connection, creator_id, AT_ONCE):
                if erasure.cleared_at is None or erasure.last_look_at <= parts.now():
                    asked += await _ask(parts, connection, creator_id, erasure.id, at=None)
    return asked


async def _empty_everything(parts: Parts, erasure: Erasure) -> bool:
    """Go through all tables once; True when something must be asked for again."""
    creator_id = erasure.creator_id
    async with parts.pool.connection() as connection:
        conversations = await erased_rows.conversation_ids(connection, creator_id, erasure.fan_id)
        speak_of = await erased_mentions.subjects(
            connection, creator_id, erasure.fan_id, conversations
        )
    await _empty_drafts(parts, erasure, conversations)
    for what in erased_rows.EMPTIED:
        rows = AT_ONCE
        while rows >= AT_ONCE:
            async with parts.transaction() as connection:
                rows = await erased_rows.empty(
                    connection, what, erasure, conversations, most=AT_ONCE, now=parts.now()
                )
    await _empty_inbound(parts, erasure)
    await _empty_answers(parts, speak_of)
    return await _erase_audit_words(parts, erasure, speak_of)


async def _empty_drafts(parts: Parts, erasure: Erasure, conversations: list[UUID]) -> None:
    after = NIL
    while True:
        async with parts.transaction() as connection:
            ids = await erased_drafts.empty_drafts(
                connection, erasure.creator_id, conversations, after=after, most=AT_ONCE
            )
        if not ids:
            return
        after = ids[-1]


async def _erase_audit_words(parts: Parts, erasure: Erasure, speak_of: set[str]) -> bool:
    """Take words out of entries about the fan; True while an entry is not sealed yet."""
    creator_id = erasure.creator_id
    # Ids follow the clock: nothing was said of the fan before the first of these was made.
    after, unsealed = UUID(int=min(UUID(each).int for each in speak_of) >> 80 << 80), False
    while True:
        async with parts.pool.connection() as connection:
            entries = await erased_mentions.told(
                connection,
                creator_id,
                after=after,
                tombstone=AuditAction.FAN_ERASED.value,
                most=AT_ONCE,
            )
            for entry_id, subject_id in entries:
                if subject_id in speak_of:
                    erased = await audit_seals.erase_details(connection, creator_id, entry_id)
                    unsealed = unsealed or not erased
        if len(entries) < AT_ONCE:
            return unsealed
        after = entries[-1][0]


async def _empty_answers(parts: Parts, speak_of: set[str]) -> None:
    """Answers that are kept for repeated requests, where they speak of the fan."""
    after = (NIL, "")
    while True:
        async with parts.transaction() as connection:
            kept = await erased_mentions.answers(connection, after=after, most=AT_ONCE)
            for user_id, key, response in kept:
                if not speak_of.isdisjoint(_ID.findall(response)):
                    await erased_mentions.replace_answer(
                        connection, user_id, key, _GONE, HTTPStatus.NOT_FOUND
                    )
        if len(kept) < AT_ONCE:
            return
        after = kept[-1][:2]


# ---- raw webhooks


async def _waiting(connection: Connection, creator_id: UUID) -> AsyncIterator[RawEvent]:
    after = NIL
    while True:
        found = await erased_webhooks.waiting_inbound(
            connection, creator_id, after=after, most=AT_ONCE
        )
        for one in found:
            yield one
        if len(found) < AT_ONCE:
            return
        after = found[-1].id


async def _drop_waiting(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    waiting: list[RawEvent],
    fan: FoundFan,
    references: list[Reference],
    now: datetime,
) -> None:
    """What the fan sent and nobody has worked through is not worked through any more.

    What others sent in the same webhook is.
    """
    known = {(each.channel, each.external_ref) for each in references}
    names = {fan.handle, *(each.external_ref for each in references)}
    dropped = []
    for raw in waiting:
        events = await _events(parts, connection, creator_id, raw)
        theirs = [one for one in events if _is_theirs(one, raw.channel, fan.handle, known)]
        if not theirs and (events or names.isdisjoint(_leaves(raw.payload))):
            continue
        dropped.append(raw.id)
        for one in events:
            if one not in theirs:
                await receive_event(parts, connection, raw.channel, creator_id, one)
    await erased_webhooks.empty_inbound(connection, creator_id, dropped, now)


async def _empty_inbound(parts: Parts, erasure: Erasure) -> None:
    """Empty the kept webhooks that name the fan, which were all worked through before."""
    names, after = set(erasure.identifiers), NIL
    while True:
        async with parts.transaction() as connection:
            found = await erased_webhooks.kept_inbound(
                connection,
                erasure.creator_id,
                until=erasure.requested_at,
                after=after,
                most=AT_ONCE,
            )
            theirs = [raw.id for raw in found if not names.isdisjoint(_leaves(raw.payload))]
            await erased_webhooks.empty_inbound(connection, erasure.creator_id, theirs, parts.now())
        if len(found) < AT_ONCE:
            return
        after = found[-1].id


async def _events(
    parts: Parts, connection: Connection, creator_id: UUID, raw: RawEvent
) -> tuple[InboundEvent, ...]:
    """What a webhook tells; nothing where it cannot be read any more."""
    try:
        channel = await find_channel(parts, creator_id, raw.channel, connection)
        return channel.parse(raw.payload)
    except (InvalidInput, NotFound, SecretUnreadable):
        return ()


def _is_theirs(event: InboundEvent, channel: str, handle: str, known: set[tuple[str, str]]) -> bool:
    return event.fan_handle == handle or (channel, event.conversation_ref) in known


def _leaves(payload: bytes) -> set[str]:
    """Every text and number in a body, as text; the words of one that is no JSON."""
    try:
        read = json.loads(payload)
    except (ValueError, RecursionError):
        return set(re.findall(r"[^\s\"'<>&=,;{}\[\]()]+", payload.decode("utf-8", "replace")))
    return set(_walk(read))


def _walk(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str | int):
            yield str(one)
