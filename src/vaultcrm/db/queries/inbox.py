"""The inbox: conversations listed and searched, and what stands beside one that is open."""

import hashlib
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.conversation import Author, Care, Mode, Sender
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier

ONLINE_FOR = timedelta(minutes=5)
"""A fan who was seen within this time counts as online."""
MOST_BOUGHT = 500
MOST_LEAVING = 50


class Show(StrEnum):
    """Which conversations are listed. `WAITING` has the longest wait first, the others the latest
    message.
    """

    ALL = "all"
    WAITING = "waiting"
    UNREAD = "unread"
    ONLINE = "online"
    CARE = "care"


@dataclass(frozen=True, slots=True)
class InboxView:
    """A part of the inbox. `search` is compared with how words of name and handle begin."""

    creator_ids: tuple[UUID, ...]
    show: Show = Show.ALL
    tier: Tier | None = None
    search: str = ""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A conversation in the list. `place` and `id` are where it stands there."""

    id: UUID
    creator_id: UUID
    place: datetime
    fan_name: str
    tier: Tier
    online: bool
    care: Care | None
    mode: Mode
    waiting_since: datetime | None
    last_message_at: datetime | None
    unread: int
    text: str
    sender: Sender | None


_LATEST = "COALESCE(c.last_message_at, c.created_at)"
_PLACE = dict.fromkeys(Show, _LATEST) | {Show.WAITING: "c.waiting_since"}
_WANTED = {
    Show.ALL: "",
    Show.WAITING: " AND c.waiting_since IS NOT NULL",
    Show.UNREAD: " AND c.unread_count > 0",
    Show.ONLINE: " AND f.last_seen_at > %(online_since)s",
    Show.CARE: " AND c.care IS NOT NULL",
}

# What is compared here are the views of revision 0021, because of row-level security.
# Only the branches are long: what stands beside a conversation is looked up for the shown ones.
_ROWS = """
    SELECT c.id, c.creator_id, c.place, f.display_name, f.tier,
           COALESCE(f.last_seen_at > %(online_since)s, false), c.care, c.mode, c.waiting_since,
           c.last_message_at, c.unread_count, COALESCE(said.text, ''), said.sender
    FROM ({found}) c
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    LEFT JOIN LATERAL (
        SELECT left(m.text, 200) AS text, m.sender FROM messages m
        WHERE m.creator_id = c.creator_id AND m.conversation_id = c.id
        ORDER BY m.sent_at DESC, m.id DESC
        LIMIT 1
    ) said ON true
    ORDER BY {order}
"""
_BRANCH = """
    (SELECT c.id, c.creator_id, c.fan_id, c.care, c.mode, c.waiting_since, c.last_message_at,
            c.unread_count, {place} AS place
     FROM conversations_to_list c{fans}
     WHERE c.creator_id = %(creator_{number})s AND c.erased_at IS NULL{wanted}{behind}
     ORDER BY {place} {direction}, c.id {direction}
     LIMIT {limit})
