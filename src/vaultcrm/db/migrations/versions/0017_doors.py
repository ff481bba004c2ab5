"""Doors: second factors, tokens with scopes, links that work once, tries by address, identities.

Tokens of before keep all scopes, and sessions of before count as signed in with one factor.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DOORS = """
-- NULL is every scope. The id names a token to people, who never see its hash.
ALTER TABLE api_tokens ADD COLUMN id uuid, ADD COLUMN scopes text[], ADD COLUMN made_by uuid;
UPDATE api_tokens SET id = gen_random_uuid();
ALTER TABLE api_tokens
    ALTER id SET NOT NULL,
    ADD CONSTRAINT api_tokens_id_unique UNIQUE (id);
CREATE INDEX api_tokens_of_user ON api_tokens (user_id);

-- Apart from the tokens, which are copied to every node of a cluster.
CREATE TABLE token_uses (
    token_hash    bytea NOT NULL,
    last_used_at  timestamptz NOT NULL,
    CONSTRAINT token_uses_pk PRIMARY KEY (token_hash)
);

-- `secret` is sealed with the installation's key; without `confirmed_at` it is being set up.
-- `last_step` is the step of the last code that was taken: no code is taken twice.
CREATE TABLE second_factors (
    user_id       uuid NOT NULL,
    secret        bytea NOT NULL,
    made_at       timestamptz NOT NULL,
    confirmed_at  timestamptz,
    last_step     bigint,
    CONSTRAINT second_factors_pk PRIMARY KEY (user_id),
    CONSTRAINT second_factors_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE TABLE recovery_codes (
    user_id    uuid NOT NULL,
    code_hash  bytea NOT NULL,
    used_at    timestamptz,
    CONSTRAINT recovery_codes_pk PRIMARY KEY (user_id, code_hash),
    CONSTRAINT recovery_codes_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
ALTER TABLE sessions ADD COLUMN second_factor boolean;
UPDATE sessions SET second_factor = false;
ALTER TABLE sessions ALTER second_factor SET NOT NULL;

-- Links that have opened a session. `used_from` tells a second click from a second person.
CREATE TABLE used_links (
    nonce       uuid NOT NULL,
    user_id     uuid NOT NULL,
    used_at     timestamptz NOT NULL,
    used_from   bytea NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT used_links_pk PRIMARY KEY (nonce)
);
CREATE INDEX used_links_by_expiry ON used_links (expires_at);

-- `subject` is a keyed hash of a network address.
CREATE TABLE address_tries (
    subject  bytea NOT NULL,
    tries    integer NOT NULL,
    last_at  timestamptz NOT NULL,
    free_at  timestamptz,
    CONSTRAINT address_tries_pk PRIMARY KEY (subject)
);
CREATE INDEX address_tries_by_age ON address_tries (last_at);

-- Who of ours a subject of an OpenID Connect issuer is.
CREATE TABLE identities (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    user_id   uuid NOT NULL,
    bound_at  timestamptz NOT NULL,
    CONSTRAINT identities_pk PRIMARY KEY (issuer, subject),
    CONSTRAINT identities_one_each UNIQUE (user_id, issuer),
    CONSTRAINT identities_user_fk FOREIGN KEY (user_id) REFERENCES users (id)
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(DOORS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE identities;
        DROP TABLE address_tries;
        DROP TABLE used_links;
        ALTER TABLE sessions DROP COLUMN second_factor;
        DROP TABLE recovery_codes;
        DROP TABLE second_factors;
        DROP TABLE token_uses;
        DROP INDEX api_tokens_of_user;
        ALTER TABLE api_tokens DROP COLUMN made_by, DROP COLUMN scopes, DROP COLUMN id;
        """
    )
