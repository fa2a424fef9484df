-- The tables of metrics: calls to the venue, and rollups and gauges by minute, hour and day.

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
    CONSTRAINT pk_api_call PRIMARY KEY (called_at, id)
) PARTITION BY RANGE (called_at);

-- Takes the calls of a day that has no partition, so that no insert fails.
CREATE TABLE api_call_default PARTITION OF api_call DEFAULT;

-- Both run as the owner of the tables, which the programs are not, and give up at once where they would wait for a
-- lock: what waits for one makes every later query wait.
CREATE FUNCTION add_api_call_day(day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    partition text := 'api_call_' || to_char(day, 'YYYYMMDD');
    starts_at timestamptz := day::timestamp AT TIME ZONE 'UTC';
    ends_at timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    columns text := 'id, endpoint, method, called_at, duration_ms, status, error, job_id, queue';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE api_call INCLUDING ALL) WITH (autovacuum_analyze_scale_factor = 0.05)',
                   partition);
    LOCK TABLE api_call IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE api_call_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM api_call_default WHERE called_at >= $1 AND called_at < $2 RETURNING %2$s)'
        ' INSERT INTO %1$I (%2$s) SELECT %2$s FROM moved', partition, columns) USING starts_at, ends_at;
    EXECUTE format('ALTER TABLE api_call ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition, starts_at, ends_at);
    RETURN true;
END $$;

CREATE FUNCTION drop_api_call_day(kept interval) RETURNS date LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    partition text;
    day date;
BEGIN
    SELECT relname, to_date(right(relname, 8), 'YYYYMMDD') INTO partition, day
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = 'api_call'::regclass AND relname <> 'api_call_default'
    ORDER BY relname LIMIT 1;
    IF partition IS NULL OR (day + 1)::timestamp AT TIME ZONE 'UTC' > now() - kept THEN
        RETURN NULL;
    END IF;
    EXECUTE format('DROP TABLE %I', partition);
    RETURN day;
END $$;

REVOKE EXECUTE ON FUNCTION add_api_call_day, drop_api_call_day FROM PUBLIC;

SELECT add_api_call_day((now() AT TIME ZONE 'UTC')::date + ahead) FROM generate_series(0, 2) AS ahead;

-- A histogram has two arrays: the buckets that occur, and how many durations each has. Each bucket is 2 % wider than the
-- one before, so a percentile is right within 1 %, and histograms are merged by putting their arrays together.
-- What has no duration is in none of them: greatest() would take an empty value for the shortest.
CREATE FUNCTION bucket_of(ms numeric) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ms IS NOT NULL THEN
        least(ceil(ln(greatest(ms, 0.01)::double precision / 0.01) / ln(1.02::double precision)), 1500)::integer
    END
$$;

-- The middle of a bucket, from which no duration in it is more than 1 % away.
CREATE FUNCTION bucket_ms(bucket integer) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round((0.01 * 1.02::double precision ^ bucket / 1.01)::numeric, 4)
$$;

-- The duration that a share of all did not exceed; empty without any.
CREATE FUNCTION percentile_of(buckets integer[], counts bigint[], share numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT bucket_ms(bucket) FROM (
        SELECT bucket, sum(sum(count)) OVER (ORDER BY bucket) AS up_to, sum(sum(count)) OVER () AS total
        FROM unnest(buckets, counts) AS one(bucket, count) GROUP BY bucket
    ) AS cumulated
    WHERE up_to >= share * total ORDER BY bucket LIMIT 1
$$;

CREATE TABLE metric_rollup (
    span text NOT NULL,
    period_start_at timestamptz NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    error_count bigint NOT NULL,
    total_ms numeric NOT NULL,
    max_ms numeric,
    buckets integer[] NOT NULL,
    counts bigint[] NOT NULL,
    CONSTRAINT pk_metric_rollup PRIMARY KEY (span, period_start_at, kind, name),
    CONSTRAINT ck_metric_rollup_span CHECK (span IN ('minute','hour','day')),
    CONSTRAINT ck_metric_rollup_kind CHECK (kind IN ('api','job','wait','strategy','bars','order','alert'))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE TABLE gauge_rollup (
    span text NOT NULL,
    period_start_at timestamptz NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    total numeric NOT NULL,
    min numeric NOT NULL,
    max numeric NOT NULL,
    CONSTRAINT pk_gauge_rollup PRIMARY KEY (span, period_start_at, kind, source, name),
    CONSTRAINT ck_gauge_rollup_span CHECK (span IN ('minute','hour','day')),
    CONSTRAINT ck_gauge_rollup_kind CHECK (kind IN ('host','program','feed','monitor','budget')),
    CONSTRAINT ck_gauge_rollup_count CHECK (count > 0)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE TABLE metric_progress (
    is_only boolean DEFAULT true NOT NULL,
    rolled_up_until_at timestamptz NOT NULL,
    CONSTRAINT pk_metric_progress PRIMARY KEY (is_only),
    CONSTRAINT ck_metric_progress_one_row CHECK (is_only)
);

CREATE TABLE trace_progress (
    is_only boolean DEFAULT true NOT NULL,
    exported_until_at timestamptz NOT NULL,
    CONSTRAINT pk_trace_progress PRIMARY KEY (is_only),
    CONSTRAINT ck_trace_progress_one_row CHECK (is_only)
);
