"""One conversation as its page shows it: read in two round trips, rendered whole or in parts."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response

from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import (
    complaints,
    console,
    conversations,
    disclosures,
    generations,
    inbox,
    situations,
)
from vaultcrm.db.queries.inbox import Bought
from vaultcrm.domain.channels import Capabilities
from vaultcrm.domain.conversation import Mode
from vaultcrm.domain.draft_options import LONGEST_HINT
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller
from vaultcrm.domain.safety import SafetyReport, Verdict
from vaultcrm.domain.situation import Situation
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor, moment
from vaultcrm.entrypoints.web.care.beside import Beside, read_beside
from vaultcrm.entrypoints.web.conversation.spending import LAST_BOUGHT, by_week
from vaultcrm.entrypoints.web.conversation.thread import Bubble, bubbles
from vaultcrm.entrypoints.web.disclosure.view import SHOWN, ShownDisclosure, shown_disclosure
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page
from vaultcrm.entrypoints.web.inbox.list_view import Filters, read_list
from vaultcrm.entrypoints.web.text import words
from vaultcrm.pipeline.context import engagement_score
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

MESSAGES = 50
DRAFTS = 6

NO_CAPABILITIES = Capabilities(
    automated_sending=False,
    idempotent_sends=False,
    longest_text=0,
    takes_prices=False,
    takes_media=False,
)


@dataclass(frozen=True, slots=True)
class ShownDraft:
    """A draft of the conversation. `decided_by` and `reason` are set where a person decided on it,
    `held_by` while somebody else reviews it.
    """

    record: GenerationRecord
    decided_by: str | None
    reason: str | None
    held_by: str | None


@dataclass(frozen=True, slots=True)
class OpenConversation:
    """A conversation as its page shows it. `earlier` leads to the messages before, `version`
    differs once anything of it has changed, `weeks` are what was bought in each of the last twelve,
    the oldest first, in the fan's currency.
    """

    situation: Situation
    bubbles: tuple[Bubble, ...]
    earlier: str | None
    engagement: int
    drafts: tuple[ShownDraft, ...]
    bought: tuple[Bought, ...]
    weeks: tuple[Money, ...]
    version: str
    newest_id: UUID | None
    unread: int
    carries: Capabilities
    channel_is_set_up: bool
    disclosure: ShownDisclosure
    beside: Beside
    complained: Mapping[UUID, tuple[UUID, bool]] = field(default_factory=dict)
    """Of messages that were drafts: the draft, and whether a complaint about it is marked."""

    @property
    def id(self) -> UUID:
        return self.situation.conversation.id

    @property
    def creator_id(self) -> UUID:
        return self.situation.creator.id

    @property
    def path(self) -> str:
        return f"/conversations/{self.id}"

    @property
    def selling_is_stopped(self) -> bool:
        return self.situation.conversation.care is not None

    @property
    def notes_hash(self) -> str:
        return hash_of(self.situation.fan.notes)


@dataclass(frozen=True, slots=True)
class Composed:
    """What stands in the composer. `problems` are by field; `report` marks what the filter stopped
    in the text, or, of a message that is on its way, what it saw; `newer` is what the fan wrote in
    the meantime; `template` is the template that it began with.
    """

    message: str = ""
    price: str = ""
    media: str = ""
    seen: UUID | None = None
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    report: SafetyReport | None = None
    newer: tuple[Bubble, ...] = ()
    template: UUID | None = None

    @property
    def offers(self) -> bool:
        return bool(self.price or self.media or {"price", "media"} & set(self.problems))


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that did not go through, so that none of it has to be typed again."""

    generation_id: UUID
    message: str | None = None
    price: str = ""
    problems: tuple[str, ...] = ()
    conflict: str = ""


@dataclass(frozen=True, slots=True)
class NotesTyped:
    """Notes that could not be saved, and why."""

    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of a conversation is shown, and how. `before` is a cursor of earlier messages,
    `draft` the draft that was asked for, `later` whether drafts are left to the queue, `use` which
    alternative stands in the form for editing.
    """

    filters: Filters = field(default_factory=Filters)
    before: str | None = None
    draft: UUID | None = None
    later: bool = False
    use: int | None = None

    def query(self, **changes: object) -> str:
        """The query of an address that shows the same."""
        own: dict[str, object] = {
            "before": self.before,
            "draft": self.draft,
            "later": "true" if self.later else None,
        }
        return self.filters.query(**(own | changes))


@dataclass(frozen=True, slots=True)
class Happened:
    """What a form has come to, told on the page. `problem` is said as an alert."""

    said: str = ""
    problem: str = ""
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    composed: Composed | None = None
    decided: Decided | None = None
    notes: NotesTyped | None = None


def hash_of(notes: str) -> str:
    """MD5 in hex, as PostgreSQL's md5() has it: tells two versions of notes apart."""
    return hashlib.md5(notes.encode(), usedforsecurity=False).hexdigest()


