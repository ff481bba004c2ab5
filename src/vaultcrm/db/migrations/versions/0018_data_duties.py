"""Data duties: fans who were erased, what was pruned, and the indexes that pruning goes by.

An erased fan's rows stay, so that what is counted stays; what they said of a person is gone.
`erasures.identifiers` are the names under which the rest is looked for. They are emptied when
nothing is left to look for.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

ERASURES = """
ALTER TABLE fans ADD COLUMN erased_at timestamptz;
ALTER TABLE conversations ADD COLUMN erased_at timestamptz;

CREATE TABLE erasures (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    fan_id        uuid NOT NULL,
    requested_by  uuid,
    reason        text NOT NULL,
    requested_at  timestamptz NOT NULL,
    identifiers   text[] NOT NULL,
    cleared_at    timestamptz,
    finished_at   timestamptz,
    counts        jsonb NOT NULL,
    CONSTRAINT erasures_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT erasures_fan_fk FOREIGN KEY (creator_id, fan_id) REFERENCES fans (creator_id, id),
    CONSTRAINT erasures_once UNIQUE (creator_id, fan_id),
    CONSTRAINT erasures_forget CHECK (finished_at IS NULL OR identifiers = '{}')
);
CREATE INDEX erasures_open ON erasures (creator_id, requested_at) WHERE finished_at IS NULL;
"""

RETENTION = """
-- The last time that old rows of a kind were removed, and how many there have been.
CREATE TABLE prunings (
    kind       text NOT NULL,
    pruned_at  timestamptz NOT NULL,
    last_rows  bigint NOT NULL,
    all_rows   bigint NOT NULL,
    CONSTRAINT prunings_pk PRIMARY KEY (kind)
);
CREATE INDEX limit_counters_by_age ON limit_counters (window_start);
CREATE INDEX ai_message_generations_ended ON ai_message_generations (creator_id, created_at)
    WHERE status IN ('rejected', 'expired');
"""


def upgrade() -> None:
    for part in (ERASURES, RETENTION):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX ai_message_generations_ended;
        DROP INDEX limit_counters_by_age;
        DROP TABLE prunings;
        DROP TABLE erasures;
        ALTER TABLE conversations DROP COLUMN erased_at;
        ALTER TABLE fans DROP COLUMN erased_at;
        """
    )
