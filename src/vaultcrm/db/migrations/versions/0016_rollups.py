"""Roll-ups of what metrics count, by hour and by day, and what processes have observed.

A roll-up's `span` is how many hours it covers: 1 or 24. Its id is made of what it counts, so that
it is there once. They hold nothing that the tables they are made of do not hold, and are made anew
whenever those change, so dropping them loses nothing.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ROLLUPS = """
CREATE TABLE rollup_drafts (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    span             smallint NOT NULL,
    at               timestamptz NOT NULL,
    generation_type  text NOT NULL,
    waiting          bigint NOT NULL,
    approved         bigint NOT NULL,
    modified         bigint NOT NULL,
    rejected         bigint NOT NULL,
    automatic        bigint NOT NULL,
    blocked          bigint NOT NULL,
    expired          bigint NOT NULL,
    drafted          bigint NOT NULL,
    confidence_sum   bigint NOT NULL,
    with_findings    bigint NOT NULL,
    made_at          timestamptz NOT NULL,
    CONSTRAINT rollup_drafts_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_drafts_by_time ON rollup_drafts (creator_id, span, at);
CREATE INDEX rollup_drafts_open ON rollup_drafts (creator_id, made_at)
    WHERE span = 1 AND waiting > 0;

CREATE TABLE rollup_decisions (
    creator_id      uuid NOT NULL,
    id              uuid NOT NULL,
    span            smallint NOT NULL,
    at              timestamptz NOT NULL,
    currency        text NOT NULL,
    approved        bigint NOT NULL,
    modified        bigint NOT NULL,
    rejected        bigint NOT NULL,
    automatic       bigint NOT NULL,
    reply_known     bigint NOT NULL,
    replied         bigint NOT NULL,
    purchase_known  bigint NOT NULL,
    offers          bigint NOT NULL,
    bought          bigint NOT NULL,
    gain_known      bigint NOT NULL,
    revenue_minor   bigint NOT NULL,
    made_at         timestamptz NOT NULL,
    CONSTRAINT rollup_decisions_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_decisions_by_time ON rollup_decisions (creator_id, span, at);

CREATE TABLE rollup_usage (
    creator_id      uuid NOT NULL,
    id              uuid NOT NULL,
    span            smallint NOT NULL,
    at              timestamptz NOT NULL,
    model           text NOT NULL,
    purpose         text NOT NULL,
    calls           bigint NOT NULL,
    input_tokens    bigint NOT NULL,
    output_tokens   bigint NOT NULL,
    cached_tokens   bigint NOT NULL,
    cost_micro_usd  bigint NOT NULL,
    made_at         timestamptz NOT NULL,
    CONSTRAINT rollup_usage_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_usage_by_time ON rollup_usage (creator_id, span, at);

CREATE TABLE rollup_messages (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    span             smallint NOT NULL,
    at               timestamptz NOT NULL,
    author           text NOT NULL,
    delivery_status  text NOT NULL,
    messages         bigint NOT NULL,
    made_at          timestamptz NOT NULL,
    CONSTRAINT rollup_messages_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_messages_by_time ON rollup_messages (creator_id, span, at);
CREATE INDEX rollup_messages_open ON rollup_messages (creator_id, made_at)
    WHERE span = 1 AND delivery_status IN ('pending', 'sending', 'uncertain');

-- Waiting times by their logarithm: what quantiles are read from. `bucket` is the whole part of
-- 8 log2(1 + seconds).
CREATE TABLE rollup_waits (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    span          smallint NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    bucket        smallint NOT NULL,
    waits         bigint NOT NULL,
    milliseconds  bigint NOT NULL,
    made_at       timestamptz NOT NULL,
    CONSTRAINT rollup_waits_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_waits_by_time ON rollup_waits (creator_id, span, at);
"""

STATES = """
-- How far roll-ups go: from `rolled_since` (a midnight in UTC) and before `rolled_until`;
-- `complete` when nothing is older. `id` is the creator's.
CREATE TABLE rollup_states (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    rolled_since  timestamptz NOT NULL,
    rolled_until  timestamptz NOT NULL,
    complete      boolean NOT NULL,
    CONSTRAINT rollup_states_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT rollup_states_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id)
);

-- Hours in which something has changed after they were over: a row a change, no row twice.
CREATE TABLE rollup_marks (
    creator_id  uuid NOT NULL,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL,
    CONSTRAINT rollup_marks_pk PRIMARY KEY (creator_id, id)
);
"""

OBSERVED = """
-- What one process has seen in one minute; times are sums, in milliseconds.
CREATE TABLE process_minutes (
    process          text NOT NULL,
    minute           timestamptz NOT NULL,
    requests         bigint NOT NULL,
    failed_requests  bigint NOT NULL,
    request_ms       bigint NOT NULL,
    calls            bigint NOT NULL,
    failed_calls     bigint NOT NULL,
    call_ms          bigint NOT NULL,
    database_errors  bigint NOT NULL,
    CONSTRAINT process_minutes_pk PRIMARY KEY (minute, process)
);

-- What a process has seen since it began, and that it lives.
CREATE TABLE processes (
    process  text NOT NULL,
    kind     text NOT NULL,
    seen_at  timestamptz NOT NULL,
    counts   jsonb NOT NULL,
    CONSTRAINT processes_pk PRIMARY KEY (process)
) WITH (fillfactor = 50);
"""

MAILS = """
-- An alert that is told by e-mail, a row for each who is told.
CREATE TABLE alert_mails (
    alert_id  uuid NOT NULL,
    user_id   uuid NOT NULL,
    sent_at   timestamptz NOT NULL,
    CONSTRAINT alert_mails_pk PRIMARY KEY (alert_id, user_id)
);
"""


def upgrade() -> None:
    for part in (ROLLUPS, STATES, OBSERVED, MAILS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE alert_mails;
        DROP TABLE processes;
        DROP TABLE process_minutes;
        DROP TABLE rollup_marks;
        DROP TABLE rollup_states;
        DROP TABLE rollup_waits;
        DROP TABLE rollup_messages;
        DROP TABLE rollup_usage;
        DROP TABLE rollup_decisions;
        DROP TABLE rollup_drafts;
        """
    )
