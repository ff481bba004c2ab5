"""Importing conversations into a real database: what is new comes in, what is known stays."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from vaultcrm.db.pool import open_pool
from vaultcrm.pipeline.safety.filter import ContentFilter
from vaultcrm.workflows.import_conversations import (
    MOST_PROBLEMS,
    ImportProgress,
    ImportReport,
    import_conversations,
)

pytestmark = pytest.mark.anyio

CONTENT_FILTER = ContentFilter.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = datetime(2026, 11, 1, 10, tzinfo=UTC)

TABLES = {
    "creators": "handle",
    "fans": "creator_id, handle",
    "conversations": "creator_id, channel, external_ref",
    "messages": "creator_id, conversation_id, sent_at, id",
    "audit_log": "id",
}


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with await open_pool(database_url, 4) as opened:
        yield opened


def at(minutes: int) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def said(sender: str, number: int, **more: object) -> dict[str, Any]:
    return {
        "id": f"m{number}",
        "from": sender,
        "text": f"message {number}",
        "sentAt": at(number),
    } | more


def from_fan(number: int, **more: object) -> dict[str, Any]:
    return said("fan", number, **more)


def from_creator(number: int, **more: object) -> dict[str, Any]:
    return said("creator", number, **more)


def line(
    *messages: dict[str, Any],
    creator: str = "mia",
    fan: str = "tom88",
    fan_more: dict[str, Any] | None = None,
    **more: object,
) -> bytes:
    content = {
        "creator": {"handle": creator, "displayName": creator.title()},
        "fan": {
            "handle": fan,
            "displayName": "Tom",
            "lifetimeValueMinor": 1200,
            "currency": "USD",
            **(fan_more or {}),
        },
        "channel": "simulator",
        "messages": messages,
    }
    return json.dumps(content | more).encode() + b"\n"


def file_of(conversations: int, messages: int) -> list[bytes]:
    """Some conversations of two creators, each fan's last words unanswered."""
    return [
        line(
            *(from_fan(n) if n % 3 else from_creator(n, priceMinor=500) for n in range(messages)),
            creator=("mia", "theo")[number % 2],
            fan=f"fan{number}",
        )
        for number in range(conversations)
    ]


async def brought_in(pool: AsyncConnectionPool, *lines: bytes, now: datetime = NOW) -> ImportReport:
    return await import_conversations(pool, lines, content_filter=CONTENT_FILTER, now=now)


async def rows(pool: AsyncConnectionPool, question: str) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(question)
        return await cursor.fetchall()


async def row(pool: AsyncConnectionPool, question: str) -> dict[str, Any]:
    (only,) = await rows(pool, question)
    return only


async def dump(pool: AsyncConnectionPool) -> dict[str, list[dict[str, Any]]]:
    return {
        table: await rows(pool, f"SELECT * FROM {table} ORDER BY {order}")  # noqa: S608
        for table, order in TABLES.items()
    }


async def do(pool: AsyncConnectionPool, statement: str) -> None:
    async with pool.connection() as connection:
        await connection.execute(statement)


async def test_a_line_becomes_a_creator_a_fan_a_conversation_and_its_messages(
    pool: AsyncConnectionPool,
) -> None:
    offer = from_creator(2, priceMinor=2500, purchasedAt=at(3))
    report = await brought_in(pool, line(from_fan(1), offer))
    assert report == ImportReport(
        lines=1, creators_new=1, fans_new=1, conversations_new=1, messages_new=2
    )
    stored = await dump(pool)
    (creator,) = stored["creators"]
    assert (creator["handle"], creator["display_name"]) == ("mia", "Mia")
    (fan,) = stored["fans"]
    assert (fan["creator_id"], fan["handle"], fan["display_name"]) == (
        creator["id"],
        "tom88",
        "Tom",
    )
    assert (fan["lifetime_value_minor"], fan["currency"], fan["tier"]) == (1200, "USD", "low")
    assert fan["last_seen_at"] == START + timedelta(minutes=1)
    assert fan["disclosed_at"] is None
    (conversation,) = stored["conversations"]
    assert (conversation["creator_id"], conversation["fan_id"]) == (creator["id"], fan["id"])
    assert (conversation["channel"], conversation["external_ref"]) == ("simulator", "tom88")
    assert conversation["mode"] == "auto"
    first, second = stored["messages"]
    assert {m["conversation_id"] for m in (first, second)} == {conversation["id"]}
    assert (first["sender"], first["author"], first["external_id"]) == ("fan", "fan", "m1")
    assert (first["text"], first["sent_at"]) == ("message 1", START + timedelta(minutes=1))
    assert (first["price_minor"], first["currency"], first["purchased_at"]) == (None, None, None)
    assert (second["sender"], second["author"]) == ("creator", "imported")
    assert (second["price_minor"], second["currency"]) == (2500, "USD")
    assert second["purchased_at"] == START + timedelta(minutes=3)


