"""What must be true after recovery, read from the database and from the platforms."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.traffic import Told

WORK = ("deliver_message", "process_inbound", "answer_fan")
_LONGEST_JOB_SECONDS = 30

# Nothing is under way any more: the moment at which everything must be in its final state.
UNFINISHED = """
    SELECT 'message' AS what, count(*) AS number, min(updated_at)::text AS oldest
    FROM outbox WHERE delivery_status IN ('pending', 'sending')
    UNION ALL
    SELECT 'webhook', count(*), min(received_at)::text
    FROM inbound_events WHERE processed_at IS NULL
    UNION ALL
    SELECT 'job ' || task_name || ' ' || status, count(*), min(id)::text
    FROM procrastinate_jobs
    WHERE task_name = ANY(%(work)s) AND status IN ('todo', 'doing')
    GROUP BY task_name, status
"""

STUCK_JOBS = """
    SELECT job.id, job.task_name, max(event.at)::text AS since
    FROM procrastinate_jobs job
    JOIN procrastinate_events event ON event.job_id = job.id AND event.type = 'started'
    WHERE job.status = 'doing'
    GROUP BY job.id
    HAVING max(event.at) < now() - make_interval(secs => %(seconds)s)
"""

FAILED_JOBS = """
    SELECT id, task_name, args::text FROM procrastinate_jobs
    WHERE task_name = ANY(%(work)s) AND status NOT IN ('todo', 'doing', 'succeeded')
"""

MESSAGES_NOT_IN_THE_THREAD = """
    SELECT o.id, o.text, count(m.id) AS times
    FROM outbox o
    LEFT JOIN messages m ON m.creator_id = o.creator_id
      AND m.conversation_id = o.conversation_id
      AND m.external_id = COALESCE(o.external_id, o.id::text) AND m.text = o.text
    WHERE o.delivery_status = 'sent'
    GROUP BY o.id, o.text
    HAVING count(m.id) <> 1
"""

FAN_MESSAGES = "SELECT text, count(*) AS times FROM messages WHERE sender = 'fan' GROUP BY text"

BAD_WEBHOOKS = "SELECT event_id, error FROM inbound_events WHERE error IS NOT NULL"

OUTBOX = """
    SELECT o.id::text, o.text, o.delivery_status AS status, o.error, o.generation_id::text,
           o.author, c.channel
    FROM outbox o
    JOIN conversations c ON c.creator_id = o.creator_id AND c.id = o.conversation_id
"""

GENERATIONS = """
    SELECT g.id::text, g.status, g.approved_by IS NOT NULL AS by_person, o.id IS NOT NULL AS leaves
    FROM ai_message_generations g
    LEFT JOIN outbox o ON o.creator_id = g.creator_id AND o.generation_id = g.id
"""

# Decisions less those that were taken back, beside what stands in the draft and its feedback.
DECISIONS_WITHOUT_THEIR_ENTRY = """
    WITH entries AS (
        SELECT subject_id,
               count(*) FILTER (WHERE action = 'generation.decided')
               - count(*) FILTER (WHERE action = 'generation.decision_undone') AS decisions
        FROM audit_log
        WHERE action IN ('generation.decided', 'generation.decision_undone')
        GROUP BY subject_id
    )
    SELECT g.id::text, g.status, COALESCE(e.decisions, 0) AS entries, count(f.id) AS feedback
    FROM ai_message_generations g
    LEFT JOIN entries e ON e.subject_id = g.id::text
    LEFT JOIN ai_message_feedback f ON f.creator_id = g.creator_id AND f.generation_id = g.id
      AND f.feedback_type <> 'auto_sent'
    GROUP BY g.creator_id, g.id, e.decisions
    HAVING COALESCE(e.decisions, 0) <> CASE WHEN g.approved_by IS NULL THEN 0 ELSE 1 END
        OR count(f.id) <> CASE WHEN g.approved_by IS NULL THEN 0 ELSE 1 END
"""

DELIVERIES_WITHOUT_THEIR_ENTRY = """
    SELECT o.id::text, o.delivery_status AS status,
           count(*) FILTER (WHERE a.action = 'message.sent') AS sent,
           count(*) FILTER (WHERE a.action = 'message.not_sent') AS not_sent,
           count(*) FILTER (WHERE a.action = 'message.written') AS written
    FROM outbox o
    LEFT JOIN audit_log a ON a.creator_id = o.creator_id AND a.subject_id = o.id::text
    GROUP BY o.creator_id, o.id
    HAVING count(*) FILTER (WHERE a.action = 'message.sent')
             <> CASE WHEN o.delivery_status = 'sent' THEN 1 ELSE 0 END
        OR count(*) FILTER (WHERE a.action = 'message.not_sent')
             <> CASE WHEN o.delivery_status IN ('failed', 'uncertain') THEN 1 ELSE 0 END
        OR count(*) FILTER (WHERE a.action = 'message.written')
             <> CASE WHEN o.author = 'chatter' THEN 1 ELSE 0 END