"""
_FANS = " JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id"
# In the words of the index. Signs part words, so that a handle's parts are words too.
NAMED = r"""to_tsvector('simple', translate(f.display_name || ' ' || f.handle,
                                        '!"#$%%&''()*+,-./:;<=>?@[\]^_`{|}~',
                                        '                                '))
                 @@ to_tsquery('simple', %(search)s)"""
"""Whether a fan `f` is called as `search_query` says."""
# OFFSET 0 has fans found before conversations: how many begin so cannot be guessed, and walking
# past all conversations to find that there are none takes seconds.
_FOUND_FANS = f"""
     JOIN (SELECT f.id, f.tier, f.last_seen_at FROM fans_to_find f
           WHERE f.creator_id = %(creator_{{number}})s
             AND {NAMED}
           OFFSET 0) f ON f.id = c.fan_id"""


@lru_cache(maxsize=256)
def _list_statement(
    creators: int,
    show: Show,
    tier: Tier | None,
    *,
    searches: bool,
    continues: bool,
    backwards: bool,
    limit: int,
) -> str:
    """The statement for so many creators: one branch each, then the first of all of them.

    Numbers and the tier stand in it, because PostgreSQL plans for what it can see.
    """
    place = _PLACE[show]
    upwards = (show is Show.WAITING) != backwards
    wanted = _WANTED[show]
    wanted += "" if tier is None else f" AND f.tier = '{tier.value}'"
    sign = ">" if upwards else "<"
    branches = [
        _BRANCH.format(
            number=number,
            place=place,
            fans=_fans(number, wanted, searches=searches),
            wanted=wanted,
            behind=f" AND ({place}, c.id) {sign} (%(place)s, %(id)s)" if continues else "",
            direction="ASC" if upwards else "DESC",
            limit=limit,
        )
        for number in range(creators)
    ]
    order = "place ASC, id ASC" if upwards else "place DESC, id DESC"
    found = branches[0]
    if creators > 1:
        found = f"{' UNION ALL '.join(branches)} ORDER BY {order} LIMIT {limit}"
    return _ROWS.format(found=found, order=order.replace("place", "c.place").replace("id", "c.id"))


def _fans(number: int, wanted: str, *, searches: bool) -> str:
    if searches:
        return _FOUND_FANS.replace("{number}", str(number))
    return _FANS if "f." in wanted else ""


_SIGNS = str.maketrans(dict.fromkeys(string.punctuation, " "))


def search_query(text: str) -> str:
    """A tsquery of words, each of which begins a word of the name or the handle; "" for none."""
    return " & ".join(f"'{word}':*" for word in text.replace("\x00", " ").translate(_SIGNS).split())


def list_statement(
    view: InboxView,
    *,
    now: datetime,
    behind: tuple[datetime, UUID] | None,
    backwards: bool,
    limit: int,
) -> tuple[str, dict[str, Any]]:
    """The statement of a page of the list, and its parameters."""
    params: dict[str, Any] = {
        f"creator_{number}": creator_id for number, creator_id in enumerate(view.creator_ids)
    }
    search = search_query(view.search)
    params |= {"online_since": now - ONLINE_FOR, "search": search}
    if behind is not None:
        params |= {"place": behind[0], "id": behind[1]}
    statement = _list_statement(
        len(view.creator_ids),
        view.show,
        view.tier,
        searches=bool(search),
        continues=behind is not None,
        backwards=backwards,
        limit=limit,
    )
    return statement, params


def _read_rows(rows: Rows) -> tuple[InboxRow, ...]:
    return tuple(
        InboxRow(
            id=row[0],
            creator_id=row[1],
            place=row[2],
            fan_name=row[3],
            tier=Tier(row[4]),
            online=row[5],
            care=None if row[6] is None else Care(row[6]),
            mode=Mode(row[7]),
            waiting_since=row[8],
            last_message_at=row[9],
            unread=row[10],
            text=row[11],
            sender=None if row[12] is None else Sender(row[12]),
        )
        for row in rows
    )


async def list_rows(
    connection: Connection,
    view: InboxView,
    *,
    now: datetime,
    behind: tuple[datetime, UUID] | None = None,
    backwards: bool = False,
    limit: int,
) -> tuple[InboxRow, ...]:
    """A page of the list, in its order. `behind` is the place that it begins behind, or, where it
    is read `backwards`, that it ends before.
    """
    if not view.creator_ids:
        return ()
    statement, params = list_statement(
        view, now=now, behind=behind, backwards=backwards, limit=limit
    )
    rows = await (await send(connection, statement, params, _read_rows)).answer()
    return rows[::-1] if backwards else rows


MARK_READ = """
    UPDATE conversations SET unread_count = 0
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND revision = %(revision)s
      AND unread_count > 0
"""


async def mark_read(
    connection: Connection, creator_id: UUID, conversation_id: UUID, revision: int
) -> None:
    """Nothing is unread, unless more has been said than whoever read it has seen."""
    params = {"creator_id": creator_id, "id": conversation_id, "revision": revision}
    await run(connection, MARK_READ, params)


@dataclass(frozen=True, slots=True)
class LeavingMessage:
    """A message of ours that is not among the sent ones: on its way, or stopped on it."""

    id: UUID
    generation_id: UUID | None
    author: Author
    user_id: UUID | None
    user_name: str | None
    text: str
    price: Money | None
    media_count: int
    status: DeliveryStatus
    attempts: int
    leaves_at: datetime
    error: str | None
    created_at: datetime

    @property
    def can_be_taken_back(self) -> bool:
        """Whether nobody has tried to send it yet. A disclosure goes or stays with its message."""
        untried = self.status is DeliveryStatus.PENDING and self.attempts == 0
        return untried and self.author is not Author.DISCLOSURE


LEAVING = """
    SELECT o.id, o.generation_id, o.author, o.author_user_id, u.name, o.text, o.price_minor,
           o.currency, COALESCE(cardinality(o.media_ids), 0), o.delivery_status, o.attempts,
           o.not_before, o.error, o.created_at
    FROM outbox o
    LEFT JOIN users u ON u.id = o.author_user_id
    WHERE o.creator_id = %(creator_id)s AND o.conversation_id = %(conversation_id)s
      AND o.delivery_status <> 'sent'
    ORDER BY o.created_at DESC
    LIMIT %(limit)s