async def test_messages_are_ordered_by_time_and_then_by_their_place_in_the_file(
    pool: AsyncConnectionPool,
) -> None:
    await brought_in(
        pool,
        line(from_fan(9), from_creator(4), from_fan(1), from_fan(7, sentAt=at(4)), from_fan(2)),
    )
    ordered = await rows(pool, "SELECT external_id, sent_at FROM messages ORDER BY id")
    assert [m["external_id"] for m in ordered] == ["m1", "m2", "m4", "m7", "m9"]
    assert all(before["sent_at"] <= after["sent_at"] for before, after in pairwise(ordered))


@pytest.mark.parametrize(
    ("value", "currency", "tier"),
    [
        (4_999, "USD", "low"),
        (5_000, "USD", "medium"),
        (30_000, "EUR", "high"),
        (100_000, "USD", "whale"),
        (1_000, "JPY", "whale"),
    ],
)
async def test_a_fans_tier_follows_from_their_lifetime_value(
    pool: AsyncConnectionPool, value: int, currency: str, tier: str
) -> None:
    await brought_in(pool, line(fan_more={"lifetimeValueMinor": value, "currency": currency}))
    fan = await row(pool, "SELECT tier, lifetime_value_minor, currency FROM fans")
    assert fan == {"tier": tier, "lifetime_value_minor": value, "currency": currency}


async def test_a_fan_whose_last_words_are_unanswered_waits_since_the_first_of_them(
    pool: AsyncConnectionPool,
) -> None:
    await brought_in(pool, line(from_fan(1), from_creator(2), from_fan(5), from_fan(3)))
    conversation = await row(pool, "SELECT * FROM conversations")
    assert conversation["waiting_since"] == START + timedelta(minutes=3)
    assert conversation["last_message_at"] == START + timedelta(minutes=5)
    assert conversation["last_fan_message_at"] == START + timedelta(minutes=5)
    assert conversation["unread_count"] == 2


async def test_a_fan_who_was_answered_does_not_wait(pool: AsyncConnectionPool) -> None:
    await brought_in(pool, line(from_fan(1), from_creator(2)))
    conversation = await row(pool, "SELECT * FROM conversations")
    assert conversation["waiting_since"] is None
    assert conversation["last_message_at"] == START + timedelta(minutes=2)
    assert conversation["last_fan_message_at"] == START + timedelta(minutes=1)
    assert conversation["unread_count"] == 0


async def test_a_conversation_without_messages_comes_in_too(pool: AsyncConnectionPool) -> None:
    report = await brought_in(pool, line())
    assert (report.conversations_new, report.messages_new) == (1, 0)
    conversation = await row(pool, "SELECT * FROM conversations")
    assert (conversation["last_message_at"], conversation["waiting_since"]) == (None, None)


async def test_the_same_file_twice_changes_nothing(pool: AsyncConnectionPool) -> None:
    lines = [
        *file_of(6, 7),
        line(
            from_creator(1, priceMinor=900, purchasedAt=at(2)),
            fan_more={"notes": "Likes hiking", "disclosedAt": at(0)},
            conversation={"mode": "draft_only"},
        ),
    ]
    first = await brought_in(pool, *lines)
    before = await dump(pool)
    second = await brought_in(pool, *lines, now=NOW + timedelta(days=1))
    assert await dump(pool) == before
    assert not second.changed
    assert (second.conversations_known, second.messages_known) == (
        first.conversations_new,
        first.messages_new,
    )


