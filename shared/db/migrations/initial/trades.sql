-- The tables of the trade history: round trips, and the fills that are not booked into them yet.

CREATE TABLE round_trip (
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    opening_fill_id bigint NOT NULL,
    part integer NOT NULL,
    direction text NOT NULL,
    quantity integer NOT NULL,
    opened_market_at timestamptz NOT NULL,
    closed_market_at timestamptz NOT NULL,
    entry_price numeric NOT NULL,
    exit_price numeric NOT NULL,
    gross numeric NOT NULL,
    fees numeric NOT NULL,
    commissions numeric NOT NULL,
    net numeric GENERATED ALWAYS AS (gross - fees - commissions) STORED NOT NULL,
    fill_ids bigint[] NOT NULL,
    entry_order_id uuid,
    strategy text,
    origin text,
    has_unknown_entry boolean NOT NULL,
    lots jsonb NOT NULL,
    mae numeric,
    mfe numeric,
    booked_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_round_trip PRIMARY KEY (account_id, contract_id, opening_fill_id, part),
    CONSTRAINT ck_round_trip_direction CHECK (direction IN ('LONG','SHORT')),
    CONSTRAINT ck_round_trip_quantity CHECK (quantity > 0),
    CONSTRAINT fk_round_trip_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_round_trip_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id),
    CONSTRAINT fk_round_trip_entry_order_id FOREIGN KEY (entry_order_id) REFERENCES orders (id)
);

CREATE INDEX ix_round_trip_closed_market_at ON round_trip (closed_market_at);

CREATE INDEX ix_round_trip_opened ON round_trip (account_id, contract_id, opened_market_at, opening_fill_id);

CREATE INDEX ix_round_trip_trading_day ON round_trip (trading_day_at(closed_market_at));

CREATE INDEX ix_round_trip_unmeasured ON round_trip (closed_market_at) WHERE mae IS NULL;

CREATE TABLE booking_due (
    id bigint GENERATED ALWAYS AS IDENTITY,
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    filled_market_at timestamptz NOT NULL,
    CONSTRAINT pk_booking_due PRIMARY KEY (id)
);

-- A fill that comes late, is voided or is linked to its order marks its contract to be booked again.
CREATE FUNCTION note_booking_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO booking_due (account_id, contract_id, filled_market_at)
    VALUES (NEW.account_id, NEW.contract_id, NEW.filled_market_at);
    RETURN NULL;
END $$;

CREATE TRIGGER fill_came AFTER INSERT ON fill FOR EACH ROW EXECUTE FUNCTION note_booking_due();

CREATE TRIGGER fill_changed AFTER UPDATE ON fill FOR EACH ROW
WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note_booking_due();
