-- The tables of the ledger: workers, jobs, their keys, queues, the schedule and its slots.

-- Of all subjects: a small table whose rows change each second has room on its pages (fillfactor), so that a row stays in
-- its place and no index is written; it cleans its pages itself, and a vacuum every minute would only wake the computer.
-- A table that grows is vacuumed after a twentieth of it has changed, `job` after a fiftieth: without that its oldest due
-- jobs lie behind the dead entries of those that ran. No update of a job's state can stay in place, as indexes have it.

CREATE TABLE worker (
    id uuid NOT NULL,
    fleet text NOT NULL,
    host text NOT NULL,
    process_id integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz DEFAULT now() NOT NULL,
    seen_at timestamptz DEFAULT now() NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_worker PRIMARY KEY (id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX ix_worker_started_at ON worker (started_at);

CREATE TABLE job (
    id uuid NOT NULL,
    name text NOT NULL,
    queue text NOT NULL,
    arguments jsonb NOT NULL,
    state text DEFAULT 'queued' NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    max_attempts integer NOT NULL,
    deadline interval,
    run_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz,
    sequence_key text,
    sequence_id uuid NOT NULL,
    lease_until timestamptz,
    claim_id uuid,
    worker_id uuid,
    process_id integer,
    cancel_requested_at timestamptz,
    enqueued_at timestamptz DEFAULT now() NOT NULL,
    published_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    result jsonb,
    error text,
    failing_since timestamptz,
    schedule text,
    parent_id uuid,
    correlation_id uuid NOT NULL,
    CONSTRAINT pk_job PRIMARY KEY (id),
    CONSTRAINT ck_job_state CHECK (state IN ('queued','running','succeeded','failed','dead','cancelled','expired')),
    CONSTRAINT ck_job_queue CHECK (queue IN ('critical','high','normal','low','background'))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.02);

CREATE INDEX ix_job_correlation ON job (correlation_id);

CREATE INDEX ix_job_due ON job (queue, run_at, id) WHERE state = 'queued';

CREATE INDEX ix_job_ended_badly ON job (state, id) WHERE state IN ('failed','dead','cancelled','expired');

CREATE INDEX ix_job_expiring ON job (expires_at) WHERE state = 'queued' AND expires_at IS NOT NULL;

CREATE INDEX ix_job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX ix_job_name ON job (name, id) WHERE finished_at IS NOT NULL;

CREATE INDEX ix_job_running ON job (worker_id) WHERE state = 'running';

CREATE INDEX ix_job_schedule ON job (schedule) WHERE schedule IS NOT NULL AND state = 'queued';

CREATE INDEX ix_job_sequence_key ON job (sequence_key, sequence_id) WHERE sequence_key IS NOT NULL AND state IN ('queued','running');

CREATE UNIQUE INDEX uq_job_sequence_key_running ON job (sequence_key) WHERE sequence_key IS NOT NULL AND state = 'running';

CREATE TABLE job_key (
    idempotency_key text NOT NULL,
    job_id uuid NOT NULL,
    kept_until timestamptz NOT NULL,
    CONSTRAINT pk_job_key PRIMARY KEY (idempotency_key)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX ix_job_key_kept_until ON job_key (kept_until);

CREATE TABLE queue_state (
    queue text NOT NULL,
    queued integer DEFAULT 0 NOT NULL,
    counted_at timestamptz,
    republished_count bigint DEFAULT 0 NOT NULL,
    canary_requested_at timestamptz,
    canary_done_at timestamptz,
    canary_wait interval,
    CONSTRAINT pk_queue_state PRIMARY KEY (queue)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE schedule (
    name text NOT NULL,
    job_name text NOT NULL,
    arguments jsonb DEFAULT '{}'::jsonb NOT NULL,
    clock text NOT NULL,
    every interval NOT NULL,
    missed text DEFAULT 'run_once' NOT NULL,
    only_when_open boolean DEFAULT false NOT NULL,
    is_enabled boolean DEFAULT true NOT NULL,
    last_slot timestamptz,
    ran_at timestamptz,
    last_job_id uuid,
    defaults jsonb,
    stepped_back_at timestamptz,
    stepped_back_by interval,
    CONSTRAINT pk_schedule PRIMARY KEY (name),
    CONSTRAINT ck_schedule_clock CHECK (clock IN ('machine','market')),
    CONSTRAINT ck_schedule_missed CHECK (missed IN ('skip','run_once','catch_up')),
    CONSTRAINT ck_schedule_every CHECK (every >= interval '1 second')
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE schedule_slot (
    name text NOT NULL,
    slot timestamptz NOT NULL,
    outcome text NOT NULL,
    job_id uuid,
    recorded_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_schedule_slot PRIMARY KEY (name, slot),
    CONSTRAINT ck_schedule_slot_outcome CHECK (outcome IN ('enqueued','skipped'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX ix_schedule_slot_recorded_at ON schedule_slot (recorded_at);

CREATE TABLE disk_space (
    host text NOT NULL,
    path text NOT NULL,
    free_bytes bigint NOT NULL,
    checked_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_disk_space PRIMARY KEY (host, path)
);

-- The time for which a worker certainly still holds a claim, empty if it holds none. A claim that seems to come from the
-- future, as after a step back of the clock, gives none.
CREATE FUNCTION lease_left(wanted uuid, claim uuid, lease interval) RETURNS interval LANGUAGE sql AS $$
    SELECT greatest(lease_until, CASE WHEN seen_at <= clock_timestamp() THEN seen_at + lease END) - clock_timestamp()
    FROM job LEFT JOIN worker ON worker.id = job.worker_id
    WHERE job.id = wanted AND claim_id = claim AND state = 'running' AND job.started_at <= clock_timestamp()
$$;

INSERT INTO queue_state (queue) SELECT unnest('{critical,high,normal,low,background}'::text[]);
