"""Weekly learning: sums of a week's outcomes, proposed personalities, examples for prompts.

`learning_weeks` has a row a creator and week, and one of all creators together under the nil UUID,
so there is no foreign key to creators. `week` is its Monday at 00:00 UTC. `learned_examples` are
the only texts here that somebody wrote to somebody: erasing a fan deletes theirs.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE learning_weeks (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    week          timestamptz NOT NULL,
    sums          jsonb NOT NULL,
    gathered_at   timestamptz NOT NULL,
    concluded_at  timestamptz,
    report        jsonb,
    CONSTRAINT learning_weeks_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT learning_weeks_once UNIQUE (creator_id, week)
);

CREATE TABLE personality_proposals (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    week             timestamptz NOT NULL,
    base_version     integer NOT NULL,
    fields           jsonb NOT NULL,
    evidence         jsonb NOT NULL,
    status           text NOT NULL,
    created_at       timestamptz NOT NULL,
    decided_at       timestamptz,
    decided_by       uuid,
    reason           text NOT NULL DEFAULT '',
    applied_version  integer,
    by_itself        boolean NOT NULL DEFAULT false,
    watch            jsonb,
    CONSTRAINT personality_proposals_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT personality_proposals_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT personality_proposals_once UNIQUE (creator_id, week),
    CONSTRAINT personality_proposals_status_known
        CHECK (status IN ('proposed', 'applied', 'dismissed', 'rolled_back', 'superseded'))
);

CREATE TABLE learned_examples (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    place            smallint NOT NULL,
    conversation_id  uuid NOT NULL,
    message_id       uuid NOT NULL,
    text             text NOT NULL,
    chosen_at        timestamptz NOT NULL,
    CONSTRAINT learned_examples_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT learned_examples_place UNIQUE (creator_id, place),
    CONSTRAINT learned_examples_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id)
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE learned_examples;
        DROP TABLE personality_proposals;
        DROP TABLE learning_weeks;
        """
    )