async def test_two_imports_of_the_same_file_at_once_bring_everything_in_once(
    pool: AsyncConnectionPool,
) -> None:
    lines = file_of(30, 5)
    one, other = await asyncio.gather(brought_in(pool, *lines), brought_in(pool, *lines))
    assert one.creators_new + other.creators_new == 2
    assert one.fans_new + other.fans_new == 30
    assert one.fans_changed + other.fans_changed == 0
    assert one.conversations_new + other.conversations_new == 30
    assert one.messages_new + other.messages_new == 150
    assert one.messages_known + other.messages_known == 150
    before = await dump(pool)
    assert [len(before[table]) for table in ("creators", "fans", "conversations", "messages")] == [
        2,
        30,
        30,
        150,
    ]
    await brought_in(pool, *lines)
    assert await dump(pool) == before


async def test_bad_lines_are_skipped_with_their_numbers_and_the_rest_comes_in(
    pool: AsyncConnectionPool,
) -> None:
    report = await brought_in(
        pool,
        b"\xef\xbb\xbf" + line(from_fan(1)),
        b"\r\n",
        b"{not json\n",
        line(from_fan(1, text=""), fan="anna"),
        line(from_fan(1), fan="bea"),
    )
    assert (report.lines, report.lines_skipped, report.conversations_new) == (4, 2, 2)
    assert [problem.line for problem in report.problems] == [3, 4]
    assert str(report.problems[1]) == "line 4: messages.0.text: must not be empty"
    fans = await rows(pool, "SELECT handle FROM fans ORDER BY handle")
    assert [fan["handle"] for fan in fans] == ["bea", "tom88"]


async def test_of_very_many_bad_lines_all_are_counted_and_the_first_are_told(
    pool: AsyncConnectionPool,
) -> None:
    report = await brought_in(pool, *([b"?\n"] * (MOST_PROBLEMS + 5)))
    assert report.lines_skipped == MOST_PROBLEMS + 5
    assert [problem.line for problem in report.problems] == list(range(1, MOST_PROBLEMS + 1))


async def test_a_later_file_adds_what_is_new_to_a_known_conversation(
    pool: AsyncConnectionPool,
) -> None:
    await brought_in(pool, line(from_fan(1), from_creator(2)))
    report = await brought_in(
        pool, line(from_fan(1, text="rewritten"), from_creator(2), from_fan(3))
    )
    assert report == ImportReport(
        lines=1, fans_changed=1, conversations_known=1, messages_new=1, messages_known=2
    )
    texts = await rows(pool, "SELECT text FROM messages ORDER BY sent_at")
    assert [m["text"] for m in texts] == ["message 1", "message 2", "message 3"]
    conversation = await row(pool, "SELECT waiting_since, last_message_at FROM conversations")
    assert conversation["waiting_since"] == START + timedelta(minutes=3)
    assert conversation["last_message_at"] == START + timedelta(minutes=3)


async def test_older_messages_that_come_later_leave_the_newest_the_newest(
    pool: AsyncConnectionPool,
) -> None:
    await brought_in(pool, line(from_fan(1), from_fan(8), from_creator(9)))
    await brought_in(pool, line(from_fan(4)))
    conversation = await row(pool, "SELECT * FROM conversations")
    assert conversation["waiting_since"] is None
    assert conversation["last_message_at"] == START + timedelta(minutes=9)
    assert conversation["last_fan_message_at"] == START + timedelta(minutes=8)


async def test_a_known_message_is_marked_as_bought_once(pool: AsyncConnectionPool) -> None:
    await brought_in(pool, line(from_creator(1, priceMinor=900), from_creator(2)))
    bought = line(
        from_creator(1, priceMinor=900, purchasedAt=at(5)),
        from_creator(2, priceMinor=900, purchasedAt=at(5)),
    )
    report = await brought_in(pool, bought)
    assert (report.purchases_new, report.messages_new, report.changed) == (1, 0, True)
    messages = await rows(pool, "SELECT purchased_at FROM messages ORDER BY sent_at")
    assert [m["purchased_at"] for m in messages] == [START + timedelta(minutes=5), None]
    later = line(from_creator(1, priceMinor=900, purchasedAt=at(50)))
    assert not (await brought_in(pool, later)).changed


