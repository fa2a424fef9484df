-- The tables of notifications: what there is to tell, by which channel it was told, and what is wrong now.

CREATE TABLE notification (
    id BIGSERIAL NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    level text NOT NULL,
    text text NOT NULL,
    happened_at timestamptz NOT NULL,
    collected_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_notification PRIMARY KEY (id),
    CONSTRAINT uq_notification_key UNIQUE (key),
    CONSTRAINT ck_notification_level CHECK (level IN ('critical','warning','info'))
);

CREATE INDEX ix_notification_collected_at ON notification (collected_at);

CREATE TABLE notification_delivery (
    channel text NOT NULL,
    notification_id bigint NOT NULL,
    attempt_count integer DEFAULT 0 NOT NULL,
    first_attempt_at timestamptz,
    next_attempt_at timestamptz DEFAULT now() NOT NULL,
    sent_at timestamptz,
    given_up_at timestamptz,
    error text,
    CONSTRAINT pk_notification_delivery PRIMARY KEY (channel, notification_id),
    CONSTRAINT fk_notification_delivery_notification_id FOREIGN KEY (notification_id) REFERENCES notification (id)
        ON DELETE CASCADE
);

CREATE INDEX ix_notification_delivery_notification_id ON notification_delivery (notification_id);

CREATE INDEX ix_notification_delivery_waiting ON notification_delivery (channel, next_attempt_at)
    WHERE sent_at IS NULL AND given_up_at IS NULL;

CREATE TABLE watched_fault (
    name text NOT NULL,
    since_at timestamptz DEFAULT now() NOT NULL,
    notified_at timestamptz,
    CONSTRAINT pk_watched_fault PRIMARY KEY (name)
);

CREATE TABLE notification_progress (
    is_only boolean DEFAULT true NOT NULL,
    began_at timestamptz,
    collected_until_at timestamptz NOT NULL,
    CONSTRAINT pk_notification_progress PRIMARY KEY (is_only),
    CONSTRAINT ck_notification_progress_one_row CHECK (is_only)
);
