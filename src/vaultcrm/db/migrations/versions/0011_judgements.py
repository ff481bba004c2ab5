"""What a judge has said about a text, and the attempts of a draft that were stopped.

A judgement is kept under a hash of everything that it depends on, so that the same text in the same
situation is judged once. Neither the text nor a quote is kept: a finding has its place in the text.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        CREATE TABLE judgements (
            creator_id      uuid NOT NULL,
            id              uuid NOT NULL,
            judged_hash     bytea NOT NULL,
            prompt_version  text NOT NULL,
            model           text NOT NULL,
            verdict         text NOT NULL,
            findings        jsonb NOT NULL,
            cleared         text[] NOT NULL,
            created_at      timestamptz NOT NULL,
            CONSTRAINT judgements_pk PRIMARY KEY (creator_id, id),
            CONSTRAINT judgements_once UNIQUE (creator_id, judged_hash, prompt_version, model),
            CONSTRAINT judgements_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
            CONSTRAINT judgements_verdict_known CHECK (verdict IN ('allow', 'review', 'block'))
        );
        ALTER TABLE ai_message_generations ADD COLUMN attempts jsonb;
        """
    )


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        ALTER TABLE ai_message_generations DROP COLUMN attempts;
        DROP TABLE judgements;
        """
    )