async def find_conversation(parts: Parts, caller: Caller, conversation_id: UUID) -> Record:
    """The conversation's row; raises NotFound for one that is not the caller's to see."""
    async with parts.pool.connection() as connection:
        creator_ids = await visible_creators(connection, caller)
        sent = await conversations.get_conversation(connection, creator_ids, conversation_id)
        rows = await sent.answer()
    if not rows:
        raise NotFound("conversation")
    return rows[0]


async def open_conversation(
    parts: Parts, desk: Desk, conversation_id: UUID, before: str | None = None
) -> OpenConversation:
    """Everything on a conversation's page; raises NotFound, or InvalidInput for a wrong cursor."""
    row = await find_conversation(parts, desk.caller, conversation_id)
    creator_id, fan_id = row["creator_id"], row["fan_id"]
    start = decode_cursor(before, moment, UUID)
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            # First, so that what happens meanwhile is shown again rather than missed.
            state_sent = await inbox.state(connection, creator_id, conversation_id)
            situation_sent = await situations.load_situation(
                connection,
                creator_id=creator_id,
                conversation_id=conversation_id,
                fan_id=None,
                now=desk.now,
            )
            thread_sent = await console.thread(
                connection,
                creator_id,
                conversation_id,
                before=None if start is None else (start[0], start[1]),
                limit=MESSAGES + 1,
            )
            leaving_sent = await inbox.leaving(connection, creator_id, conversation_id)
            bought_sent = await inbox.bought(connection, creator_id, fan_id)
            told_sent = await disclosures.of_fan(connection, creator_id, fan_id, SHOWN)
            drafts_sent = await generations.of_conversation(
                connection, creator_id, conversation_id, DRAFTS
            )
        situation = await situation_sent.answer()
        newest_first = await thread_sent.answer()
        bought = await bought_sent.answer()
        drafts = await _shown(connection, desk, creator_id, await drafts_sent.answer())
        leaving = await leaving_sent.answer()
        told = await told_sent.answer()
        version = await state_sent.answer()
        if situation is None:
            raise NotFound("conversation")
        beside = await read_beside(parts, connection, desk, situation)
        complained_sent = await complaints.of_messages(
            connection, creator_id, [one.message.id for one in newest_first[:MESSAGES]]
        )
        complained = await complained_sent.answer()
    shown = newest_first[:MESSAGES]
    more = len(newest_first) > MESSAGES
    carries, set_up = await _carries(parts, creator_id, situation.conversation.channel)
    return OpenConversation(
        situation=situation,
        bubbles=bubbles(
            shown,
            fan_name=situation.fan.display_name,
            creator_name=situation.creator.display_name,
            leaving=[
                item
                for item in leaving
                if (start is None or item.created_at < start[0])
                and (not more or item.created_at > shown[-1].message.sent_at)
            ],
            now=desk.now,
        ),
        earlier=encode_cursor(shown[-1].message.sent_at, shown[-1].message.id) if more else None,
        engagement=engagement_score(situation.activity, desk.now),
        drafts=drafts,
        bought=bought[:LAST_BOUGHT],
        weeks=by_week(bought, situation.fan.lifetime_value.currency, desk.now),
        version=version,
        newest_id=shown[0].message.id if shown and start is None else None,
        unread=row["unread_count"],
        carries=carries,
        channel_is_set_up=set_up,
        disclosure=shown_disclosure(parts, situation, told, desk.now),
        beside=beside,
        complained=complained,
    )


async def _carries(parts: Parts, creator_id: UUID, channel: str) -> tuple[Capabilities, bool]:
    """What a channel can carry, and whether it is set up at all."""
    try:
        return (await find_channel(parts, creator_id, channel)).capabilities, True
    except NotFound:
        return NO_CAPABILITIES, False