async def test_a_known_fan_is_brought_up_to_date(pool: AsyncConnectionPool) -> None:
    await brought_in(pool, line(fan_more={"displayName": "Tom"}))
    told = {
        "displayName": "Tommy",
        "lifetimeValueMinor": 45_000,
        "notes": "Likes hiking",
        "disclosedAt": at(7),
    }
    report = await brought_in(pool, line(fan_more=told))
    assert (report.fans_new, report.fans_changed) == (0, 1)
    fan = await row(pool, "SELECT * FROM fans")
    assert (fan["display_name"], fan["lifetime_value_minor"], fan["tier"]) == (
        "Tommy",
        45_000,
        "high",
    )
    assert (fan["notes"], fan["disclosed_at"]) == ("Likes hiking", START + timedelta(minutes=7))


async def test_an_older_file_takes_nothing_away_from_a_known_fan(pool: AsyncConnectionPool) -> None:
    old = line(
        fan_more={"lifetimeValueMinor": 4_000, "notes": "from the file", "disclosedAt": at(1)}
    )
    await brought_in(pool, old)
    await do(
        pool,
        "UPDATE fans SET lifetime_value_minor = 120000, tier = 'whale', notes = 'by a chatter', "
        "disclosed_at = disclosed_at + interval '1 day'",
    )
    await do(pool, "UPDATE conversations SET mode = 'off', unread_count = 0, waiting_since = NULL")
    before = await dump(pool)
    assert not (await brought_in(pool, old)).changed
    unknown = {"creator": {"handle": "mia"}, "fan": {"handle": "tom88"}, "messages": []}
    assert not (await brought_in(pool, json.dumps(unknown).encode())).changed
    assert await dump(pool) == before


async def test_the_same_fan_and_message_ids_of_two_creators_are_kept_apart(
    pool: AsyncConnectionPool,
) -> None:
    report = await brought_in(
        pool,
        line(from_fan(1)),
        line(from_fan(1), creator="theo"),
        line(from_fan(1), channel="webhook"),
    )
    assert (report.creators_new, report.fans_new) == (2, 2)
    assert (report.conversations_new, report.messages_new) == (3, 3)


async def test_a_conversation_that_is_another_fans_is_left_alone(pool: AsyncConnectionPool) -> None:
    await brought_in(pool, line(from_fan(1), fan="anna"))
    await do(pool, "UPDATE conversations SET external_ref = 'tom88'")
    before = await dump(pool)
    report = await brought_in(pool, line(from_fan(2), fan="tom88"))
    assert [str(problem) for problem in report.problems] == [
        "line 1: fan.handle: names a conversation of another fan on this channel"
    ]
    assert await dump(pool) == before


async def a_waiting_draft(pool: AsyncConnectionPool) -> None:
    await do(
        pool,
        """
        INSERT INTO ai_message_generations
            (creator_id, id, conversation_id, fan_id, generation_type, status, generated_message,
             currency, confidence_score, reasoning, note, approval_reasons, safety, priority, model,
             prompt_version, personality_version, input_tokens, output_tokens, cached_tokens,
             cost_micro_usd, created_at)
        SELECT creator_id, gen_random_uuid(), id, fan_id, 'reply', 'queued', 'Hi!', 'USD', 50, '',
               '', '{}', '{}', 0, 'none', '1', 0, 0, 0, 0, 0, '2026-11-02'
        FROM conversations
        """,
    )


@pytest.mark.parametrize(
    ("message", "stale_at"),
    [(from_fan(5), NOW), (from_fan(0), None), (from_creator(5), None)],
    ids=["newer from the fan", "older from the fan", "newer from the creator"],
)
async def test_a_draft_that_the_fan_has_overtaken_in_the_file_is_stale(
    pool: AsyncConnectionPool, message: dict[str, Any], stale_at: datetime | None
) -> None:
    await brought_in(pool, line(from_fan(1)))
    await a_waiting_draft(pool)
    await brought_in(pool, line(from_fan(1), message))
    draft = await row(pool, "SELECT stale_at FROM ai_message_generations")
    assert draft["stale_at"] == stale_at


