"""The first schema: people, conversations, generations, what leaves, and what happened.

Written in SQL so that it reads as what PostgreSQL runs. Parents come first; every foreign key and
constraint is named; ids and times come from the application (`vaultcrm.db.tables` says why).
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PEOPLE = """
CREATE TABLE creators (
    id            uuid NOT NULL,
    handle        text NOT NULL,
    display_name  text NOT NULL,
    language      text NOT NULL,
    region        text NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT creators_pk PRIMARY KEY (id),
    CONSTRAINT creators_handle_unique UNIQUE (handle)
);

CREATE TABLE users (
    id            uuid NOT NULL,
    email         text,
    name          text NOT NULL,
    role          text NOT NULL,
    all_creators  boolean NOT NULL,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    CONSTRAINT users_pk PRIMARY KEY (id),
    CONSTRAINT users_email_unique UNIQUE (email),
    CONSTRAINT users_role_known CHECK (role IN ('chatter', 'manager', 'admin', 'service')),
    CONSTRAINT users_people_have_email CHECK (role = 'service' OR email IS NOT NULL)
);
CREATE UNIQUE INDEX users_service_name_unique ON users (name) WHERE role = 'service';

-- Whoever does automatic work: see vaultcrm.domain.people.SYSTEM_USER_ID.
INSERT INTO users (id, email, name, role, all_creators, created_at)
VALUES ('00000000-0000-7000-8000-000000000001', NULL, 'VaultCRM', 'service', true,
        '2026-01-01T00:00:00Z');

CREATE TABLE creator_assignments (
    creator_id    uuid NOT NULL,
    user_id       uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT creator_assignments_pk PRIMARY KEY (user_id, creator_id),
    CONSTRAINT creator_assignments_user_fk FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT creator_assignments_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id)
);

-- Only a hash of a token is kept: reading this table lets nobody in.
CREATE TABLE api_tokens (
    token_hash    bytea NOT NULL,
    user_id       uuid NOT NULL,
    name          text NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    CONSTRAINT api_tokens_pk PRIMARY KEY (token_hash),
    CONSTRAINT api_tokens_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);

CREATE TABLE sessions (
    token_hash    bytea NOT NULL,
    user_id       uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    CONSTRAINT sessions_pk PRIMARY KEY (token_hash)
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE fans (
    creator_id            uuid NOT NULL,
    id                    uuid NOT NULL,
    handle                text NOT NULL,
    display_name          text NOT NULL,
    tier                  text NOT NULL,
    lifetime_value_minor  bigint NOT NULL,
    currency              text NOT NULL,
    notes                 text NOT NULL,
    disclosed_at          timestamptz,
    last_seen_at          timestamptz,
    created_at            timestamptz NOT NULL,
    CONSTRAINT fans_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT fans_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT fans_handle_unique UNIQUE (creator_id, handle),
    CONSTRAINT fans_tier_known CHECK (tier IN ('whale', 'high', 'medium', 'low')),
    CONSTRAINT fans_lifetime_value_not_negative CHECK (lifetime_value_minor >= 0)
);
"""

CONVERSATIONS = """
CREATE TABLE conversations (
    creator_id            uuid NOT NULL,
    id                    uuid NOT NULL,
    fan_id                uuid NOT NULL,
    channel               text NOT NULL,
    external_ref          text NOT NULL,
    mode                  text NOT NULL,
    care                  text,
    care_since            timestamptz,
    last_message_at       timestamptz,
    last_fan_message_at   timestamptz,
    waiting_since         timestamptz,
    unread_count          integer NOT NULL,
    -- Goes up with every message, so that a draft can tell that the thread went on without it.
    revision              bigint NOT NULL DEFAULT 0,
    created_at            timestamptz NOT NULL,
    CONSTRAINT conversations_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT conversations_fan_fk FOREIGN KEY (creator_id, fan_id)
        REFERENCES fans (creator_id, id),
    CONSTRAINT conversations_external_unique UNIQUE (creator_id, channel, external_ref),
    CONSTRAINT conversations_mode_known CHECK (mode IN ('auto', 'draft_only', 'off')),
    CONSTRAINT conversations_care_known CHECK (care IN ('distress', 'possible_minor'))
);
CREATE INDEX conversations_by_last_message
    ON conversations (creator_id, last_message_at DESC NULLS LAST, id DESC);
CREATE INDEX conversations_by_fan ON conversations (creator_id, fan_id);

CREATE TABLE messages (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    sender           text NOT NULL,
    author           text NOT NULL,
    author_user_id   uuid,
    generation_id    uuid,
    external_id      text NOT NULL,
    text             text NOT NULL,
    price_minor      bigint,
    currency         text,
    media_ids        text[],
    purchased_at     timestamptz,
    sentiment        text,
    intent           text,
    language         text,
    sent_at          timestamptz NOT NULL,
    CONSTRAINT messages_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT messages_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id),
    CONSTRAINT messages_external_unique UNIQUE (creator_id, conversation_id, external_id),
    CONSTRAINT messages_sender_known CHECK (sender IN ('fan', 'creator')),
    CONSTRAINT messages_price_has_currency CHECK ((price_minor IS NULL) = (currency IS NULL))
);
CREATE INDEX messages_by_time ON messages (creator_id, conversation_id, sent_at DESC, id DESC);
CREATE INDEX messages_of_generation ON messages (creator_id, generation_id)
    WHERE generation_id IS NOT NULL;

