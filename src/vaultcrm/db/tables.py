"""What kind each table is, so that one schema runs on one PostgreSQL and on a Citus cluster.

Tenant tables are distributed by `creator_id`, reference tables are copied to every node, local
tables stay where the jobs and counters are. `tests/db/test_schema_rules.py` holds the schema to
the rules of each kind.
"""

TENANT_TABLES = frozenset(
    {
        "fans",
        "conversations",
        "messages",
        "ai_creator_personalities",
        "ai_message_templates",
        "ai_message_generations",
        "ai_message_feedback",
        "ai_ab_tests",
        "outbox",
        "usage",
        "audit_log",
        "inbound_events",
        "channel_accounts",
        "event_deliveries",
    }
)
"""`creator_id` is the first column of the primary key, of each UNIQUE and of each foreign key."""

REFERENCE_TABLES = frozenset(
    {
        "creators",
        "users",
        "creator_assignments",
        "passwords",
        "api_tokens",
        "flag_overrides",
        "alerts",
        "event_endpoints",
    }
)
"""Small, read on every request, written rarely; no foreign keys to tenant tables, no triggers."""

LOCAL_TABLES = frozenset(
    {
        "limit_counters",
        "idempotency_keys",
        "sessions",
        "people_seen",
        "sign_in_tries",
        "alembic_version",
    }
)
"""Short-lived rows that are written on every request; no foreign keys to tenant tables."""

JOB_TABLE_PREFIX = "procrastinate_"
"""The job queue's own tables, which are local too."""
