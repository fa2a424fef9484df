-- The tables of strategies: the accounts that trade one, and its decisions.

CREATE TABLE strategy_run (
    strategy text NOT NULL,
    contract_id text NOT NULL,
    closed_until_market_at timestamptz NOT NULL,
    decision text NOT NULL,
    reason text NOT NULL,
    signal_id uuid,
    duration_ms numeric NOT NULL,
    evaluated_at timestamptz DEFAULT now() NOT NULL,
    account_id bigint,
    bars_corrected_at timestamptz,
    bars_source text,
    bars_read_ms numeric,
    bars_gap_minutes integer,
    CONSTRAINT ck_strategy_run_decision CHECK (decision IN ('BUY','SELL','none')),
    CONSTRAINT ck_strategy_run_bars_source CHECK (bars_source IN ('memory','redis','postgres')),
    CONSTRAINT uq_strategy_run_evaluation UNIQUE NULLS NOT DISTINCT (strategy, contract_id, closed_until_market_at, account_id),
    CONSTRAINT fk_strategy_run_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id),
    CONSTRAINT fk_strategy_run_signal_id FOREIGN KEY (signal_id) REFERENCES signal (id),
    CONSTRAINT fk_strategy_run_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE INDEX ix_strategy_run_contract ON strategy_run (contract_id, closed_until_market_at);

CREATE INDEX ix_strategy_run_evaluated_at ON strategy_run (evaluated_at);

CREATE INDEX ix_strategy_run_newest ON strategy_run (strategy, account_id, evaluated_at);

CREATE TABLE strategy_account (
    strategy text NOT NULL,
    account_id bigint NOT NULL,
    is_on boolean NOT NULL,
    switched_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_strategy_account PRIMARY KEY (strategy, account_id),
    CONSTRAINT fk_strategy_account_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);
