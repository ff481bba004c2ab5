"""Bring conversations in from a file: one transaction a line, and the same line twice is nothing.

The form of a line is in `import_format`. What is known already stays as it is, but for what the
file knows better: a fan's display name; a lifetime value that is greater, or in another currency,
with the tier that it earns; a later time of disclosure; notes where there are none; and that a
message was bought. The mode of a conversation counts when the conversation is new.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import (
    audit,
    creators,
    generations,
    importing,
    outcomes,
    spending,
    threads,
)
from vaultcrm.db.queries.importing import Found, ImportedMessage
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.content_rules import OwnRules
from vaultcrm.domain.conversation import Care, Sender
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Creator, Fan, tier_of
from vaultcrm.domain.safety import Scope
from vaultcrm.pipeline.approval.care import care_called_for
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.workflows.add_creator import add_creator
from vaultcrm.workflows.import_format import (
    CreatorPart,
    FanPart,
    ImportLine,
    LineProblem,
    check_line,
    is_blank,
)
from vaultcrm.workflows.rule_book import RuleBook

MOST_PROBLEMS = 1_000
"""So many bad lines are told of one by one; all are counted."""

_AUDIT_WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is: lines and messages so far, and how many lines were skipped."""

    lines: int
    messages: int
    lines_skipped: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `lines` are those that are not blank, good and bad.

    "New" was made, "known" was there before; `purchases_new` are known messages that are now
    marked as bought. `problems` are the first thousand bad lines.
    """

    lines: int = 0
    lines_skipped: int = 0
    creators_new: int = 0
    fans_new: int = 0
    fans_changed: int = 0
    conversations_new: int = 0
    conversations_known: int = 0
    messages_new: int = 0
    messages_known: int = 0
    purchases_new: int = 0
    problems: tuple[LineProblem, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any(
            (
                self.creators_new,
                self.fans_new,
                self.fans_changed,
                self.conversations_new,
                self.messages_new,
                self.purchases_new,
            )
        )

    @property
    def progress(self) -> ImportProgress:
        return ImportProgress(
            self.lines, self.messages_new + self.messages_known, self.lines_skipped
        )

    def with_problem(self, problem: LineProblem) -> "ImportReport":
        """This report and one more bad line."""
        told = len(self.problems) < MOST_PROBLEMS
        return replace(
            self,
            lines=self.lines + 1,
            lines_skipped=self.lines_skipped + 1,
            problems=(*self.problems, problem) if told else self.problems,
        )

    def with_line(self, line: "ImportReport") -> "ImportReport":
        """This report and that of one good line."""
        return replace(
            self,
            lines=self.lines + line.lines,
            creators_new=self.creators_new + line.creators_new,
            fans_new=self.fans_new + line.fans_new,
            fans_changed=self.fans_changed + line.fans_changed,
            conversations_new=self.conversations_new + line.conversations_new,
            conversations_known=self.conversations_known + line.conversations_known,
            messages_new=self.messages_new + line.messages_new,
            messages_known=self.messages_known + line.messages_known,
            purchases_new=self.purchases_new + line.purchases_new,
        )


async def import_conversations(
    pool: AsyncConnectionPool[Connection],
    lines: AsyncIterable[bytes] | Iterable[bytes],
    *,
    content_filter: ContentFilter,
    now: datetime,
    caller: Caller | None = None,
    on_progress: Callable[[ImportProgress], None] | None = None,
) -> ImportReport:
    """Bring in all good lines and report the bad ones; the same lines twice change nothing.

    `lines` are read one after the other and none is kept, so a file of any length will do. `now`
    is the time that new rows bear. `content_filter` looks at what fans wrote: signs of distress
    or of a minor stop selling in that conversation. `caller` is who brings the lines in: one of a
    creator who is not theirs is a bad line. None is whoever runs the command, who may do all.
    `on_progress` is called after each line. Each line is in or out as a whole; an import that is
    interrupted can be run again. What a run changed is one entry of the audit log, also when it was
    interrupted. No connection is held while the next line is waited for.
    """
    report = ImportReport()
    creator_ids: dict[str, UUID] = {}
    book = RuleBook()
    try:
        number = 0
        async for raw in _each(lines):
            number += 1
            if is_blank(raw):
                continue
            # A long line takes a while to read, in which other requests want to be answered.
            checked = await asyncio.to_thread(check_line, number, raw)
            if isinstance(checked, ImportLine):
                try:
                    done = await _import_line(
                        pool, checked, creator_ids, content_filter, book, caller, now
                    )
                    report = report.with_line(done)
                except InvalidInput as refused:
                    report = report.with_problem(LineProblem(number, refused.problems))
            else:
                report = report.with_problem(checked)
            if on_progress is not None:
                on_progress(report.progress)
    except BaseException:
        with suppress(psycopg.Error):
            await _record(pool, report, caller, now, complete=False)
        raise
    await _record(pool, report, caller, now, complete=True)
    return report


async def _each(lines: AsyncIterable[bytes] | Iterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(lines, AsyncIterable):
        async for raw in lines:
            yield raw
    else:
        for raw in lines:
            yield raw


async def _import_line(
    pool: AsyncConnectionPool[Connection],
    line: ImportLine,
    creator_ids: dict[str, UUID],
    content_filter: ContentFilter,
    book: RuleBook,
    caller: Caller | None,
    now: datetime,
) -> ImportReport:
    """One line in one transaction; raises InvalidInput when it contradicts what is known."""
    handle = line.creator.handle
    creator_id, creator_new = creator_ids.get(handle), False
    async with pool.connection() as connection, connection.transaction():
        if creator_id is None:
            creator_id, creator_new = await _find_or_add_creator(
                connection, line.creator, caller, now
            )
        fan = _new_fan(creator_id, line)
        found = await importing.find_or_open(
            connection, fan, channel=line.channel, mode=line.conversation.mode, now=now
        )
        if found.conversation_fan_id != found.fan.id:
            raise InvalidInput(
                FieldProblem("fan.handle", "names a conversation of another fan on this channel")
            )
        current = _brought_up_to_date(found.fan, fan, line.fan)
        messages_new, purchases_new = await _add_messages(connection, line, found, current, now)
        care = None
        if messages_new:
            own_rules = await book.newest(creator_id, connection)
            care = await asyncio.to_thread(_care_in, line, content_filter, own_rules)
        if care is not None:
            await threads.note_care(connection, creator_id, found.conversation_id, care, now)
    creator_ids[handle] = creator_id
    return ImportReport(
        lines=1,
        creators_new=int(creator_new),
        fans_new=int(found.fan_new),
        fans_changed=int(current != found.fan),
        conversations_new=int(found.conversation_new),
        conversations_known=int(not found.conversation_new),
        messages_new=messages_new,
        messages_known=len(line.messages) - messages_new,
        purchases_new=purchases_new,
    )


async def _find_or_add_creator(
    connection: Connection, part: CreatorPart, caller: Caller | None, now: datetime
) -> tuple[UUID, bool]:
    """The id of a creator and whether they are new; raises InvalidInput for a foreign one."""
    defaults = Creator(id=NIL, handle=part.handle, display_name=part.display_name or part.handle)
    added = await _add_creator(connection, defaults, caller, now)
    if added is not None:
        return added.id, True
    known = await (await creators.creator_by_handle(connection, part.handle)).answer()
    if known is None:
        raise NotFound("creator")
    if caller is not None and not caller.may_see(known.id):
        raise InvalidInput(FieldProblem("creator.handle", "names a creator who is not yours"))
    return known.id, False


async def _add_creator(
    connection: Connection, creator: Creator, caller: Caller | None, now: datetime
) -> Creator | None:
    described = {
        "handle": creator.handle,
        "display_name": creator.display_name,
        "language": creator.language,
        "region": creator.region,
    }
    if caller is None:
        return await creators.add_creator(connection, **described, now=now)
    return await add_creator(connection, caller, **described, now=now)


def _new_fan(creator_id: UUID, line: ImportLine) -> Fan:
    """The fan as the line alone tells it; last seen when they last wrote."""
    part = line.fan
    value = Money(part.lifetime_value_minor or 0, part.currency)
    wrote_at = [message.sent_at for message in line.messages if message.sender is Sender.FAN]
    return Fan(
        id=new_id(),
        creator_id=creator_id,
        handle=part.handle,
        display_name=part.display_name or part.handle,
        tier=tier_of(value),
        lifetime_value=value,
        disclosed_at=part.disclosed_at,
        last_seen_at=max(wrote_at, default=None),
        notes=part.notes,
    )


def _brought_up_to_date(known: Fan, told: Fan, part: FanPart) -> Fan:
    """The known fan with what the file knows better.

    A lifetime value in the same currency never falls: the file may be older than a purchase here,
    and a lower tier would mean less care.
    """
    updated = replace(
        known,
        display_name=part.display_name or known.display_name,
        notes=known.notes or told.notes,
        disclosed_at=_later(known.disclosed_at, told.disclosed_at),
        last_seen_at=_later(known.last_seen_at, told.last_seen_at),
    )
    old, new = known.lifetime_value, told.lifetime_value
    if part.lifetime_value_minor is None or (
        old.currency == new.currency and old.minor >= new.minor
    ):
        return updated
    return replace(updated, lifetime_value=new, tier=told.tier)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


async def _add_messages(
    connection: Connection, line: ImportLine, found: Found, fan: Fan, now: datetime
) -> tuple[int, int]:
    """How many messages were new, and how many known ones were bought since."""
    creator_id, conversation_id = fan.creator_id, found.conversation_id
    messages = [
        ImportedMessage(
            external_id=message.id,
            sender=message.sender,
            text=message.text,
            sent_at=message.sent_at,
            price=None
            if message.price_minor is None
            else Money(message.price_minor, line.fan.currency),
            purchased_at=message.purchased_at,
        )
        for message in line.messages
    ]
    purchased_at = {m.external_id: m.purchased_at for m in messages if m.purchased_at is not None}
    async with connection.pipeline():
        if fan != found.fan:
            await importing.save_fan(connection, fan)
        added_sent = await importing.add_messages(connection, creator_id, conversation_id, messages)
        purchases_sent = await importing.note_purchases(
            connection, creator_id, conversation_id, purchased_at
        )
        if purchased_at:
            await spending.pay_for_messages(connection, creator_id, conversation_id)
    added = await added_sent.answer()
    if added.messages or purchased_at:
        await outcomes.mark(connection, creator_id, conversation_id)
    if added.messages:
        async with connection.pipeline():
            await importing.refresh_conversation(connection, creator_id, conversation_id)
            if _overtakes(added.newest_from_fan, found):
                await generations.mark_stale(connection, creator_id, conversation_id, now)
    return added.messages, await purchases_sent.answer()


def _care_in(line: ImportLine, content_filter: ContentFilter, own_rules: OwnRules) -> Care | None:
    """Why nothing may be sold to this fan, from all that they have written."""
    found = {
        care_called_for(content_filter.check(message.text, Scope.FAN, own_rules=own_rules))
        for message in line.messages
        if message.sender is Sender.FAN
    }
    if Care.POSSIBLE_MINOR in found:
        return Care.POSSIBLE_MINOR
    return Care.DISTRESS if Care.DISTRESS in found else None


def _overtakes(newest_from_fan: datetime | None, found: Found) -> bool:
    """Whether the fan has said something since the drafts that wait were made."""
    if newest_from_fan is None or found.conversation_new:
        return False
    return found.last_message_at is None or newest_from_fan > found.last_message_at


async def _record(
    pool: AsyncConnectionPool[Connection],
    report: ImportReport,
    caller: Caller | None,
    now: datetime,
    *,
    complete: bool,
) -> None:
    if not report.changed:
        return
    entry = AuditEntry(
        creator_id=NIL,
        actor_id=None if caller is None else caller.user_id,
        action=AuditAction.IMPORTED,
        subject_type="import",
        subject_id=str(new_id()),
        at=now,
        details={
            "complete": complete,
            "lines": report.lines,
            "lines_skipped": report.lines_skipped,
            "creators_new": report.creators_new,
            "fans_new": report.fans_new,
            "fans_changed": report.fans_changed,
            "conversations_new": report.conversations_new,
            "messages_new": report.messages_new,
            "purchases_new": report.purchases_new,
        },
    )
    async with pool.connection(timeout=_AUDIT_WAIT_SECONDS) as connection:
        await audit.record(connection, entry)
