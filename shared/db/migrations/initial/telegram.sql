-- The tables of the Telegram bot: how far it has read, its users, its answers, and the flattens that it follows.

CREATE TABLE telegram_bot (
    bot_id bigint NOT NULL,
    next_update_id bigint,
    updated_at timestamptz,
    polled_at timestamptz,
    failing_since_at timestamptz,
    error text,
    ignored_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_telegram_bot PRIMARY KEY (bot_id)
);

CREATE TABLE telegram_user (
    name text NOT NULL,
    telegram_id bigint,
    totp_secret text NOT NULL,
    used_step bigint,
    pairing_hash bytea,
    pairing_expires_at timestamptz,
    paired_at timestamptz,
    failed_count integer DEFAULT 0 NOT NULL,
    locked_until_at timestamptz,
    pending_act text,
    pending_reason text,
    pending_until_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_telegram_user PRIMARY KEY (name),
    CONSTRAINT uq_telegram_user_telegram_id UNIQUE (telegram_id),
    CONSTRAINT ck_telegram_user_pending_act CHECK (pending_act IN ('halt','flatten')),
    CONSTRAINT ck_telegram_user_pending_until_at CHECK ((pending_act IS NULL) = (pending_until_at IS NULL))
);

CREATE TABLE telegram_answer (
    id BIGSERIAL NOT NULL,
    telegram_id bigint NOT NULL,
    text text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_telegram_answer PRIMARY KEY (id)
);

CREATE TABLE telegram_flatten (
    id uuid NOT NULL,
    telegram_id bigint NOT NULL,
    flatten_request_ids uuid[] NOT NULL,
    until_at timestamptz NOT NULL,
    requested_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_telegram_flatten PRIMARY KEY (id)
);
