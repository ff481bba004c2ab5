"""What messages did: replies, purchases, refunds, by message; and what follows from them.

`message_outcomes` is made of messages, payments and reports, and is made anew when one of those
comes in, whenever that is: a row of `outcome_marks` says that it did. The numbers in it outlive the
messages that they are about, so nothing refers to those by a foreign key.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OUTCOMES = """
CREATE TABLE message_outcomes (
    creator_id         uuid NOT NULL,
    id                 uuid NOT NULL,
    conversation_id    uuid NOT NULL,
    fan_id             uuid NOT NULL,
    generation_id      uuid,
    template_id        uuid,
    author             text NOT NULL,
    tier               text NOT NULL,
    sent_at            timestamptz NOT NULL,
    settled_at         timestamptz NOT NULL,
    price_minor        bigint,
    currency           text,
    replied            boolean NOT NULL,
    time_to_reply      integer,
    purchased          boolean NOT NULL,
    revenue_minor      bigint NOT NULL,
    refunded_minor     bigint NOT NULL,
    currencies_differ  boolean NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT message_outcomes_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT message_outcomes_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT message_outcomes_revenue_positive CHECK (revenue_minor >= 0 AND refunded_minor >= 0)
);
CREATE INDEX message_outcomes_by_time ON message_outcomes (creator_id, sent_at);
CREATE INDEX message_outcomes_of_generation ON message_outcomes (creator_id, generation_id)
    WHERE generation_id IS NOT NULL;
CREATE INDEX message_outcomes_of_templates ON message_outcomes (creator_id, template_id, sent_at)
    INCLUDE (settled_at, tier, replied, purchased, revenue_minor, price_minor, currency)
    WHERE template_id IS NOT NULL;

-- What platforms tell of money for messages, as they told it: it is never changed, so that the
-- order in which it comes does not matter. `message_ref` is the platform's name for the message,
-- null where it names none; `message_id` is set once that message is here.
CREATE TABLE message_payments (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    event_key        text NOT NULL,
    kind             text NOT NULL,
    message_ref      text,
    message_id       uuid,
    amount_minor     bigint,
    currency         text,
    occurred_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    CONSTRAINT message_payments_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT message_payments_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id),
    CONSTRAINT message_payments_once UNIQUE (creator_id, conversation_id, event_key),
    CONSTRAINT message_payments_kind_known CHECK (kind IN ('purchase', 'refund', 'chargeback'))
);
CREATE INDEX message_payments_of_message ON message_payments (creator_id, message_id)
    WHERE message_id IS NOT NULL;

-- Where something has come in that an outcome may hang on: a row a change, no row twice. Without
-- `at` the whole conversation is meant.
CREATE TABLE outcome_marks (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    at               timestamptz,
    CONSTRAINT outcome_marks_pk PRIMARY KEY (creator_id, id)
);

-- Who works on a creator's outcomes holds this row. Up to `settled_until` every outcome whose time
-- is over is known as final. `id` is the creator's.
CREATE TABLE outcome_states (
    creator_id     uuid NOT NULL,
    id             uuid NOT NULL,
    settled_until  timestamptz NOT NULL,
    CONSTRAINT outcome_states_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT outcome_states_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id)
);

-- What programs report of a draft's message, field by field, as they told it last.
ALTER TABLE ai_message_feedback ADD COLUMN reported jsonb NOT NULL DEFAULT '{}';
UPDATE ai_message_feedback SET reported = performance_data WHERE performance_data <> '{}';

INSERT INTO outcome_marks (creator_id, id, conversation_id)
SELECT creator_id, id, id FROM conversations WHERE last_message_at IS NOT NULL;
"""

WORK = """
-- How long a person was at a decision or a message of their own: since what they did before, where
-- that was not long ago. `id` is that of the feedback or the outbox row; `length` is in characters.
CREATE TABLE chatter_work (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    user_id       uuid NOT NULL,
    kind          text NOT NULL,
    length        integer NOT NULL,
    milliseconds  bigint NOT NULL,
    at            timestamptz NOT NULL,
    CONSTRAINT chatter_work_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT chatter_work_kind_known CHECK (kind IN ('sent', 'rejected', 'by_hand'))
);
CREATE INDEX chatter_work_by_time ON chatter_work (creator_id, at);

