"""Who is told of what happens here, and what they are to be told.

`event_endpoints` is a reference table, so that one statement finds the endpoints of a creator and
those of all creators beside the rows of any creator.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EVENTS = """
-- `creator_id` is the nil UUID for an endpoint that hears of all creators. `number` stands in the
-- ids of its deliveries and is never given twice. The secret is kept as it is, for it signs.
CREATE TABLE event_endpoints (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    number           integer NOT NULL,
    url              text NOT NULL,
    secret           text NOT NULL,
    kinds            text[] NOT NULL,
    include_text     boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    created_by       uuid,
    disabled_at      timestamptz,
    disabled_reason  text,
    CONSTRAINT event_endpoints_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT event_endpoints_number_unique UNIQUE (number),
    CONSTRAINT event_endpoints_number_range CHECK (number BETWEEN 1 AND 65535),
    CONSTRAINT event_endpoints_disabled_why
        CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

-- One row for each endpoint that an event goes to, written with the event. `next_attempt_at` is
-- also how long an attempt that is under way holds the row.
CREATE TABLE event_deliveries (
    creator_id       uuid NOT NULL,
    id               uuid NOT NULL,
    event_id         uuid NOT NULL,
    endpoint_id      uuid NOT NULL,
    kind             text NOT NULL,
    payload          jsonb NOT NULL,
    status           text NOT NULL,
    attempts         integer NOT NULL,
    next_attempt_at  timestamptz NOT NULL,
    last_error       text,
    created_at       timestamptz NOT NULL,
    delivered_at     timestamptz,
    CONSTRAINT event_deliveries_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT event_deliveries_once UNIQUE (creator_id, event_id, endpoint_id),
    CONSTRAINT event_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'dead')),
    CONSTRAINT event_deliveries_delivered_when
        CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
);
-- Both hold only what is not over or went wrong, and so stay small.
CREATE INDEX event_deliveries_due ON event_deliveries (creator_id, next_attempt_at)
    WHERE status = 'pending';
CREATE INDEX event_deliveries_dead ON event_deliveries (creator_id, id DESC)
    WHERE status = 'dead';
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(EVENTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE event_deliveries; DROP TABLE event_endpoints;")
