"""Keep round trips, flat to flat, and note in the same transaction which fills are not yet booked into them."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE round_trip (
            account_id bigint NOT NULL CONSTRAINT fk_round_trip_account_id REFERENCES account (id),
            contract_id text NOT NULL CONSTRAINT fk_round_trip_contract_id REFERENCES contract (id),
            opening_fill_id bigint NOT NULL,
            part integer NOT NULL,
            direction text NOT NULL CONSTRAINT ck_round_trip_direction CHECK (direction IN ('LONG','SHORT')),
            quantity integer NOT NULL CONSTRAINT ck_round_trip_quantity CHECK (quantity > 0),
            opened_market_at timestamptz NOT NULL,
            closed_market_at timestamptz NOT NULL,
            entry_price numeric NOT NULL,
            exit_price numeric NOT NULL,
            gross numeric NOT NULL,
            fees numeric NOT NULL,
            commissions numeric NOT NULL,
            net numeric NOT NULL GENERATED ALWAYS AS (gross - fees - commissions) STORED,
            fill_ids bigint[] NOT NULL,
            entry_order_id uuid CONSTRAINT fk_round_trip_entry_order_id REFERENCES orders (id),
            strategy text,
            origin text,
            is_carried_in boolean NOT NULL,
            lots jsonb NOT NULL,
            mae numeric,
            mfe numeric,
            booked_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_round_trip PRIMARY KEY (account_id, contract_id, opening_fill_id, part)
        )
    """)
    op.execute("CREATE INDEX ix_round_trip_closed_market_at ON round_trip (closed_market_at)")
    op.execute("CREATE INDEX ix_round_trip_unmeasured ON round_trip (closed_market_at) WHERE mae IS NULL")
    op.execute("CREATE INDEX ix_fill_in_order ON fill (account_id, contract_id, filled_market_at, venue_fill_id)")
    op.execute("""
        CREATE TABLE booking_due (
            id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_booking_due PRIMARY KEY,
            account_id bigint NOT NULL,
            contract_id text NOT NULL,
            filled_market_at timestamptz NOT NULL
        )
    """)
    op.execute("""
        INSERT INTO booking_due (account_id, contract_id, filled_market_at)
        SELECT account_id, contract_id, min(filled_market_at) FROM fill GROUP BY account_id, contract_id
    """)
    # A fill that came late, was voided or found its order repairs the past, whoever wrote it and when.
    op.execute("""
        CREATE FUNCTION note_booking_due() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO booking_due (account_id, contract_id, filled_market_at)
            VALUES (NEW.account_id, NEW.contract_id, NEW.filled_market_at);
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER fill_came AFTER INSERT ON fill FOR EACH ROW EXECUTE FUNCTION note_booking_due()
    """)
    op.execute("""
        CREATE TRIGGER fill_changed AFTER UPDATE ON fill FOR EACH ROW
        WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note_booking_due()
    """)
