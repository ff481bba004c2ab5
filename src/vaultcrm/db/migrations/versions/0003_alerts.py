"""Alerts by subject, A/B tests by kind, and what metrics count by time.

`ai_ab_tests.kind` is what all variants of a test are. At most one test of a kind runs for a
creator.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ALERTS = """
-- '' for the whole installation, else what the alert is about: see vaultcrm.domain.alerts.
ALTER TABLE alerts ADD COLUMN subject text NOT NULL DEFAULT '';
DROP INDEX alerts_one_open;
CREATE UNIQUE INDEX alerts_one_open ON alerts (kind, subject) WHERE cleared_at IS NULL;
"""

AB_TESTS = """
ALTER TABLE ai_ab_tests ADD COLUMN kind text;
UPDATE ai_ab_tests SET kind = COALESCE(variants -> 0 ->> 'kind', 'template');
ALTER TABLE ai_ab_tests
    ALTER COLUMN kind SET NOT NULL,
    ADD CONSTRAINT ai_ab_tests_kind_known
        CHECK (kind IN ('template', 'personality', 'prompt', 'model'));
CREATE UNIQUE INDEX ai_ab_tests_one_running
    ON ai_ab_tests (creator_id, kind)
    WHERE status = 'running';
"""

BY_TIME = """
CREATE INDEX ai_message_generations_by_creation ON ai_message_generations (creator_id, created_at);
CREATE INDEX ai_message_feedback_by_creation ON ai_message_feedback (creator_id, created_at);
CREATE INDEX usage_by_creation ON usage (creator_id, created_at);
CREATE INDEX outbox_by_creation ON outbox (creator_id, created_at);
"""


def upgrade() -> None:
    for part in (ALERTS, AB_TESTS, BY_TIME):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX outbox_by_creation;
        DROP INDEX usage_by_creation;
        DROP INDEX ai_message_feedback_by_creation;
        DROP INDEX ai_message_generations_by_creation;
        DROP INDEX ai_ab_tests_one_running;
        ALTER TABLE ai_ab_tests DROP COLUMN kind;
        UPDATE alerts SET cleared_at = raised_at WHERE subject <> '' AND cleared_at IS NULL;
        DROP INDEX alerts_one_open;
        CREATE UNIQUE INDEX alerts_one_open ON alerts (kind) WHERE cleared_at IS NULL;
        ALTER TABLE alerts DROP COLUMN subject;
        """
    )