-- How far people's work is measured, for the whole installation.
CREATE TABLE work_states (
    name            text NOT NULL,
    measured_until  timestamptz NOT NULL,
    CONSTRAINT work_states_pk PRIMARY KEY (name)
);

-- Fans' messages in the two weeks before a conversation's first AI message and in the two after.
-- `id` is the conversation's. `known_at` is when they were counted; `is_comparable` whether there
-- was a conversation for the whole of the weeks before.
CREATE TABLE conversation_engagement (
    creator_id   uuid NOT NULL,
    id           uuid NOT NULL,
    first_ai_at  timestamptz NOT NULL,
    known_at     timestamptz,
    is_comparable   boolean,
    before       integer,
    after        integer,
    CONSTRAINT conversation_engagement_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX conversation_engagement_due ON conversation_engagement (creator_id, first_ai_at)
    WHERE known_at IS NULL;
CREATE INDEX conversation_engagement_known ON conversation_engagement (creator_id, known_at)
    WHERE known_at IS NOT NULL;
"""

ROLLUPS = """
-- `squares` is the sum of the squares of revenues, in hundreds, for intervals around their mean.
CREATE TABLE rollup_outcomes (
    creator_id      uuid NOT NULL,
    id              uuid NOT NULL,
    span            smallint NOT NULL,
    at              timestamptz NOT NULL,
    author          text NOT NULL,
    currency        text NOT NULL,
    messages        bigint NOT NULL,
    replied         bigint NOT NULL,
    offers          bigint NOT NULL,
    bought          bigint NOT NULL,
    revenue_minor   bigint NOT NULL,
    squares         bigint NOT NULL,
    refunded_minor  bigint NOT NULL,
    made_at         timestamptz NOT NULL,
    CONSTRAINT rollup_outcomes_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_outcomes_by_time ON rollup_outcomes (creator_id, span, at);

CREATE TABLE rollup_work (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    span          smallint NOT NULL,
    at            timestamptz NOT NULL,
    user_id       uuid NOT NULL,
    kind          text NOT NULL,
    size          smallint NOT NULL,
    bucket        smallint NOT NULL,
    actions       bigint NOT NULL,
    milliseconds  bigint NOT NULL,
    made_at       timestamptz NOT NULL,
    CONSTRAINT rollup_work_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_work_by_time ON rollup_work (creator_id, span, at);

CREATE TABLE rollup_engagement (
    creator_id     uuid NOT NULL,
    id             uuid NOT NULL,
    span           smallint NOT NULL,
    at             timestamptz NOT NULL,
    kind           text NOT NULL,
    conversations  bigint NOT NULL,
    before         bigint NOT NULL,
    after          bigint NOT NULL,
    squares        bigint NOT NULL,
    made_at        timestamptz NOT NULL,
    CONSTRAINT rollup_engagement_pk PRIMARY KEY (creator_id, id)
);
CREATE INDEX rollup_engagement_by_time ON rollup_engagement (creator_id, span, at);
"""


def upgrade() -> None:
    for part in (OUTCOMES, WORK, ROLLUPS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE rollup_engagement;
        DROP TABLE rollup_work;
        DROP TABLE rollup_outcomes;
        DROP TABLE conversation_engagement;
        DROP TABLE work_states;
        DROP TABLE chatter_work;
        ALTER TABLE ai_message_feedback DROP COLUMN reported;
        DROP TABLE outcome_states;
        DROP TABLE outcome_marks;
        DROP TABLE message_payments;
        DROP TABLE message_outcomes;
        """
    )
