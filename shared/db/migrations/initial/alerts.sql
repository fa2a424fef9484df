-- The tables of alerts: webhooks, the alerts they received, and the signals made from them.

CREATE TABLE hook (
    id uuid NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    account_id bigint NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT pk_hook PRIMARY KEY (id),
    CONSTRAINT uq_hook_name UNIQUE (name),
    CONSTRAINT uq_hook_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_hook_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE hook_follower (
    hook_id uuid NOT NULL,
    account_id bigint NOT NULL,
    CONSTRAINT pk_hook_follower PRIMARY KEY (hook_id, account_id),
    CONSTRAINT fk_hook_follower_hook_id FOREIGN KEY (hook_id) REFERENCES hook (id),
    CONSTRAINT fk_hook_follower_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE alert (
    id uuid NOT NULL,
    hook_id uuid NOT NULL,
    received_at timestamptz DEFAULT now() NOT NULL,
    body bytea NOT NULL,
    payload jsonb,
    external_id text,
    verdict text NOT NULL,
    reason text,
    job_id uuid,
    CONSTRAINT pk_alert PRIMARY KEY (id),
    CONSTRAINT ck_alert_verdict CHECK (verdict IN ('accepted','refused')),
    CONSTRAINT fk_alert_hook_id FOREIGN KEY (hook_id) REFERENCES hook (id)
);

CREATE INDEX ix_alert_hook_id_received_at ON alert (hook_id, received_at);

CREATE TABLE signal (
    id uuid NOT NULL,
    origin text NOT NULL,
    alert_id uuid,
    strategy text,
    account_id bigint NOT NULL,
    contract_id text,
    action text NOT NULL,
    quantity integer,
    verdict text NOT NULL,
    reason text,
    correlation_id uuid NOT NULL,
    decided_at timestamptz DEFAULT now() NOT NULL,
    decided_market_at timestamptz NOT NULL,
    CONSTRAINT pk_signal PRIMARY KEY (id),
    CONSTRAINT ck_signal_verdict CHECK (verdict IN ('accepted','denied')),
    CONSTRAINT fk_signal_alert_id FOREIGN KEY (alert_id) REFERENCES alert (id),
    CONSTRAINT fk_signal_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_signal_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE UNIQUE INDEX uq_signal_alert_id ON signal (alert_id, account_id) WHERE alert_id IS NOT NULL;