-- Raw webhooks: kept before they are processed, counted once by the platform's event id.
CREATE TABLE inbound_events (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    channel       text NOT NULL,
    event_id      text NOT NULL,
    payload       bytea NOT NULL,
    received_at   timestamptz NOT NULL,
    processed_at  timestamptz,
    error         text,
    CONSTRAINT inbound_events_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT inbound_events_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT inbound_events_once UNIQUE (creator_id, channel, event_id)
);
"""

AI = """
CREATE TABLE ai_creator_personalities (
    creator_id         uuid NOT NULL,
    id                 uuid NOT NULL,
    version            integer NOT NULL,
    personality_type   text NOT NULL,
    tone_descriptors   text[] NOT NULL,
    forbidden_words    text[] NOT NULL,
    preferred_phrases  text[] NOT NULL,
    emoji_style        text NOT NULL,
    system_prompt      text NOT NULL,
    created_at         timestamptz NOT NULL,
    created_by         uuid,
    CONSTRAINT ai_creator_personalities_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_creator_personalities_creator_fk FOREIGN KEY (creator_id)
        REFERENCES creators (id),
    CONSTRAINT ai_creator_personalities_version_unique UNIQUE (creator_id, version),
    CONSTRAINT ai_creator_personalities_emoji_known
        CHECK (emoji_style IN ('none', 'rare', 'moderate', 'frequent'))
);

CREATE TABLE ai_message_templates (
    creator_id         uuid NOT NULL,
    id                 uuid NOT NULL,
    name               text NOT NULL,
    category           text NOT NULL,
    language           text NOT NULL,
    template_text      text NOT NULL,
    price_minor        bigint,
    performance_stats  jsonb NOT NULL,
    usage_count        bigint NOT NULL,
    archived_at        timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT ai_message_templates_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_message_templates_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT ai_message_templates_name_unique UNIQUE (creator_id, name)
);

CREATE TABLE ai_message_generations (
    creator_id             uuid NOT NULL,
    id                     uuid NOT NULL,
    conversation_id        uuid NOT NULL,
    fan_id                 uuid NOT NULL,
    chatter_id             uuid,
    generation_type        text NOT NULL,
    status                 text NOT NULL,
    generated_message      text,
    suggested_price_minor  bigint,
    currency               text NOT NULL,
    alternatives           jsonb,
    confidence_score       smallint NOT NULL,
    reasoning              text NOT NULL,
    note                   text NOT NULL,
    approval_reasons       text[] NOT NULL,
    safety                 jsonb NOT NULL,
    priority               integer NOT NULL,
    model                  text NOT NULL,
    prompt_version         text NOT NULL,
    personality_version    integer NOT NULL,
    last_message_id        uuid,
    input_tokens           integer NOT NULL,
    output_tokens          integer NOT NULL,
    cached_tokens          integer NOT NULL,
    cost_micro_usd         bigint NOT NULL,
    created_at             timestamptz NOT NULL,
    stale_at               timestamptz,
    claimed_by             uuid,
    claimed_until          timestamptz,
    approved_at            timestamptz,
    approved_by            uuid,
    final_message          text,
    final_price_minor      bigint,
    CONSTRAINT ai_message_generations_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_message_generations_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id),
    CONSTRAINT ai_message_generations_fan_fk FOREIGN KEY (creator_id, fan_id)
        REFERENCES fans (creator_id, id),
    CONSTRAINT ai_message_generations_status_known
        CHECK (status IN ('queued', 'approved', 'auto_sent', 'rejected', 'expired')),
    CONSTRAINT ai_message_generations_confidence_range CHECK (confidence_score BETWEEN 0 AND 100)
);
CREATE INDEX ai_message_generations_queue
    ON ai_message_generations (creator_id, priority DESC, created_at, id)
    WHERE status = 'queued';
CREATE INDEX ai_message_generations_waiting
    ON ai_message_generations (creator_id, conversation_id)
    WHERE status = 'queued';
-- Nearly empty, so that asking whether anything is stale costs nothing however much waits.
CREATE INDEX ai_message_generations_stale
    ON ai_message_generations (creator_id, conversation_id)
    WHERE status = 'queued' AND stale_at IS NOT NULL;
CREATE INDEX ai_message_generations_of_conversation
    ON ai_message_generations (creator_id, conversation_id, created_at DESC);

