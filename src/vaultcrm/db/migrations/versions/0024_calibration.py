"""Confidence that is calibrated, and the guarantee of automatic sending.

`creators.confidence_revision` is another id after every change of what is in force for a creator,
and empty while nothing is: whoever has read it once knows by it whether it is still the same. What
a draft was scored by is kept with the draft, so that models can be fitted and checked afterwards;
`audit_propensity` is in ten-thousandths.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

CALIBRATION = """
ALTER TABLE creators ADD COLUMN confidence_revision uuid;

ALTER TABLE ai_message_generations
    ADD COLUMN confidence_inputs real[],
    ADD COLUMN confidence_model uuid,
    ADD COLUMN audit_propensity smallint;
-- What left by itself, or was drawn by lot to wait instead.
CREATE INDEX ai_message_generations_sampled ON ai_message_generations (creator_id, id)
    WHERE audit_propensity < 10000;

-- Versions of what scores drafts; of the nil creator, what is known of all creators together.
CREATE TABLE confidence_models (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    version       integer NOT NULL,
    model         jsonb NOT NULL,
    guarantees    jsonb NOT NULL,
    report        jsonb NOT NULL,
    made_at       timestamptz NOT NULL,
    decisions     integer NOT NULL,
    stopped_at    timestamptz,
    stopped_why   text,
    watched       jsonb NOT NULL,
    watched_at    timestamptz,
    CONSTRAINT confidence_models_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT confidence_models_version_unique UNIQUE (creator_id, version),
    CONSTRAINT confidence_models_stop_has_reason
        CHECK ((stopped_at IS NULL) = (stopped_why IS NULL))
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CALIBRATION)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE confidence_models;
        DROP INDEX ai_message_generations_sampled;
        ALTER TABLE ai_message_generations
            DROP COLUMN audit_propensity, DROP COLUMN confidence_model,
            DROP COLUMN confidence_inputs;
        ALTER TABLE creators DROP COLUMN confidence_revision;
        """
    )
