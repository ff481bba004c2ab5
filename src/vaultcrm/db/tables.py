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
        "ai_ab_fans",
        "outbox",
        "usage",
        "audit_log",
        "audit_seals",
        "audit_checks",
        "inbound_events",
        "channel_accounts",
        "event_deliveries",
        "disclosure_wordings",
        "disclosures",
        "care_guidance",
        "fan_payments",
        "fan_spending_care",
        "content_rules",
        "rollup_drafts",
        "rollup_decisions",
        "rollup_usage",
        "rollup_messages",
        "rollup_waits",
        "rollup_states",
        "rollup_marks",
        "message_outcomes",
        "message_payments",
        "outcome_marks",
        "outcome_states",
        "chatter_work",
        "conversation_engagement",
        "rollup_outcomes",
        "rollup_work",
        "rollup_engagement",
        "judgements",
        "confidence_models",
        "erasures",
        "learning_weeks",
        "personality_proposals",
        "learned_examples",
        "message_complaints",
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
        "second_factors",
        "recovery_codes",
        "identities",
        "flag_overrides",
        "alerts",
        "event_endpoints",
        "rollout_stages",
        "budgets",
    }
)
"""Small, read on every request, written rarely; no foreign keys to tenant tables, no triggers."""

LOCAL_TABLES = frozenset(
    {
        "limit_counters",
        "open_reservations",
        "idempotency_keys",
        "sessions",
        "people_seen",
        "sign_in_tries",
        "address_tries",
        "used_links",
        "token_uses",
        "process_minutes",
        "processes",
        "alert_mails",
        "prunings",
        "database_sizes",
        "work_states",
        "alembic_version",
    }
)
"""Short-lived rows that are written on every request; no foreign keys to tenant tables."""

JOB_TABLE_PREFIX = "procrastinate_"
"""The job queue's own tables, which are local too."""
