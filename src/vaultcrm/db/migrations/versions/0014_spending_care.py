"""What fans pay, one row a payment, and for whom offers stop.

A bought message has its own id for its payment, so that it is counted once however it is told of.
What was bought before is taken over; tips of before were only ever added up.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PAYMENTS = """
CREATE TABLE fan_payments (
    creator_id    uuid NOT NULL,
    id            uuid NOT NULL,
    fan_id        uuid NOT NULL,
    kind          text NOT NULL,
    amount_minor  bigint NOT NULL,
    currency      text NOT NULL,
    paid_at       timestamptz NOT NULL,
    CONSTRAINT fan_payments_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT fan_payments_fan_fk FOREIGN KEY (creator_id, fan_id)
        REFERENCES fans (creator_id, id),
    CONSTRAINT fan_payments_kind_known CHECK (kind IN ('purchase', 'tip', 'subscription')),
    CONSTRAINT fan_payments_positive CHECK (amount_minor > 0)
);
CREATE INDEX fan_payments_of_fan ON fan_payments (creator_id, fan_id, paid_at)
    INCLUDE (amount_minor, currency);
CREATE INDEX fan_payments_by_time ON fan_payments (creator_id, paid_at)
    INCLUDE (fan_id, amount_minor, currency);

INSERT INTO fan_payments (creator_id, id, fan_id, kind, amount_minor, currency, paid_at)
SELECT m.creator_id, m.id, c.fan_id, 'purchase', m.price_minor, m.currency, m.purchased_at
FROM messages m
JOIN conversations c ON c.creator_id = m.creator_id AND c.id = m.conversation_id
WHERE m.purchased_at IS NOT NULL AND m.price_minor > 0;
"""

CARE = """
-- Only fans for whom somebody, or a cap, has stopped offers or let them go on; `id` is the fan's.
CREATE TABLE fan_spending_care (
    creator_id         uuid NOT NULL,
    id                 uuid NOT NULL,
    cooling_off_until  timestamptz,
    lifted_until       timestamptz,
    reason             text NOT NULL,
    changed_by         uuid,
    changed_at         timestamptz NOT NULL,
    CONSTRAINT fan_spending_care_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT fan_spending_care_fan_fk FOREIGN KEY (creator_id, id)
        REFERENCES fans (creator_id, id)
);
CREATE INDEX fan_spending_care_cooling ON fan_spending_care (creator_id, cooling_off_until)
    WHERE cooling_off_until IS NOT NULL;
"""

OFFERS = """
CREATE INDEX messages_offers ON messages (creator_id, conversation_id, sent_at)
    WHERE price_minor IS NOT NULL;
CREATE INDEX messages_offers_by_time ON messages (creator_id, sent_at)
    WHERE price_minor IS NOT NULL;
CREATE INDEX outbox_offers ON outbox (creator_id, conversation_id)
    WHERE price_minor IS NOT NULL AND delivery_status IN ('pending', 'sending', 'uncertain');
"""


def upgrade() -> None:
    for part in (PAYMENTS, CARE, OFFERS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX outbox_offers;
        DROP INDEX messages_offers_by_time;
        DROP INDEX messages_offers;
        DROP TABLE fan_spending_care;
        DROP TABLE fan_payments;
        """
    )