"""

MESSAGES_AHEAD_OF_THEIR_DISCLOSURE = """
    SELECT o.id::text, o.delivery_status AS status, d.delivery_status AS disclosure
    FROM outbox o
    LEFT JOIN outbox d ON d.creator_id = o.creator_id AND d.id = o.after_id
    WHERE o.after_id IS NOT NULL AND o.delivery_status IN ('sent', 'uncertain')
      AND d.delivery_status IS DISTINCT FROM 'sent'
"""

TOLD_MORE_THAN_ONCE = """
    SELECT fan_id::text, count(*) AS times FROM disclosures
    WHERE why = 'first' AND sent_at IS NOT NULL
    GROUP BY creator_id, fan_id
    HAVING count(*) > 1
"""

DRAFTS_TO_FANS_WHOM_NOBODY_TOLD = """
    SELECT o.id::text FROM outbox o
    JOIN conversations c ON c.creator_id = o.creator_id AND c.id = o.conversation_id
    JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE o.author IN ('ai_approved', 'ai_automatic') AND o.delivery_status = 'sent'
      AND f.disclosed_at IS NULL
"""

BAD_COUNTERS = "SELECT kind, subject, used FROM limit_counters WHERE used < 0"

LONG_CLAIMS = """
    SELECT id::text, claimed_until::text FROM ai_message_generations
    WHERE status = 'queued' AND claimed_until > now() + interval '6 minutes'
