"""Finding a conversation among a hundred thousand: who waits, who is there, and by whose name.

`fans_by_name` holds the words of name and handle, in small letters and without signs, for searching
by how a word begins; `vaultcrm.db.queries.inbox` asks in the same words. The lists of the inbox are
sorted by the latest message, or by when the conversation was opened where nothing has been said
yet, so that no row is without a place.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

NAMES = r"""
CREATE INDEX fans_by_name ON fans USING gin (
    to_tsvector('simple', translate(display_name || ' ' || handle,
                                    '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~',
                                    '                                '))
);
CREATE INDEX fans_by_seen ON fans (creator_id, last_seen_at) WHERE last_seen_at IS NOT NULL;
CREATE INDEX fans_of_high_tiers ON fans (creator_id, tier) WHERE tier IN ('whale', 'high');
"""

CONVERSATIONS = """
CREATE INDEX conversations_by_latest
    ON conversations (creator_id, COALESCE(last_message_at, created_at) DESC, id DESC);
CREATE INDEX conversations_waiting ON conversations (creator_id, waiting_since, id)
    WHERE waiting_since IS NOT NULL;
CREATE INDEX conversations_unread
    ON conversations (creator_id, COALESCE(last_message_at, created_at) DESC, id DESC)
    WHERE unread_count > 0;
CREATE INDEX conversations_in_care
    ON conversations (creator_id, COALESCE(last_message_at, created_at) DESC, id DESC)
    WHERE care IS NOT NULL;
"""

MESSAGES = """
CREATE INDEX messages_bought ON messages (creator_id, conversation_id, purchased_at DESC)
    WHERE purchased_at IS NOT NULL;
"""


def upgrade() -> None:
    for part in (NAMES, CONVERSATIONS, MESSAGES):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX messages_bought;
        DROP INDEX conversations_in_care;
        DROP INDEX conversations_unread;
        DROP INDEX conversations_waiting;
        DROP INDEX conversations_by_latest;
        DROP INDEX fans_of_high_tiers;
        DROP INDEX fans_by_seen;
        DROP INDEX fans_by_name;
        """
    )
