"""A/B tests: who was assigned what, and with which probability.

A draft says which variants it was made with (`ab_variants`: by test, the variant, its probability
and the epoch of the shares). `ai_ab_fans` sums up what came of each fan's drafts by variant; a job
makes a fan's row anew when something of theirs has changed, so that nothing is counted twice.
"""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

EXPERIMENTS = """
ALTER TABLE ai_message_generations ADD COLUMN ab_variants jsonb;
CREATE INDEX ai_message_generations_under_test
    ON ai_message_generations (creator_id, created_at) WHERE ab_variants IS NOT NULL;
CREATE INDEX ai_message_generations_of_fan_under_test
    ON ai_message_generations (creator_id, fan_id) WHERE ab_variants IS NOT NULL;
CREATE INDEX message_outcomes_by_change
    ON message_outcomes (creator_id, updated_at) WHERE generation_id IS NOT NULL;

-- `shares` are those in force, `epochs` all that ever were, the first of them epoch 1. `stopped`
-- has why a variant is out, by its name. Up to `counted_until` everything is in `ai_ab_fans`.
ALTER TABLE ai_ab_tests
    ADD COLUMN metric text NOT NULL DEFAULT 'reply_rate',
    ADD COLUMN smallest_effect jsonb,
    ADD COLUMN allocation text NOT NULL DEFAULT 'fixed',
    ADD COLUMN limits jsonb NOT NULL DEFAULT
        '{"filter_hits": 0.05, "rejections": 0.05, "complaints": 0.05}',
    ADD COLUMN shares jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN epoch integer NOT NULL DEFAULT 0,
    ADD COLUMN epochs jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN stopped jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN counted_until timestamptz,
    ADD CONSTRAINT ai_ab_tests_metric_known CHECK (metric IN
        ('reply_rate', 'purchase_rate', 'revenue_per_message', 'approved_unchanged')),
    ADD CONSTRAINT ai_ab_tests_allocation_known CHECK (allocation IN ('fixed', 'thompson'));
UPDATE ai_ab_tests t SET epoch = 1, shares = s.shares, epochs = jsonb_build_array(s.shares)
FROM (SELECT a.creator_id, a.id,
             jsonb_object_agg(v.one ->> 'name', (v.one ->> 'weight')::float8 / w.total) AS shares
      FROM ai_ab_tests a
      CROSS JOIN LATERAL jsonb_array_elements(a.variants) v (one)
      CROSS JOIN LATERAL (SELECT sum((o.one ->> 'weight')::float8) AS total
                          FROM jsonb_array_elements(a.variants) o (one)) w
      GROUP BY 1, 2) s
WHERE t.creator_id = s.creator_id AND t.id = s.id AND t.status = 'running';

-- `propensity_ppb`: how probable the variant was when the fan got it, in parts of 1,000,000,000.
-- `squares` sums the squares of what each message brought. Amounts of a fan who paid in two
-- currencies are compared by nobody.
CREATE TABLE ai_ab_fans (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    test_id          uuid NOT NULL,
    fan_id           uuid NOT NULL,
    variant          text NOT NULL,
    tier             text NOT NULL,
    epoch            integer NOT NULL,
    propensity_ppb   integer NOT NULL,
    assigned_at      timestamptz NOT NULL,
    drafts           integer NOT NULL DEFAULT 0,
    filter_hits      integer NOT NULL DEFAULT 0,
    decided          integer NOT NULL DEFAULT 0,
    unchanged        integer NOT NULL DEFAULT 0,
    rejected         integer NOT NULL DEFAULT 0,
    settled          integer NOT NULL DEFAULT 0,
    replied          integer NOT NULL DEFAULT 0,
    purchased        integer NOT NULL DEFAULT 0,
    complaints       integer NOT NULL DEFAULT 0,
    revenue_minor    bigint NOT NULL DEFAULT 0,
    squares          bigint NOT NULL DEFAULT 0,
    currency         text,
    other_currency   text,
    not_applied      integer NOT NULL DEFAULT 0,
    CONSTRAINT ai_ab_fans_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT ai_ab_fans_test_fk FOREIGN KEY (creator_id, test_id)
        REFERENCES ai_ab_tests (creator_id, id),
    CONSTRAINT ai_ab_fans_fan_fk FOREIGN KEY (creator_id, fan_id) REFERENCES fans (creator_id, id),
    CONSTRAINT ai_ab_fans_once UNIQUE (creator_id, test_id, fan_id, variant),
    CONSTRAINT ai_ab_fans_propensity CHECK (propensity_ppb BETWEEN 1 AND 1000000000)
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(EXPERIMENTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE ai_ab_fans;
        ALTER TABLE ai_ab_tests
            DROP COLUMN counted_until, DROP COLUMN stopped, DROP COLUMN epochs, DROP COLUMN epoch,
            DROP COLUMN shares, DROP COLUMN limits, DROP COLUMN allocation,
            DROP COLUMN smallest_effect, DROP COLUMN metric;
        DROP INDEX message_outcomes_by_change;
        DROP INDEX ai_message_generations_of_fan_under_test;
        DROP INDEX ai_message_generations_under_test;
        ALTER TABLE ai_message_generations DROP COLUMN ab_variants;
        """
    )
