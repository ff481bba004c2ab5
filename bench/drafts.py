"""Drafts in any number, as the product makes them: one is generated, the rest are copies of it.

Ids, creators, conversations, urgency, reasons, and times differ from copy to copy. Needs PostgreSQL
18, which the embedded server is, for ids of past moments.
"""

import json
from dataclasses import dataclass

import psycopg

from bench.generate import generate_bodies
from bench.servers import Server


@dataclass(frozen=True)
class Plan:
    """What a database is to hold: so many creators, conversations, generations; how many wait."""

    generations: int
    waiting: int
    creators: int = 20
    conversations: int = 500


# Every table is filled by copying a row and laying other values over it, so that a column that is
# added later needs no mention here.
_CREATORS = """
INSERT INTO creators
SELECT filled.*
FROM (SELECT to_jsonb(t) AS copied FROM creators t LIMIT 1) one, generate_series(2, %(creators)s) n,
     LATERAL jsonb_populate_record(NULL::creators, copied || jsonb_build_object(
         'id', uuidv7(), 'handle', 'creator' || n, 'display_name', 'Creator ' || n)) filled
"""

_PEOPLE = """
CREATE TEMP TABLE people AS
SELECT row_number() OVER () - 1 AS place, c.id AS creator_id, uuidv7() AS fan_id,
       uuidv7() AS conversation_id, uuidv7() AS message_id
FROM generate_series(1, %(conversations)s / %(creators)s) n, creators c
"""

_FANS = """
INSERT INTO fans
SELECT filled.*
FROM people p, (SELECT to_jsonb(t) AS copied FROM fans t LIMIT 1) one,
     LATERAL jsonb_populate_record(NULL::fans, copied || jsonb_build_object(
         'creator_id', p.creator_id, 'id', p.fan_id, 'handle', 'fan' || p.place)) filled
"""

_CONVERSATIONS = """
INSERT INTO conversations
SELECT filled.*
FROM people p, (SELECT to_jsonb(t) AS copied FROM conversations t LIMIT 1) one,
     LATERAL jsonb_populate_record(NULL::conversations, copied || jsonb_build_object(
         'creator_id', p.creator_id, 'id', p.conversation_id, 'fan_id', p.fan_id,
         'external_ref', 'fan' || p.place)) filled
"""

_MESSAGES = """
INSERT INTO messages
SELECT filled.*
FROM people p,
     (SELECT to_jsonb(t) AS copied, row_number() OVER (ORDER BY sent_at DESC) AS age
      FROM messages t) one,
     LATERAL jsonb_populate_record(NULL::messages, copied || jsonb_build_object(
         'creator_id', p.creator_id, 'conversation_id', p.conversation_id,
         'id', CASE age WHEN 1 THEN p.message_id ELSE uuidv7() END)) filled
"""

# The newest are those that wait. One in fifty is worth much, one in a thousand calls for care.
_GENERATIONS = """
INSERT INTO ai_message_generations
SELECT filled.*
FROM (SELECT to_jsonb(t) AS copied FROM ai_message_generations t LIMIT 1) one,
     (SELECT n, n > %(generations)s - %(waiting)s AS waits,
             (n - %(generations)s) * interval '1 second' AS age
      FROM generate_series(1, %(generations)s) n) numbered
     JOIN people p ON p.place = n %% (SELECT count(*) FROM people),
     LATERAL jsonb_populate_record(NULL::ai_message_generations, copied || jsonb_build_object(
         'creator_id', p.creator_id, 'id', uuidv7(age), 'conversation_id', p.conversation_id,
         'fan_id', p.fan_id, 'last_message_id', p.message_id, 'created_at', now() + age,
         'priority', n %% 300 * 7919 %% 300,
         'approval_reasons', CASE WHEN n %% 1000 = 7 THEN '["fan_distress"]'::jsonb
                                  WHEN n %% 50 = 3 THEN '["high_tier", "low_confidence"]'::jsonb
                                  ELSE copied -> 'approval_reasons' END)
       || CASE WHEN waits THEN '{}' ELSE jsonb_build_object(
         'status', 'approved', 'approved_at', now() + age + interval '1 minute',
         'approved_by', copied -> 'chatter_id',
         'final_message', copied -> 'generated_message') END) filled
"""

_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'ai_message_generations' AND indexname <> 'ai_message_generations_pk'
"""
_TABLES = "creators, fans, conversations, messages, ai_message_generations"


def fill(server: Server, plan: Plan) -> None:
    """Generate one draft over HTTP and copy it, and the conversation it is for."""
    status, answer = server.request(
        "POST", "/api/ai/generate", json.loads(generate_bodies(server)[0])
    )
    if status != 200 or answer["status"] != "queued":
        raise RuntimeError(f"the first draft was answered {status}: {answer}")
    numbers = vars(plan)
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        # What is copied refers to what was copied before: there is nothing to check row by row.
        connection.execute("SET session_replication_role = replica")
        for statement in (_CREATORS, _PEOPLE, _FANS, _CONVERSATIONS, _MESSAGES):
            connection.execute(statement, numbers)
        # To build an index takes less than to let it grow by a million entries.
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_GENERATIONS, numbers)
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute(f"VACUUM (ANALYZE) {_TABLES}")
        connection.execute("CHECKPOINT")


def waiting_ids(server: Server, count: int) -> list[str]:
    """So many waiting drafts, in no order: as many people decide, each in another conversation."""
    statement = """
        SELECT id FROM ai_message_generations WHERE status = 'queued'
        ORDER BY md5(id::text) LIMIT %s
    """
    with psycopg.connect(server.database_url) as connection:
        return [str(row[0]) for row in connection.execute(statement, [count])]
