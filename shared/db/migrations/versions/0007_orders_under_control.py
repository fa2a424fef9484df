"""Let orders change and be cancelled by rows, flatten durably, prove each stop, and keep what each account may do."""

from alembic import op

revision = "0007"
down_revision = "0006"

_MOVES = """
    CREATED SUBMITTING, CREATED WORKING, CREATED FILLED, CREATED CANCELLED, CREATED EXPIRED, CREATED REJECTED,
    CREATED DENIED,
    SUBMITTING CREATED, SUBMITTING IN_DOUBT, SUBMITTING WORKING, SUBMITTING FILLED, SUBMITTING CANCELLED,
    SUBMITTING EXPIRED, SUBMITTING REJECTED,
    IN_DOUBT CREATED, IN_DOUBT WORKING, IN_DOUBT FILLED, IN_DOUBT CANCELLED, IN_DOUBT EXPIRED, IN_DOUBT REJECTED,
    SUSPENDED WORKING, SUSPENDED FILLED, SUSPENDED CANCELLED, SUSPENDED EXPIRED, SUSPENDED REJECTED,
    WORKING SUSPENDED, WORKING FILLED, WORKING CANCELLED, WORKING EXPIRED, WORKING REJECTED,
    EXPIRED WORKING, EXPIRED FILLED, EXPIRED CANCELLED, EXPIRED REJECTED
"""