async def test_a_run_that_changes_something_is_one_entry_in_the_audit_log(
    pool: AsyncConnectionPool,
) -> None:
    await brought_in(pool, *file_of(4, 3), b"?\n")
    entry = await row(pool, "SELECT * FROM audit_log")
    assert entry["creator_id"].int == 0
    assert (entry["action"], entry["actor_id"], entry["at"]) == (
        "conversations.imported",
        None,
        NOW,
    )
    assert entry["details"] == {
        "complete": True,
        "lines": 5,
        "lines_skipped": 1,
        "creators_new": 2,
        "fans_new": 4,
        "fans_changed": 0,
        "conversations_new": 4,
        "messages_new": 12,
        "purchases_new": 0,
    }


async def test_a_run_that_is_interrupted_keeps_whole_lines_and_says_so_in_the_audit_log(
    pool: AsyncConnectionPool,
) -> None:
    def broken() -> Iterator[bytes]:
        yield from file_of(3, 4)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await import_conversations(pool, broken(), content_filter=CONTENT_FILTER, now=NOW)
    entry = await row(pool, "SELECT details FROM audit_log")
    assert (entry["details"]["complete"], entry["details"]["messages_new"]) == (False, 12)
    report = await brought_in(pool, *file_of(5, 4))
    assert (report.conversations_known, report.conversations_new) == (3, 2)


async def test_lines_may_come_from_an_asynchronous_source_and_progress_is_told_after_each(
    pool: AsyncConnectionPool,
) -> None:
    async def arriving(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
        for raw in lines:
            await asyncio.sleep(0)
            yield raw

    told: list[ImportProgress] = []
    lines = [line(from_fan(1), from_fan(2)), b"\n", b"?\n", line(from_fan(3))]
    await import_conversations(
        pool,
        arriving(lines),
        content_filter=CONTENT_FILTER,
        now=NOW,
        on_progress=told.append,
    )
    assert told == [ImportProgress(1, 2, 0), ImportProgress(2, 2, 1), ImportProgress(3, 3, 1)]


async def test_an_import_never_waits_in_a_circle_with_messages_that_come_in_meanwhile(
    pool: AsyncConnectionPool, database_url: str
) -> None:
    lines = file_of(1, 3)
    await brought_in(pool, *lines)
    more = line(from_fan(50), fan="fan0", fan_more={"lifetimeValueMinor": 999_999})
    async with await psycopg.AsyncConnection.connect(database_url) as live:
        # The fan's row first and then the conversation's, as a live message takes them.
        await live.execute("UPDATE fans SET last_seen_at = '2026-11-21'")
        importing = asyncio.create_task(brought_in(pool, more))
        await asyncio.sleep(0.2)
        await live.execute("UPDATE conversations SET unread_count = 0")
        await live.commit()
    assert (await importing).messages_new == 1
    fan = await row(pool, "SELECT last_seen_at, lifetime_value_minor FROM fans")
    assert fan["lifetime_value_minor"] == 999_999
    assert fan["last_seen_at"] == datetime(2026, 11, 21, tzinfo=UTC)


async def test_a_fan_who_once_gave_an_age_under_18_is_not_sold_to_after_an_import(
    pool: AsyncConnectionPool,
) -> None:
    messages = [from_fan(1, text="I'm 15 and I love your songs"), from_creator(2), from_fan(3)]
    for _ in range(2):
        await brought_in(pool, line(*messages))
        found = await row(pool, "SELECT care, care_since FROM conversations")
        assert found == {"care": "possible_minor", "care_since": NOW}


async def test_an_ordinary_history_calls_for_no_care(pool: AsyncConnectionPool) -> None:
    await brought_in(
        pool, line(from_fan(1, text="15 minutes of stretching a day, is that enough?"))
    )
    assert (await row(pool, "SELECT care FROM conversations"))["care"] is None
