-- The tables of orders and their changes, of fills, positions, and flatten requests.

CREATE TABLE orders (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    client_order_id text,
    venue_order_id bigint,
    parent_id uuid,
    signal_id uuid,
    origin text NOT NULL,
    role text NOT NULL,
    side text NOT NULL,
    type text NOT NULL,
    quantity integer NOT NULL,
    stop_loss_ticks integer,
    take_profit_ticks integer,
    limit_price numeric,
    stop_price numeric,
    trail_price numeric,
    breakeven_ticks integer,
    trail_ticks integer,
    target_position integer,
    state text NOT NULL,
    reason text,
    filled_quantity integer DEFAULT 0 NOT NULL,
    average_fill_price numeric,
    correlation_id uuid NOT NULL,
    expires_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    submitted_at timestamptz,
    submitted_market_at timestamptz,
    accepted_at timestamptz,
    in_doubt_at timestamptz,
    changed_market_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT uq_orders_account_id_client_order_id UNIQUE (account_id, client_order_id),
    CONSTRAINT uq_orders_account_id_venue_order_id UNIQUE (account_id, venue_order_id),
    CONSTRAINT ck_orders_quantity CHECK (quantity > 0),
    CONSTRAINT ck_orders_breakeven_ticks CHECK (breakeven_ticks > 0),
    CONSTRAINT ck_orders_trail_ticks CHECK (trail_ticks > 0),
    CONSTRAINT ck_orders_state CHECK (state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING','FILLED','CANCELLED','EXPIRED','REJECTED','DENIED','SHADOW')),
    CONSTRAINT fk_orders_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_orders_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id),
    CONSTRAINT fk_orders_parent_id FOREIGN KEY (parent_id) REFERENCES orders (id),
    CONSTRAINT fk_orders_signal_id FOREIGN KEY (signal_id) REFERENCES signal (id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX ix_orders_account_id_created_at ON orders (account_id, created_at);

CREATE INDEX ix_orders_correlation ON orders (correlation_id);

CREATE INDEX ix_orders_created_at ON orders (created_at);

CREATE INDEX ix_orders_filled ON orders (account_id, updated_at) WHERE filled_quantity > 0;

CREATE INDEX ix_orders_open ON orders (account_id, state) WHERE state IN ('CREATED','SUBMITTING','IN_DOUBT','SUSPENDED','WORKING');

CREATE INDEX ix_orders_rejected ON orders (updated_at) WHERE state = 'REJECTED';

CREATE INDEX ix_orders_parent_id ON orders (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE order_change (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    quantity integer,
    limit_price numeric,
    stop_price numeric,
    state text NOT NULL,
    origin text NOT NULL,
    reason text,
    outcome text,
    sent_count integer DEFAULT 0 NOT NULL,
    correlation_id uuid NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    submitted_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT pk_order_change PRIMARY KEY (id),
    CONSTRAINT ck_order_change_kind CHECK (kind IN ('CANCEL','MODIFY')),
    CONSTRAINT ck_order_change_state CHECK (state IN ('CREATED','SUBMITTING','IN_DOUBT','DONE','TOO_LATE','REJECTED')),
    CONSTRAINT fk_order_change_order_id FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE INDEX ix_order_change_open ON order_change (order_id) WHERE state IN ('CREATED','SUBMITTING','IN_DOUBT');

CREATE INDEX ix_order_change_order_id ON order_change (order_id);

CREATE TABLE entry_reversal (
    request_id uuid NOT NULL,
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    side text NOT NULL,
    quantity_closing integer NOT NULL,
    quantity_opening integer NOT NULL,
    quantity_offset integer DEFAULT 0 NOT NULL,
    unconfirmed_ids uuid[] DEFAULT '{}' NOT NULL,
    unconfirmed_filled integer DEFAULT 0 NOT NULL,
    closes_all boolean NOT NULL,
    requested_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_entry_reversal PRIMARY KEY (request_id, account_id),
    CONSTRAINT ck_entry_reversal_quantity_offset CHECK (quantity_offset >= 0),
    CONSTRAINT ck_entry_reversal_quantity_opening CHECK (quantity_opening >= 0),
    CONSTRAINT fk_entry_reversal_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE entry_approval (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    origin text NOT NULL,
    alert_id uuid,
    strategy text,
    reason text,
    side text NOT NULL,
    type text NOT NULL,
    quantity integer NOT NULL,
    risk numeric,
    target_position integer,
    limit_price numeric,
    stop_price numeric,
    trail_price numeric,
    stop_loss_ticks integer,
    take_profit_ticks integer,
    stop_loss numeric,
    take_profit numeric,
    breakeven_ticks integer,
    trail_ticks integer,
    correlation_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    asked_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    state text DEFAULT 'WAITING' NOT NULL,
    decided_at timestamptz,
    decided_by text,
    decision_reason text,
    outcome text,
    order_id uuid,
    closed_first integer DEFAULT 0 NOT NULL,
    CONSTRAINT pk_entry_approval PRIMARY KEY (id),
    CONSTRAINT ck_entry_approval_quantity CHECK (quantity > 0),
    CONSTRAINT ck_entry_approval_state CHECK (state IN ('WAITING','APPROVED','ORDERED','DENIED','EXPIRED','REJECTED','LAPSED')),
    CONSTRAINT ck_entry_approval_decided_at CHECK ((state = 'WAITING') = (decided_at IS NULL)),
    CONSTRAINT ck_entry_approval_order_id CHECK (CASE WHEN order_id IS NULL THEN state <> 'ORDERED' ELSE state IN ('ORDERED','DENIED') END),
    CONSTRAINT fk_entry_approval_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_entry_approval_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id),
    CONSTRAINT fk_entry_approval_alert_id FOREIGN KEY (alert_id) REFERENCES alert (id),
    CONSTRAINT fk_entry_approval_order_id FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE INDEX ix_entry_approval_waiting ON entry_approval (account_id) WHERE state = 'WAITING';

CREATE UNIQUE INDEX uq_entry_approval_alert_id ON entry_approval (alert_id, account_id) WHERE alert_id IS NOT NULL;

CREATE TABLE flatten_request (
    id uuid NOT NULL,
    account_id bigint NOT NULL,
    contract_id text,
    origin text NOT NULL,
    reason text NOT NULL,
    sweep_count integer DEFAULT 0 NOT NULL,
    progress text,
    correlation_id uuid NOT NULL,
    requested_at timestamptz DEFAULT now() NOT NULL,
    swept_at timestamptz,
    flat_at timestamptz,
    dropped_at timestamptz,
    CONSTRAINT pk_flatten_request PRIMARY KEY (id),
    CONSTRAINT fk_flatten_request_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_flatten_request_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE INDEX ix_flatten_request_correlation_id ON flatten_request (correlation_id);

CREATE INDEX ix_flatten_request_open ON flatten_request (account_id) WHERE flat_at IS NULL AND dropped_at IS NULL;

CREATE TABLE contract_close (
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    sent_at timestamptz DEFAULT now() NOT NULL,
    ended_at timestamptz,
    sent_market_at timestamptz NOT NULL,
    side text,
    origin text NOT NULL,
    correlation_id uuid NOT NULL,
    CONSTRAINT pk_contract_close PRIMARY KEY (account_id, contract_id)
);

CREATE TABLE fill (
    account_id bigint NOT NULL,
    venue_fill_id bigint NOT NULL,
    order_id uuid,
    venue_order_id bigint NOT NULL,
    contract_id text NOT NULL,
    side text NOT NULL,
    quantity integer NOT NULL,
    price numeric NOT NULL,
    gross_pnl numeric,
    fees numeric NOT NULL,
    commissions numeric NOT NULL,
    is_voided boolean DEFAULT false NOT NULL,
    filled_market_at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT now() NOT NULL,
    guarded_at timestamptz,
    guarded_by text,
    CONSTRAINT pk_fill PRIMARY KEY (account_id, venue_fill_id),
    CONSTRAINT ck_fill_quantity CHECK (quantity > 0),
    CONSTRAINT fk_fill_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_fill_order_id FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT fk_fill_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX ix_fill_account_id_contract_id ON fill (account_id, contract_id, venue_fill_id);

CREATE INDEX ix_fill_account_id_filled_market_at ON fill (account_id, filled_market_at);

CREATE INDEX ix_fill_account_id_venue_order_id ON fill (account_id, venue_order_id);

CREATE INDEX ix_fill_in_order ON fill (account_id, contract_id, filled_market_at, venue_fill_id);

CREATE INDEX ix_fill_order_id ON fill (order_id);

CREATE INDEX ix_fill_recorded_at ON fill (recorded_at);

CREATE INDEX ix_fill_unguarded ON fill (account_id, contract_id) WHERE guarded_at IS NULL;

CREATE TABLE position (
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    direction text NOT NULL,
    quantity integer NOT NULL,
    average_price numeric,
    opened_market_at timestamptz,
    opened_by_fill_id bigint,
    baseline_quantity integer DEFAULT 0 NOT NULL,
    baseline_price numeric,
    baseline_until_fill_id bigint DEFAULT 0 NOT NULL,
    baseline_until_market_at timestamptz,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_position PRIMARY KEY (account_id, contract_id),
    CONSTRAINT ck_position_direction CHECK (direction IN ('LONG','SHORT','FLAT')),
    CONSTRAINT ck_position_flat CHECK ((direction = 'FLAT') = (quantity = 0)),
    CONSTRAINT fk_position_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_position_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Every allowed transition of an order's state; shared/domain/orders/order.py has the same table.
CREATE TABLE order_transition (source text, target text, CONSTRAINT pk_order_transition PRIMARY KEY (source, target));

INSERT INTO order_transition VALUES
    ('CREATED', 'SUBMITTING'), ('CREATED', 'WORKING'), ('CREATED', 'FILLED'), ('CREATED', 'CANCELLED'), ('CREATED', 'EXPIRED'), ('CREATED', 'REJECTED'), ('CREATED', 'DENIED'),
    ('SUBMITTING', 'CREATED'), ('SUBMITTING', 'IN_DOUBT'), ('SUBMITTING', 'WORKING'), ('SUBMITTING', 'FILLED'), ('SUBMITTING', 'CANCELLED'), ('SUBMITTING', 'EXPIRED'), ('SUBMITTING', 'REJECTED'),
    ('IN_DOUBT', 'CREATED'), ('IN_DOUBT', 'WORKING'), ('IN_DOUBT', 'FILLED'), ('IN_DOUBT', 'CANCELLED'), ('IN_DOUBT', 'EXPIRED'), ('IN_DOUBT', 'REJECTED'),
    ('SUSPENDED', 'WORKING'), ('SUSPENDED', 'FILLED'), ('SUSPENDED', 'CANCELLED'), ('SUSPENDED', 'EXPIRED'), ('SUSPENDED', 'REJECTED'),
    ('WORKING', 'SUSPENDED'), ('WORKING', 'FILLED'), ('WORKING', 'CANCELLED'), ('WORKING', 'EXPIRED'), ('WORKING', 'REJECTED'),
    ('EXPIRED', 'WORKING'), ('EXPIRED', 'FILLED'), ('EXPIRED', 'CANCELLED'), ('EXPIRED', 'REJECTED');

CREATE FUNCTION check_order_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM order_transition WHERE source = OLD.state AND target = NEW.state) THEN
        RAISE EXCEPTION 'order % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', HINT = 'SELECT * FROM order_transition shows every move there is';
    END IF;
    -- The first state that only the venue gives, of an order that we were to send.
    IF NEW.accepted_at IS NULL AND NEW.venue_order_id IS NOT NULL
       AND NEW.state IN ('WORKING', 'SUSPENDED', 'FILLED', 'CANCELLED', 'EXPIRED')
       AND (OLD.state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT') OR (OLD.state = 'EXPIRED' AND OLD.submitted_at IS NOT NULL))
    THEN
        NEW.accepted_at := now();
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER order_transition BEFORE UPDATE OF state ON orders
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_order_transition();