def upgrade() -> None:
    op.execute("CREATE TABLE order_transition (source text, target text, CONSTRAINT pk_order_transition PRIMARY KEY (source, target))")
    for move in _MOVES.replace("\n", " ").split(","):
        source, target = move.split()
        op.execute(f"INSERT INTO order_transition VALUES ('{source}', '{target}')")
    op.execute("""
        CREATE FUNCTION check_order_transition() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM order_transition WHERE source = OLD.state AND target = NEW.state) THEN
                RAISE EXCEPTION 'order % cannot go from % to %', OLD.id, OLD.state, NEW.state
                    USING ERRCODE = 'check_violation', HINT = 'SELECT * FROM order_transition shows every move there is';
            END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER order_transition BEFORE UPDATE OF state ON orders
        FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_order_transition()
    """)
    op.execute("""
        ALTER TABLE orders
            ADD COLUMN trail_price numeric,
            ADD COLUMN breakeven_ticks integer CHECK (breakeven_ticks > 0),
            ADD COLUMN trail_ticks integer CHECK (trail_ticks > 0)
    """)
    op.execute("CREATE INDEX ix_orders_account_id_intended_at ON orders (account_id, intended_at)")
    op.execute("CREATE INDEX ix_orders_parent_id ON orders (parent_id) WHERE parent_id IS NOT NULL")
    op.execute("""
        CREATE TABLE order_change (
            id uuid CONSTRAINT pk_order_change PRIMARY KEY,
            order_id uuid NOT NULL CONSTRAINT fk_order_change_order_id REFERENCES orders (id),
            kind text NOT NULL CONSTRAINT ck_order_change_kind CHECK (kind IN ('CANCEL', 'MODIFY')),
            quantity integer, limit_price numeric, stop_price numeric,
            state text NOT NULL CONSTRAINT ck_order_change_state
                CHECK (state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'DONE', 'TOO_LATE', 'REJECTED')),
            origin text NOT NULL,
            reason text,
            outcome text,
            sent_count integer NOT NULL DEFAULT 0,
            correlation_id uuid NOT NULL,
            intended_at timestamptz NOT NULL DEFAULT now(),
            submitted_at timestamptz,
            settled_at timestamptz
        )
    """)
    op.execute("CREATE INDEX ix_order_change_order_id ON order_change (order_id)")
    op.execute("""
        CREATE TABLE flattening (
            id uuid CONSTRAINT pk_flattening PRIMARY KEY,
            account_id bigint NOT NULL CONSTRAINT fk_flattening_account_id REFERENCES account (id),
            contract_id text CONSTRAINT fk_flattening_contract_id REFERENCES contract (id),
            origin text NOT NULL,
            reason text NOT NULL,
            sweep_count integer NOT NULL DEFAULT 0,
            progress text,
            correlation_id uuid NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT now(),
            flat_at timestamptz
        )
    """)
    op.execute("CREATE INDEX ix_flattening_open ON flattening (account_id) WHERE flat_at IS NULL")
    op.execute("ALTER TABLE fill ADD COLUMN guarded_at timestamptz, ADD COLUMN guarded_by text")
    op.execute("UPDATE fill SET guarded_at = recorded_at, guarded_by = 'before stops were proven'")
    op.execute("CREATE INDEX ix_fill_unguarded ON fill (account_id, contract_id) WHERE guarded_at IS NULL")
    op.execute("CREATE INDEX ix_fill_account_id_contract_id ON fill (account_id, contract_id, venue_fill_id)")
    op.execute("""
        ALTER TABLE position
            ADD COLUMN carried_quantity integer NOT NULL DEFAULT 0,
            ADD COLUMN carried_price numeric,
            ADD COLUMN carried_until_fill_id bigint NOT NULL DEFAULT 0
    """)
    op.execute("""
        ALTER TABLE account
            ADD COLUMN reported_at timestamptz,
            ADD COLUMN first_seen_at timestamptz,
            ADD COLUMN live_orders boolean NOT NULL DEFAULT false,
            ADD COLUMN live_since_at timestamptz,
            ADD COLUMN rules text,
            ADD COLUMN rule_changes jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN default_stop_ticks integer CHECK (default_stop_ticks > 0),
            ADD COLUMN trading_day date,
            ADD COLUMN day_opening_balance numeric,
            ADD COLUMN highest_close numeric,
            ADD COLUMN breached_market_at timestamptz,
            ADD COLUMN locked_on date,
            ADD COLUMN cut_on date,
            ADD COLUMN block_reason text
    """)
    op.execute("UPDATE account SET first_seen_at = reconciled_at")
    op.execute("""
        CREATE TABLE account_day (
            account_id bigint CONSTRAINT fk_account_day_account_id REFERENCES account (id),
            trading_day date,
            opening_balance numeric NOT NULL,
            closing_balance numeric NOT NULL,
            floor numeric,
            closed_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT pk_account_day PRIMARY KEY (account_id, trading_day)
        )
    """)
    op.execute("""
        CREATE TABLE account_event (
            id uuid CONSTRAINT pk_account_event PRIMARY KEY,
            account_id bigint NOT NULL CONSTRAINT fk_account_event_account_id REFERENCES account (id),
            kind text NOT NULL,
            message text NOT NULL,
            happened_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX ix_account_event_account_id_happened_at ON account_event (account_id, happened_at)")
    op.execute("""
        CREATE TABLE hook_follower (
            hook_id uuid CONSTRAINT fk_hook_copy_hook_id REFERENCES hook (id),
            account_id bigint CONSTRAINT fk_hook_copy_account_id REFERENCES account (id),
            CONSTRAINT pk_hook_copy PRIMARY KEY (hook_id, account_id)
        )
    """)
    op.execute("DROP INDEX uq_signal_alert_id")
    # What must be known before an order leaves, in one round trip; each statement in here sees what the lock waited for.
    op.execute("""
        CREATE FUNCTION submit_order(wanted uuid, machine_now timestamptz, market_now timestamptz) RETURNS text
        LANGUAGE plpgsql AS $$
        DECLARE
            it orders;
            obstacle text;
            halt record;
        BEGIN
            SELECT * INTO it FROM orders WHERE id = wanted;
            IF it.role = 'ENTRY' THEN
                SELECT halted_at, halt_reason INTO halt FROM account WHERE id = it.account_id FOR SHARE;
                IF halt.halted_at IS NOT NULL THEN
                    obstacle := 'the account is halted: ' || coalesce(halt.halt_reason, 'no reason was kept');
                ELSIF EXISTS (
                    SELECT FROM flattening WHERE account_id = it.account_id AND flat_at IS NULL
                    AND (contract_id IS NULL OR contract_id = it.contract_id)
                ) THEN
                    obstacle := 'the account is being flattened';
                END IF;
                IF obstacle IS NOT NULL THEN
                    UPDATE orders SET state = 'DENIED', reason = obstacle, updated_at = now()
                    WHERE id = wanted AND state = 'CREATED';
                    RETURN obstacle;
                END IF;
            END IF;
            UPDATE orders SET state = 'SUBMITTING', updated_at = now(), submitted_at = machine_now,
                   submitted_market_at = coalesce(submitted_market_at, market_now)
            WHERE id = wanted AND state = 'CREATED';
            RETURN CASE WHEN FOUND THEN 'submitting' ELSE 'moved' END;
        END $$
    """)
    op.execute("CREATE UNIQUE INDEX uq_signal_alert_id ON signal (alert_id, account_id) WHERE alert_id IS NOT NULL")