"""


def _read_leaving(rows: Rows) -> tuple[LeavingMessage, ...]:
    return tuple(
        LeavingMessage(
            id=row[0],
            generation_id=row[1],
            author=Author(row[2]),
            user_id=row[3],
            user_name=row[4],
            text=row[5],
            price=None if row[6] is None else Money(row[6], row[7]),
            media_count=row[8],
            status=DeliveryStatus(row[9]),
            attempts=row[10],
            leaves_at=row[11],
            error=row[12],
            created_at=row[13],
        )
        for row in reversed(rows)
    )


async def leaving(
    connection: Connection, creator_id: UUID, conversation_id: UUID
) -> Pending[tuple[LeavingMessage, ...]]:
    """What of a conversation has not been sent, the oldest first; at most the newest 50."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "limit": MOST_LEAVING,
    }
    return await send(connection, LEAVING, params, _read_leaving)


@dataclass(frozen=True, slots=True)
class Bought:
    """A message that the fan has paid for. `text` are its first words."""

    amount: Money
    at: datetime
    text: str


BOUGHT = """
    SELECT m.price_minor, m.currency, m.purchased_at, left(m.text, 80)
    FROM conversations c
    JOIN messages m ON m.creator_id = c.creator_id AND m.conversation_id = c.id
    WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s
      AND m.purchased_at IS NOT NULL AND m.price_minor IS NOT NULL
    ORDER BY m.purchased_at DESC
    LIMIT %(limit)s
"""


async def bought(
    connection: Connection, creator_id: UUID, fan_id: UUID
) -> Pending[tuple[Bought, ...]]:
    """What a fan has bought in all their conversations, the latest first; at most 500."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "limit": MOST_BOUGHT}
    return await send(
        connection,
        BOUGHT,
        params,
        lambda rows: tuple(Bought(Money(row[0], row[1]), row[2], row[3]) for row in rows),
    )


STATE = """
    SELECT c.revision, c.mode, c.care, c.waiting_since, f.display_name, f.tier,
           f.lifetime_value_minor, f.disclosed_at, md5(f.notes),
           (SELECT array_agg(row(o.id, o.delivery_status, o.attempts, o.not_before) ORDER BY o.id)
            FROM outbox o
            WHERE o.creator_id = c.creator_id AND o.conversation_id = c.id
              AND o.delivery_status <> 'sent')::text,
           (SELECT array_agg(row(g.id, g.status, g.stale_at, g.claimed_by, g.claimed_until)
                             ORDER BY g.id)
            FROM (SELECT * FROM ai_message_generations l
                  WHERE l.creator_id = c.creator_id AND l.conversation_id = c.id
                  ORDER BY l.created_at DESC LIMIT 6) g)::text,
           (SELECT max(m.purchased_at) FROM messages m
            WHERE m.creator_id = c.creator_id AND m.conversation_id = c.id
              AND m.purchased_at IS NOT NULL)
    FROM conversations c
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE c.creator_id = %(creator_id)s AND c.id = %(conversation_id)s
"""


async def state(connection: Connection, creator_id: UUID, conversation_id: UUID) -> Pending[str]:
    """A short text that differs once anything on a conversation's page does."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id}
    return await send(connection, STATE, params, lambda rows: digest(rows[:1]))


def digest(value: object) -> str:
    """A short text that differs where the values do."""
    return hashlib.blake2b(repr(value).encode("utf-8", "replace"), digest_size=9).hexdigest()


SET_NOTES = """
    UPDATE fans SET notes = %(notes)s
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s AND md5(notes) = %(before)s
    RETURNING id
"""


async def set_notes(
    connection: Connection, creator_id: UUID, fan_id: UUID, *, notes: str, before: str
) -> bool:
    """Change a fan's notes; False when their MD5 (in hex) is not what it was `before`."""
    params = {"creator_id": creator_id, "fan_id": fan_id, "notes": notes, "before": before}
    return await (await send(connection, SET_NOTES, params, bool)).answer()


TAKE_BACK = """
    DELETE FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.id = %(id)s AND o.generation_id IS NULL
      AND o.delivery_status = 'pending' AND o.attempts = 0
    RETURNING o.id
"""


async def take_back(connection: Connection, creator_id: UUID, item_id: UUID) -> bool:
    """Take a chatter's own message out that nobody has tried to send; False when it is too late."""
    params = {"creator_id": creator_id, "id": item_id}
    return await (await send(connection, TAKE_BACK, params, bool)).answer()
