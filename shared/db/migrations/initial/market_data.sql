-- The tables of the market: its clock, contracts and one-minute bars.

CREATE TABLE market_clock (
    is_only boolean DEFAULT true NOT NULL,
    market text NOT NULL,
    kind text NOT NULL,
    machine_origin_at timestamptz NOT NULL,
    market_origin_at timestamptz NOT NULL,
    speed integer NOT NULL,
    ends_market_at timestamptz,
    CONSTRAINT pk_market_clock PRIMARY KEY (is_only),
    CONSTRAINT ck_market_clock_one_row CHECK (is_only),
    CONSTRAINT ck_market_clock_kind CHECK (kind IN ('live','seeded','replay')),
    CONSTRAINT ck_market_clock_speed CHECK (speed >= 1)
);

CREATE TABLE contract (
    id text NOT NULL,
    name text NOT NULL,
    root text NOT NULL,
    tick_size numeric NOT NULL,
    tick_value numeric NOT NULL,
    is_active boolean NOT NULL,
    active_day date,
    is_tracked boolean DEFAULT false NOT NULL,
    coverage tstzmultirange DEFAULT '{}' NOT NULL,
    unconfirmed tstzmultirange DEFAULT '{}' NOT NULL,
    answered_market_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_contract PRIMARY KEY (id)
);

CREATE INDEX ix_contract_root ON contract (root);

CREATE TABLE bar_minute (
    contract_id text NOT NULL,
    start timestamptz NOT NULL,
    open_ticks bigint NOT NULL,
    high_ticks bigint NOT NULL,
    low_ticks bigint NOT NULL,
    close_ticks bigint NOT NULL,
    volume bigint NOT NULL,
    CONSTRAINT pk_bar_minute PRIMARY KEY (contract_id, start),
    CONSTRAINT fk_bar_minute_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE TABLE bar_correction (
    contract_id text NOT NULL,
    start timestamptz NOT NULL,
    corrected_at timestamptz DEFAULT now() NOT NULL,
    open_ticks bigint NOT NULL,
    high_ticks bigint NOT NULL,
    low_ticks bigint NOT NULL,
    close_ticks bigint NOT NULL,
    volume bigint NOT NULL,
    CONSTRAINT pk_bar_correction PRIMARY KEY (contract_id, start, corrected_at),
    CONSTRAINT fk_bar_correction_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE TABLE rejected_bar (
    contract_id text NOT NULL,
    record text NOT NULL,
    start timestamptz,
    reason text NOT NULL,
    first_seen_at timestamptz DEFAULT now() NOT NULL,
    last_seen_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_rejected_bar PRIMARY KEY (contract_id, record),
    CONSTRAINT fk_rejected_bar_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE INDEX ix_rejected_bar_last_seen_at ON rejected_bar (last_seen_at);

-- For people: closed bars in prices.
CREATE VIEW bars AS
SELECT contract_id AS contract, '1m'::text AS timeframe, start,
       open_ticks * tick_size AS open, high_ticks * tick_size AS high,
       low_ticks * tick_size AS low, close_ticks * tick_size AS close, volume
FROM bar_minute JOIN contract ON contract.id = contract_id;

-- The current market time, empty while the database has no market. In seconds: an interval of days would be as long as
-- the days of the session's time zone.
CREATE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT market_origin_at + interval '1 second' * (extract(epoch FROM now() - machine_origin_at) * speed)
    FROM market_clock
$$;

-- The firm's trading day at an instant of market time: it begins at 17:00 in Chicago, and a weekend belongs to Monday.
CREATE FUNCTION trading_day_at(market_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (market_at AT TIME ZONE 'America/Chicago' + interval '7 hours')::date + (ARRAY[0, 0, 0, 0, 0, 2, 1])[
        extract(isodow FROM market_at AT TIME ZONE 'America/Chicago' + interval '7 hours')::integer]
$$;

-- The instant of market time at which a trading day begins.
CREATE FUNCTION trading_day_begins(trading_day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (trading_day - 1 + time '17:00') AT TIME ZONE 'America/Chicago'
$$;

-- The milliseconds from one instant to another, empty if one of them is.
CREATE FUNCTION milliseconds_between(start timestamptz, "end" timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT round(extract(epoch FROM "end" - start) * 1000, 1) $$;
