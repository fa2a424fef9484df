-- The tables of accounts: the venue's reports of them, their trading days and events.

CREATE TABLE account (
    id bigint NOT NULL,
    name text NOT NULL,
    balance numeric NOT NULL,
    can_trade boolean NOT NULL,
    is_simulated boolean,
    halted_at timestamptz,
    halt_reason text,
    is_reduce_only boolean DEFAULT false NOT NULL CONSTRAINT ck_account_is_reduce_only CHECK (halted_at IS NOT NULL OR NOT is_reduce_only),
    reconciled_at timestamptz,
    compared_until_at timestamptz,
    reported_at timestamptz,
    first_seen_at timestamptz,
    live_orders boolean DEFAULT false NOT NULL,
    live_since_at timestamptz,
    is_shadow boolean DEFAULT false NOT NULL,
    is_approval_required boolean DEFAULT false NOT NULL,
    preset text,
    first_preset text,
    rule_changes jsonb DEFAULT '{}' NOT NULL,
    default_stop_ticks integer CONSTRAINT ck_account_default_stop_ticks CHECK (default_stop_ticks > 0),
    trading_day date,
    day_opening_balance numeric,
    high_water_mark numeric,
    breached_market_at timestamptz,
    locked_on date,
    profit_locked_on date,
    week_locked_on date,
    marked_limits jsonb,
    locked_out_until_market_at timestamptz,
    unexplained_balance numeric,
    unsettled_since_at timestamptz,
    pending_balance numeric,
    pending_runs integer DEFAULT 0 NOT NULL,
    moved_today numeric DEFAULT 0 NOT NULL,
    last_paid_on date,
    losses_seen jsonb,
    losses_seen_at timestamptz,
    unpriced_runs integer DEFAULT 0 NOT NULL,
    block_reason text,
    other_installation text,
    other_ordered_market_at timestamptz,
    other_gone_market_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (id),
    CONSTRAINT ck_account_is_shadow CHECK (NOT (live_orders AND is_shadow))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE installation (
    is_only boolean DEFAULT true NOT NULL,
    id text NOT NULL,
    began_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_installation PRIMARY KEY (is_only),
    CONSTRAINT ck_installation_one_row CHECK (is_only)
);

INSERT INTO installation (id) VALUES (left(md5(gen_random_uuid()::text), 8));

CREATE TABLE account_day (
    account_id bigint NOT NULL,
    trading_day date NOT NULL,
    opening_balance numeric NOT NULL,
    closing_balance numeric NOT NULL,
    moved numeric DEFAULT 0 NOT NULL,
    closed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_account_day PRIMARY KEY (account_id, trading_day),
    CONSTRAINT fk_account_day_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE reduction (
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    trading_day date NOT NULL,
    target_position integer NOT NULL,
    correlation_id uuid NOT NULL,
    requested_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_reduction PRIMARY KEY (account_id, contract_id),
    CONSTRAINT fk_reduction_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE balance_move (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    trading_day date NOT NULL,
    amount numeric NOT NULL,
    origin text NOT NULL,
    recorded_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_balance_move PRIMARY KEY (id),
    CONSTRAINT ck_balance_move_origin CHECK (origin IN ('found','manual')),
    CONSTRAINT fk_balance_move_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE INDEX ix_balance_move_account_id_id ON balance_move (account_id, id);

CREATE TABLE risk_monitor (
    is_only boolean DEFAULT true NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    active_since_at timestamptz NOT NULL,
    ran_at timestamptz NOT NULL,
    run_count integer NOT NULL,
    last_delay interval NOT NULL,
    p50_delay interval NOT NULL,
    max_delay interval NOT NULL,
    CONSTRAINT pk_risk_monitor PRIMARY KEY (is_only),
    CONSTRAINT ck_risk_monitor_one_row CHECK (is_only)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE account_watch (
    account_id bigint NOT NULL,
    watched_at timestamptz NOT NULL,
    held text,
    CONSTRAINT pk_account_watch PRIMARY KEY (account_id),
    CONSTRAINT fk_account_watch_account_id FOREIGN KEY (account_id) REFERENCES account (id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE account_event (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    kind text NOT NULL,
    message text NOT NULL,
    happened_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_account_event PRIMARY KEY (id),
    CONSTRAINT fk_account_event_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE INDEX ix_account_event_account_id_happened_at ON account_event (account_id, happened_at);

CREATE INDEX ix_account_event_temporary ON account_event (happened_at)
    WHERE kind IN ('trail','unwatched','disk_low','receiver_unreachable','receiver_reachable');

CREATE TABLE audit (
    id uuid NOT NULL,
    happened_at timestamptz DEFAULT now() NOT NULL,
    who text NOT NULL,
    origin text NOT NULL,
    act text NOT NULL,
    account_id bigint,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    reason text,
    CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE INDEX ix_audit_account_id_id ON audit (account_id, id);

CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of the audit is kept as it is: record another act instead';
END $$;

CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION keep_audit();

CREATE TABLE account_snapshot (
    account_id bigint NOT NULL,
    taken_market_at timestamptz NOT NULL,
    balance numeric NOT NULL,
    can_trade boolean NOT NULL,
    CONSTRAINT pk_account_snapshot PRIMARY KEY (account_id, taken_market_at),
    CONSTRAINT fk_account_snapshot_account_id FOREIGN KEY (account_id) REFERENCES account (id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- An account's name as the commands show it: its first part and the last four digits, such as 50KTC-6001.
CREATE FUNCTION short_account(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN right(substring(name FROM '-(.*)'), 4) ~ '^[0-9]+$'
           THEN split_part(name, '-', 1) || '-' || right(substring(name FROM '-(.*)'), 4) ELSE name END
$$;
