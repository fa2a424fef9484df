-- The tables of metrics: calls to the venue, and rollups by minute.

CREATE TABLE api_call (
    id BIGSERIAL NOT NULL,
    endpoint text NOT NULL,
    method text NOT NULL,
    called_at timestamptz NOT NULL,
    duration_ms numeric NOT NULL,
    status integer,
    error text,
    job_id uuid,
    queue text,
    success boolean GENERATED ALWAYS AS (error IS NULL) STORED NOT NULL,
    CONSTRAINT pk_api_call PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX ix_api_call_called_at ON api_call (called_at);

CREATE TABLE metric_rollup (
    period_start_at timestamptz NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    error_count bigint NOT NULL,
    p50_ms numeric,
    p95_ms numeric,
    max_ms numeric,
    CONSTRAINT pk_metric_rollup PRIMARY KEY (period_start_at, kind, name),
    CONSTRAINT ck_metric_rollup_kind CHECK (kind IN ('api','job'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
