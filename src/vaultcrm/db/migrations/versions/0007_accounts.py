"""Passwords, sessions that end when nobody uses them, and tries to sign in.

Sessions live for half a day: those of before are ended, not guessed at.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ACCOUNTS = """
-- A sign-in link that was made before is no good any more.
ALTER TABLE users ADD COLUMN links_from timestamptz;

-- Argon2id, with its salt and cost in the text. Apart from `users`, which many statements read.
CREATE TABLE passwords (
    user_id  uuid NOT NULL,
    hash     text NOT NULL,
    set_at   timestamptz NOT NULL,
    CONSTRAINT passwords_pk PRIMARY KEY (user_id),
    CONSTRAINT passwords_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);

DELETE FROM sessions;
ALTER TABLE sessions
    ADD COLUMN id uuid NOT NULL,
    ADD COLUMN last_used_at timestamptz NOT NULL,
    ADD COLUMN device text NOT NULL,
    ADD CONSTRAINT sessions_id_unique UNIQUE (id);
CREATE INDEX sessions_of_user ON sessions (user_id);

-- Outlives the sessions that it is learned from.
CREATE TABLE people_seen (
    user_id       uuid NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    CONSTRAINT people_seen_pk PRIMARY KEY (user_id)
);

-- `subject` is a hash of the e-mail, whether anybody has it or not; `free_at` ends the wait.
CREATE TABLE sign_in_tries (
    subject   bytea NOT NULL,
    tries     integer NOT NULL,
    last_at   timestamptz NOT NULL,
    free_at   timestamptz,
    CONSTRAINT sign_in_tries_pk PRIMARY KEY (subject)
);
CREATE INDEX sign_in_tries_by_age ON sign_in_tries (last_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(ACCOUNTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE sign_in_tries;
        DROP TABLE people_seen;
        DROP INDEX sessions_of_user;
        ALTER TABLE sessions DROP COLUMN device, DROP COLUMN last_used_at, DROP COLUMN id;
        DROP TABLE passwords;
        ALTER TABLE users DROP COLUMN links_from;
        """
    )