async def _shown(
    connection: Connection, desk: Desk, creator_id: UUID, records: tuple[GenerationRecord, ...]
) -> tuple[ShownDraft, ...]:
    """Drafts with the names of those who decided or review, and why they rejected."""
    if not records:
        return ()
    held: dict[UUID, UUID] = {}
    for record in records:
        holder, until = record.claimed_by, record.claimed_until
        if holder is None or holder == desk.caller.user_id:
            continue
        if until is not None and until > desk.now:
            held[record.id] = holder
    people = [record.approved_by for record in records] + list(held.values())
    async with connection.pipeline():
        names_sent = await console.user_names(connection, [one for one in people if one])
        reasons_sent = await console.reasons_given(
            connection, creator_id, [record.id for record in records]
        )
    names, reasons = await names_sent.answer(), await reasons_sent.answer()
    return tuple(
        ShownDraft(
            record,
            names.get(record.approved_by) if record.approved_by else None,
            reasons.get(record.id),
            names.get(held[record.id]) if record.id in held else None,
        )
        for record in records
    )


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the form for editing a draft, and whether it is open from the start."""

    message: str
    price: str
    is_open: bool


def current_draft(opened: OpenConversation, shown: Shown) -> ShownDraft | None:
    """The draft to show in full: the one asked for, else the newest if it waits."""
    if shown.later:
        return None
    for draft in opened.drafts:
        if draft.record.id == shown.draft:
            return draft
    newest = opened.drafts[0] if opened.drafts else None
    if newest is not None and newest.record.status is GenerationStatus.QUEUED:
        return newest
    return None


def _edit(
    opened: OpenConversation, draft: ShownDraft | None, shown: Shown, decided: Decided | None
) -> Edit | None:
    if draft is None:
        return None
    record = draft.record
    price = "" if opened.selling_is_stopped else words.forms.price_field(record.suggested_price)
    if decided is not None and decided.generation_id == record.id and decided.message is not None:
        return Edit(decided.message, decided.price, is_open=True)
    stopped = record.safety.verdict is Verdict.BLOCK
    if shown.use is not None and shown.use < len(record.alternatives) and not stopped:
        return Edit(record.alternatives[shown.use], price, is_open=True)
    return Edit(record.message or "", price, is_open=not may_go_as_it_is(opened, record))


def may_go_as_it_is(opened: OpenConversation, record: GenerationRecord) -> bool:
    """False without a text, and for an offer in a conversation where selling is stopped."""
    sells = record.suggested_price is not None or record.generation_type.sells
    return bool(record.message) and not (sells and opened.selling_is_stopped)


def values_of(
    opened: OpenConversation, desk: Desk, shown: Shown, happened: Happened
) -> dict[str, object]:
    """What the templates of a conversation's parts need."""
    current = current_draft(opened, shown)
    return {
        "desk": desk,
        "opened": opened,
        "shown": shown,
        "current": current,
        "edit": _edit(opened, current, shown, happened.decided),
        "may_go": current is not None and may_go_as_it_is(opened, current.record),
        "has_ai": desk.ai_is_on_for(opened.creator_id),
        "drafts_here": desk.ai_is_on_for(opened.creator_id)
        and opened.situation.conversation.mode is not Mode.OFF,
        "happened": happened,
        "composed": happened.composed or Composed(),
        "longest_hint": LONGEST_HINT,
        "online_since": desk.now - inbox.ONLINE_FOR,
    }


async def answer(
    request: Request,
    parts: Parts,
    desk: Desk,
    conversation_id: UUID,
    shown: Shown,
    happened: Happened | None = None,
    *,
    parts_only: bool = False,
) -> Response:
    """The page; for htmx the opened conversation, or of a page that shows it already `parts_only`.

    The composer is among the parts only where something has become of it.
    """
    happened = happened or Happened()
    opened = await open_conversation(parts, desk, conversation_id, shown.before)
    values = values_of(opened, desk, shown, happened)
    headers = dict(happened.headers)
    if asked_by_htmx(request):
        template = "conversation/_parts.html" if parts_only else "conversation/_opened.html"
        return page(template, happened.status, headers=headers, **values)
    listed = await read_list(parts, desk, shown.filters)
    return page(
        "conversation/conversation.html",
        happened.status,
        headers=headers,
        here="inbox",
        listed=listed,
        **values,
    )
