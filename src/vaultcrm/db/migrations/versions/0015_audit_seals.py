"""Seals of the audit log, what looking through it came to, and the one way to erase details.

Rows of the log, seals and checks are only ever added: `vaultcrm.db.roles` gives the application no
right to change them. The function is the exception. It puts what a sealed row's leaf needs in the
place of the row's details and throws the row's salt away, and it can do nothing else.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SEALS = """
-- Rows by their place in the seal: 16 bytes of id, 16 of salt, 32 of leaf each.
CREATE TABLE audit_seals (
    creator_id  uuid NOT NULL,
    id          uuid NOT NULL,
    number      bigint NOT NULL,
    sealed_at   timestamptz NOT NULL,
    from_id     uuid NOT NULL,
    below_id    uuid NOT NULL,
    row_count   integer NOT NULL,
    late        integer NOT NULL,
    root        bytea NOT NULL,
    ids_hash    bytea NOT NULL,
    previous    bytea NOT NULL,
    hash        bytea NOT NULL,
    ids         bytea NOT NULL,
    salts       bytea NOT NULL,
    leaves      bytea NOT NULL,
    CONSTRAINT audit_seals_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT audit_seals_number UNIQUE (creator_id, number)
);
CREATE INDEX audit_seals_by_place ON audit_seals (creator_id, below_id);
-- Ids, salts and hashes cannot be made smaller: nothing is gained by trying.
ALTER TABLE audit_seals
    ALTER ids SET STORAGE EXTERNAL,
    ALTER salts SET STORAGE EXTERNAL,
    ALTER leaves SET STORAGE EXTERNAL;

CREATE TABLE audit_checks (
    creator_id   uuid NOT NULL,
    id           uuid NOT NULL,
    checked_at   timestamptz NOT NULL,
    last_seal    bigint NOT NULL,
    row_count    bigint NOT NULL,
    unsealed     bigint NOT NULL,
    fault_count  bigint NOT NULL,
    faults       jsonb NOT NULL,
    CONSTRAINT audit_checks_pk PRIMARY KEY (creator_id, id)
);
"""

ERASE = """
CREATE FUNCTION audit_erase_details(of_creator uuid, of_row uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    seal_id uuid;
    place integer;
    salt bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit:' || of_creator::text, 0));
    SELECT s.id, (position(uuid_send(of_row) IN s.ids) - 1) / 16 INTO seal_id, place
    FROM audit_seals s
    WHERE s.creator_id = of_creator AND s.below_id > of_row
      AND position(uuid_send(of_row) IN s.ids) % 16 = 1
    ORDER BY s.below_id LIMIT 1;
    IF seal_id IS NULL THEN
        RETURN false;
    END IF;
    SELECT substring(s.salts FROM place * 16 + 1 FOR 16) INTO salt
    FROM audit_seals s WHERE s.creator_id = of_creator AND s.id = seal_id;
    IF salt = decode(repeat('00', 16), 'hex') THEN
        RETURN true;
    END IF;
    UPDATE audit_log l
    SET details = jsonb_build_object(
        'erased', encode(sha256(salt || convert_to(l.details::text, 'UTF8')), 'hex'))
    WHERE l.creator_id = of_creator AND l.id = of_row;
    UPDATE audit_seals s
    SET salts = overlay(s.salts PLACING decode(repeat('00', 16), 'hex') FROM place * 16 + 1)
    WHERE s.creator_id = of_creator AND s.id = seal_id;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION audit_erase_details(uuid, uuid) FROM PUBLIC;
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(SEALS)
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar()
    connection.exec_driver_sql(ERASE.replace("{schema}", str(schema)))


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP FUNCTION audit_erase_details(uuid, uuid);
        DROP TABLE audit_checks;
        DROP TABLE audit_seals;
        """
    )
