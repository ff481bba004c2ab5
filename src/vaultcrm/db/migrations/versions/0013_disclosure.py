"""Telling fans that AI helps to write: the wordings, and who was told what, when and why.

A disclosure goes through the outbox like any message. `outbox.after_id` names the one that must
have been taken before a message may leave. Nothing in `disclosures` points at the outbox by a
foreign key, because what is taken back is deleted there.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

DISCLOSURE = """
ALTER TABLE conversations ADD COLUMN disclosure_asked_at timestamptz;
ALTER TABLE outbox ADD COLUMN after_id uuid;
CREATE INDEX outbox_after ON outbox (creator_id, after_id) WHERE after_id IS NOT NULL;
CREATE INDEX outbox_open_disclosures ON outbox (creator_id, conversation_id)
    WHERE author = 'disclosure' AND delivery_status IN ('pending', 'sending');

CREATE TABLE disclosure_wordings (
    creator_id  uuid NOT NULL,
    id          uuid NOT NULL,
    language    text NOT NULL,
    version     integer NOT NULL,
    text        text NOT NULL,
    created_at  timestamptz NOT NULL,
    created_by  uuid,
    CONSTRAINT disclosure_wordings_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT disclosure_wordings_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT disclosure_wordings_once UNIQUE (creator_id, language, version),
    CONSTRAINT disclosure_wordings_not_empty CHECK (length(text) BETWEEN 1 AND 600),
    CONSTRAINT disclosure_wordings_version_counts CHECK (version >= 1)
);

-- `wording_version` 0 is the wording that comes with the product.
CREATE TABLE disclosures (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    fan_id           uuid NOT NULL,
    conversation_id  uuid NOT NULL,
    outbox_id        uuid NOT NULL,
    why              text NOT NULL,
    language         text NOT NULL,
    wording_version  integer NOT NULL,
    created_at       timestamptz NOT NULL,
    sent_at          timestamptz,
    CONSTRAINT disclosures_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT disclosures_fan_fk FOREIGN KEY (creator_id, fan_id)
        REFERENCES fans (creator_id, id),
    CONSTRAINT disclosures_conversation_fk FOREIGN KEY (creator_id, conversation_id)
        REFERENCES conversations (creator_id, id),
    CONSTRAINT disclosures_once UNIQUE (creator_id, outbox_id),
    CONSTRAINT disclosures_why_known CHECK (why IN ('first', 'again', 'asked', 'ordered'))
);
CREATE INDEX disclosures_of_fan ON disclosures (creator_id, fan_id, created_at DESC);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(DISCLOSURE)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE disclosures;
        DROP TABLE disclosure_wordings;
        DROP INDEX outbox_open_disclosures;
        DROP INDEX outbox_after;
        ALTER TABLE outbox DROP COLUMN after_id;
        ALTER TABLE conversations DROP COLUMN disclosure_asked_at;
        """
    )
