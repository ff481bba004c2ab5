"""Rules of a creator's own for the content filter.

`creators.rules_revision` is another id after every change of that creator's rules, and empty while
there was none: whoever has read the rules once knows by it whether they are still the same. A rule
that is removed stays, with who removed it when, so that what was let through can be explained.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CONTENT_RULES = """
ALTER TABLE creators ADD COLUMN rules_revision uuid;

CREATE TABLE content_rules (
    creator_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    category text NOT NULL,
    tier text NOT NULL,
    scopes text[] NOT NULL,
    reason text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    removed_by uuid,
    removed_at timestamptz,
    CONSTRAINT content_rules_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT content_rules_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT content_rules_kind_known CHECK (kind IN ('phrase', 'pattern', 'exception')),
    CONSTRAINT content_rules_tier_known CHECK (tier IN ('block', 'review'))
);
CREATE UNIQUE INDEX content_rules_once ON content_rules (creator_id, kind, category, text)
    WHERE removed_at IS NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CONTENT_RULES)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        "DROP TABLE content_rules; ALTER TABLE creators DROP COLUMN rules_revision;"
    )
