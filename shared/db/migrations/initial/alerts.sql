-- The tables of alerts: webhooks and their secrets, the API tokens with which programs request jobs, the alerts received,
-- and the signals made from them.

CREATE TABLE hook (
    id uuid NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    previous_token_hash bytea,
    previous_token_until timestamptz,
    account_id bigint NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    paused_at timestamptz,
    removed_at timestamptz,
    CONSTRAINT pk_hook PRIMARY KEY (id),
    CONSTRAINT uq_hook_name UNIQUE (name),
    CONSTRAINT uq_hook_token_hash UNIQUE (token_hash),
    CONSTRAINT uq_hook_previous_token_hash UNIQUE (previous_token_hash),
    CONSTRAINT ck_hook_previous_token CHECK ((previous_token_hash IS NULL) = (previous_token_until IS NULL)),
    CONSTRAINT fk_hook_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE hook_follower (
    hook_id uuid NOT NULL,
    account_id bigint NOT NULL,
    ratio numeric DEFAULT 1 NOT NULL,
    unfollowed_at timestamptz,
    CONSTRAINT pk_hook_follower PRIMARY KEY (hook_id, account_id),
    CONSTRAINT ck_hook_follower_ratio CHECK (ratio > 0 AND ratio <= 100),
    CONSTRAINT fk_hook_follower_hook_id FOREIGN KEY (hook_id) REFERENCES hook (id),
    CONSTRAINT fk_hook_follower_account_id FOREIGN KEY (account_id) REFERENCES account (id)
);

CREATE TABLE hook_secret (
    id uuid NOT NULL,
    hook_id uuid NOT NULL,
    scheme text NOT NULL,
    secret bytea NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    CONSTRAINT pk_hook_secret PRIMARY KEY (id),
    CONSTRAINT fk_hook_secret_hook_id FOREIGN KEY (hook_id) REFERENCES hook (id),
    CONSTRAINT ck_hook_secret_scheme CHECK (scheme IN ('standard-webhooks','github','stripe'))
);

CREATE INDEX ix_hook_secret_hook_id ON hook_secret (hook_id);

-- Receivers keep the hooks and the traded contracts in memory, and read them again when one has changed.
CREATE FUNCTION notify_receivers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('receiver_cache', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER hook_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON hook
    FOR EACH STATEMENT EXECUTE FUNCTION notify_receivers();

CREATE TRIGGER hook_secret_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON hook_secret
    FOR EACH STATEMENT EXECUTE FUNCTION notify_receivers();

CREATE TRIGGER traded_contracts_changed AFTER INSERT OR UPDATE OF is_tracked, is_active OR DELETE OR TRUNCATE ON contract
    FOR EACH STATEMENT EXECUTE FUNCTION notify_receivers();

CREATE TABLE api_token (
    id uuid NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    job_names text[] NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at timestamptz,
    CONSTRAINT pk_api_token PRIMARY KEY (id),
    CONSTRAINT uq_api_token_name UNIQUE (name),
    CONSTRAINT uq_api_token_token_hash UNIQUE (token_hash)
);

CREATE TABLE alert (
    id uuid NOT NULL,
    hook_id uuid NOT NULL,
    received_at timestamptz DEFAULT now() NOT NULL,
    body bytea NOT NULL,
    payload jsonb,
    dialect text DEFAULT 'tickwork' NOT NULL,
    action text,
    root text,
    sent_at timestamptz,
    external_id text,
    verdict text NOT NULL,
    reason text,
    job_id uuid,
    CONSTRAINT pk_alert PRIMARY KEY (id),
    CONSTRAINT ck_alert_verdict CHECK (verdict IN ('accepted','refused')),
    CONSTRAINT fk_alert_hook_id FOREIGN KEY (hook_id) REFERENCES hook (id)
);

CREATE INDEX ix_alert_hook_id_received_at ON alert (hook_id, received_at);

CREATE INDEX ix_alert_received_at ON alert (received_at);

CREATE INDEX ix_alert_hook_id_root_id ON alert (hook_id, root, id) WHERE verdict = 'accepted';

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
    figures jsonb,
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
