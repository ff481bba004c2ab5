"""What a chatter is told to do where a fan needs care, as a creator's manager has put it.

A creator without a row of a kind has the text that comes with the product.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

GUIDANCE = """
CREATE TABLE care_guidance (
    creator_id  uuid NOT NULL,
    id          uuid NOT NULL,
    kind        text NOT NULL,
    text        text NOT NULL,
    set_by      uuid,
    set_at      timestamptz NOT NULL,
    CONSTRAINT care_guidance_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT care_guidance_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT care_guidance_kind_once UNIQUE (creator_id, kind),
    CONSTRAINT care_guidance_kind_known CHECK (kind IN ('distress', 'possible_minor'))
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(GUIDANCE)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE care_guidance")