"""

INTERRUPTED = "we stopped while it was being sent"
AT_ONCE = 8
"""How many sends a worker has under way at most."""


@dataclass
class Platforms:
    """What the platforms took, over all rounds: by message id, and in which order in each chat."""

    took: Counter[str] = field(default_factory=Counter)
    texts: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def note(self, chatwoot: Iterable[dict[str, Any]], webhook: Iterable[dict[str, Any]]) -> None:
        """Add what both have taken since the last time. The idempotent one counts an id once."""
        for taken in chatwoot:
            marks = [str(value) for value in taken["content_attributes"].values()]
            self._add(marks[0] if marks else f"unmarked {taken['id']}", taken["content"])
        for taken in webhook:
            self._add(taken["id"], taken["text"])

    def _add(self, message_id: str, text: str) -> None:
        self.took[message_id] += 1
        self.texts[message_id] = text
        self.order.append(text)


@dataclass
class Findings:
    """What is wrong, and how many messages are in which final state on which channel."""

    violations: list[str]
    states: Counter[tuple[str, str]]


async def unfinished(database_url: str) -> list[str]:
    """What is still under way; empty when all is quiet."""
    async with await _connect(database_url) as connection:
        found = await _rows(connection, UNFINISHED, work=list(WORK))
    return [
        f"{row['number']} {row['what']} since {row['oldest']}" for row in found if row["number"]
    ]


async def check(
    database_url: str, told: Told, platforms: Platforms, *, interruptions: int
) -> Findings:
    """Everything that must hold once nothing is under way any more.

    `interruptions` counts the kills so far that may break off sends.
    """
    wrong: list[str] = []
    async with await _connect(database_url) as connection:
        outbox = await _rows(connection, OUTBOX)
        generations = {row["id"]: row for row in await _rows(connection, GENERATIONS)}
        fan_messages = await _rows(connection, FAN_MESSAGES)
        for name, statement, params in (
            ("job that runs for ever", STUCK_JOBS, {"seconds": _LONGEST_JOB_SECONDS}),
            ("job that was given up", FAILED_JOBS, {"work": list(WORK)}),
            ("sent message not once in the thread", MESSAGES_NOT_IN_THE_THREAD, {}),
            ("webhook worked through with an error", BAD_WEBHOOKS, {}),
            ("decision and audit differ", DECISIONS_WITHOUT_THEIR_ENTRY, {}),
            ("delivery and audit differ", DELIVERIES_WITHOUT_THEIR_ENTRY, {}),
            ("message ahead of its disclosure", MESSAGES_AHEAD_OF_THEIR_DISCLOSURE, {}),
            ("fan told for the first time twice", TOLD_MORE_THAN_ONCE, {}),
            ("draft to a fan whom nobody told", DRAFTS_TO_FANS_WHOM_NOBODY_TOLD, {}),
            ("counter below zero", BAD_COUNTERS, {}),
            ("claim beyond its lease", LONG_CLAIMS, {}),
        ):
            wrong += [f"{name}: {row}" for row in await _rows(connection, statement, **params)]
    wrong += _check_fan_messages(told, {row["text"]: row["times"] for row in fan_messages})
    wrong += _check_promises(told, outbox, generations)
    wrong += _check_platforms(outbox, platforms)
    wrong += _check_order(told, platforms)
    wrong += _check_uncertain(told, outbox, interruptions)
    wrong += [f"webhook refused: {what}" for what in told.refused_webhooks]
    wrong += [f"odd answer: {what}" for what in told.odd_answers]
    return Findings(wrong, Counter((row["channel"], row["status"]) for row in outbox))


def _check_fan_messages(told: Told, stored: dict[str, int]) -> list[str]:
    lost = [f"fan's message lost: {text}" for text in told.fan_texts if text not in stored]
    twice = [f"fan's message stored {n} times: {text}" for text, n in stored.items() if n != 1]
    return lost + twice


def _check_promises(
    told: Told, outbox: list[dict[str, Any]], generations: dict[str, dict[str, Any]]
) -> list[str]:
    """What people were told stands, and whatever was decided to leave has its one message."""
    wrong = []
    texts = Counter(row["text"] for row in outbox if row["author"] == "chatter")
    wrong += [f"own message lost: {text}" for text in told.written if text not in texts]
    wrong += [f"own message {n} times: {text}" for text, n in texts.items() if n != 1]
    for ids, status in ((told.approved, "approved"), (told.rejected, "rejected")):
        for id_ in ids:
            now = generations.get(id_, {"status": "gone"})["status"]
            if now != status:
                wrong.append(f"draft {id_} was answered as {status} and is {now}")
    for id_, row in generations.items():
        if row["leaves"] != (row["status"] in {"approved", "auto_sent"}):
            wrong.append(f"draft {id_} is {row['status']}, message in the outbox: {row['leaves']}")
    return wrong


def _check_platforms(outbox: list[dict[str, Any]], platforms: Platforms) -> list[str]:
    wrong = [f"{id_} came {n} times" for id_, n in platforms.took.items() if n != 1]
    known = {row["id"]: row for row in outbox}
    for id_, text in platforms.texts.items():
        row = known.get(id_)
        if row is None:
            wrong.append(f"nobody decided on {id_}, which was sent: {text}")
        elif row["text"] != text:
            wrong.append(f"{id_} was sent in another form: {text}")
        elif row["status"] == "failed":
            wrong.append(f"{id_} counts as failed ({row['error']}) and was sent, {row['channel']}")
    return wrong + [
        f"{row['id']} counts as sent and never came, {row['channel']}"
        for row in outbox
        if row["status"] == "sent" and row["id"] not in platforms.took
    ]


def _check_order(told: Told, platforms: Platforms) -> list[str]:
    """Messages that a conversation's writers had answers to, one after the other, came so."""
    wrong = []
    last: dict[str, int] = {}
    for text in platforms.order:
        conversation, number = told.written.get(text, ("", 0))
        if number < last.get(conversation, 0):
            wrong.append(f"out of order in {conversation}: {number} after {last[conversation]}")
        if conversation:
            last[conversation] = number
    return wrong


def _check_uncertain(told: Told, outbox: list[dict[str, Any]], interruptions: int) -> list[str]:
    """Only where a call without idempotency was broken off or got no answer."""
    uncertain = [row for row in outbox if row["status"] == "uncertain"]
    wrong = [f"uncertain on {r['channel']}: {r}" for r in uncertain if r["channel"] != "chatwoot"]
    stopped = sum(row["error"] == INTERRUPTED for row in uncertain)
    unanswered = len(uncertain) - stopped
    if stopped > AT_ONCE * interruptions:
        wrong.append(f"{stopped} messages broken off by {interruptions} kills")
    if unanswered > told.mischief:
        wrong.append(f"{unanswered} messages without an answer, {told.mischief} were provoked")
    return wrong


async def _connect(database_url: str) -> psycopg.AsyncConnection[dict[str, Any]]:
    return await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, row_factory=dict_row
    )


async def _rows(
    connection: psycopg.AsyncConnection[dict[str, Any]], statement: str, **params: Any
) -> list[dict[str, Any]]:
    cursor = await connection.execute(statement, params)
    return await cursor.fetchall()