CREATE TABLE ai_message_feedback (
    creator_id          uuid NOT NULL,
    id                  uuid NOT NULL,
    generation_id       uuid NOT NULL,
    feedback_type       text NOT NULL,
    original_message    text,
    final_message       text,
    reason              text,
    modification_notes  text,
    edit_distance       integer,
    performance_data    jsonb NOT NULL,
    user_id             uuid,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT ai_message_feedback_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_message_feedback_generation_fk FOREIGN KEY (creator_id, generation_id)
        REFERENCES ai_message_generations (creator_id, id),
    CONSTRAINT ai_message_feedback_once UNIQUE (creator_id, generation_id),
    CONSTRAINT ai_message_feedback_type_known
        CHECK (feedback_type IN ('approved', 'modified', 'rejected', 'auto_sent'))
);

CREATE TABLE ai_ab_tests (
    creator_id  uuid NOT NULL,
    id          uuid NOT NULL,
    test_name   text NOT NULL,
    variants    jsonb NOT NULL,
    results     jsonb NOT NULL,
    status      text NOT NULL,
    created_at  timestamptz NOT NULL,
    started_at  timestamptz,
    ended_at    timestamptz,
    CONSTRAINT ai_ab_tests_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_ab_tests_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT ai_ab_tests_name_unique UNIQUE (creator_id, test_name),
    CONSTRAINT ai_ab_tests_status_known CHECK (status IN ('draft', 'running', 'ended'))
);
"""

WHAT_LEAVES = """
-- One row a message that leaves, AI's or a chatter's. `id` is the idempotency key that the platform
-- sees; `bound_hash` is what was decided (text, price, media, recipient, channel), checked again
-- right before sending.
CREATE TABLE outbox (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    generation_id    uuid,
    author           text NOT NULL,
    author_user_id   uuid,
    text             text NOT NULL,
    price_minor      bigint,
    currency         text,
    media_ids        text[],
    bound_hash       bytea NOT NULL,
    seen_message_id  uuid,
    delivery_status  text NOT NULL,
    attempts         integer NOT NULL,
    not_before       timestamptz NOT NULL,
    external_id      text,
    error            text,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CONSTRAINT outbox_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT outbox_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id),
    CONSTRAINT outbox_generation_once UNIQUE (creator_id, generation_id),
    CONSTRAINT outbox_status_known
        CHECK (delivery_status IN ('pending', 'sending', 'sent', 'failed', 'uncertain'))
);
CREATE INDEX outbox_waiting ON outbox (creator_id, not_before)
    WHERE delivery_status IN ('pending', 'sending');
"""

WHAT_HAPPENED = """
CREATE TABLE usage (
    creator_id      uuid NOT NULL,
    id              uuid NOT NULL,
    generation_id   uuid,
    purpose         text NOT NULL,
    model           text NOT NULL,
    input_tokens    integer NOT NULL,
    output_tokens   integer NOT NULL,
    cached_tokens   integer NOT NULL,
    cost_micro_usd  bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    CONSTRAINT usage_pk PRIMARY KEY (creator_id, id)
);

-- `creator_id` is the nil UUID for what concerns the whole installation.
CREATE TABLE audit_log (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    at            timestamptz NOT NULL,
    actor_id      uuid,
    action        text NOT NULL,
    subject_type  text NOT NULL,
    subject_id    text NOT NULL,
    details       jsonb NOT NULL,
    CONSTRAINT audit_log_pk PRIMARY KEY (creator_id, id)
);

CREATE TABLE limit_counters (
    kind          text NOT NULL,
    subject       text NOT NULL,
    window_start  timestamptz NOT NULL,
    used          bigint NOT NULL,
    CONSTRAINT limit_counters_pk PRIMARY KEY (kind, subject, window_start),
    CONSTRAINT limit_counters_not_negative CHECK (used >= 0)
) WITH (fillfactor = 50);

CREATE TABLE idempotency_keys (
    user_id       uuid NOT NULL,
    key           text NOT NULL,
    request_hash  bytea NOT NULL,
    status_code   smallint,
    response      text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pk PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE flag_overrides (
    creator_id  uuid NOT NULL,
    name        text NOT NULL,
    value       jsonb NOT NULL,
    reason      text NOT NULL,
    set_by      uuid,
    set_at      timestamptz NOT NULL,
    CONSTRAINT flag_overrides_pk PRIMARY KEY (creator_id, name)
);

CREATE TABLE alerts (
    id               uuid NOT NULL,
    kind             text NOT NULL,
    severity         text NOT NULL,
    message          text NOT NULL,
    details          jsonb NOT NULL,
    raised_at        timestamptz NOT NULL,
    cleared_at       timestamptz,
    acknowledged_at  timestamptz,
    acknowledged_by  uuid,
    CONSTRAINT alerts_pk PRIMARY KEY (id)
);
CREATE UNIQUE INDEX alerts_one_open ON alerts (kind) WHERE cleared_at IS NULL;
"""


def upgrade() -> None:
    connection = op.get_bind()
    for part in (PEOPLE, CONVERSATIONS, AI, WHAT_LEAVES, WHAT_HAPPENED):
        connection.exec_driver_sql(part)


def downgrade() -> None:
    raise NotImplementedError("a first schema has nothing to go back to: drop the database")
