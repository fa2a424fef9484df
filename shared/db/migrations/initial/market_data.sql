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

-- For people: closed bars in prices.
CREATE VIEW bars AS
SELECT contract_id AS contract, '1m'::text AS timeframe, start,
       open_ticks * tick_size AS open, high_ticks * tick_size AS high,
       low_ticks * tick_size AS low, close_ticks * tick_size AS close, volume
FROM bar_minute JOIN contract ON contract.id = contract_id;
