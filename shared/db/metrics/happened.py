"""What is measured, as one statement: calls, jobs, waits, evaluations, reads of bars, steps of orders, and alerts."""

# With :start, :end, :probes (names of jobs) and :probe_hook. Probes are left out: they are deleted before their minutes
# are summed up for the last time.
ENDED = """
ended AS (
    SELECT name, queue, state, run_at, started_at, finished_at FROM job
    WHERE finished_at >= :start AND finished_at < :end AND name <> ALL(:probes) AND NOT EXISTS (
        SELECT 1 FROM alert WHERE hook_id = :probe_hook AND job_id = job.id
        AND received_at >= CAST(:start AS timestamptz) - interval '1 hour')
)
"""
# Each row has happened_at, kind, name, is_error and ms, which is NULL of a job that never started.
HAPPENED = """
SELECT called_at AS happened_at, 'api' AS kind, endpoint AS name, error IS NOT NULL AS is_error,
       duration_ms AS ms
FROM api_call WHERE called_at >= :start AND called_at < :end
UNION ALL
SELECT finished_at, 'job', name, state IN ('failed', 'dead'), milliseconds_between(started_at, finished_at)
FROM ended
UNION ALL
SELECT finished_at, 'wait', queue, state = 'expired',
       CASE WHEN started_at IS NOT NULL THEN greatest(milliseconds_between(run_at, started_at), 0) END
FROM ended
UNION ALL
SELECT evaluated_at, 'strategy', strategy, false, duration_ms
FROM strategy_run WHERE evaluated_at >= :start AND evaluated_at < :end
UNION ALL
SELECT evaluated_at, 'bars', bars_source, bars_gap_minutes > 0, bars_read_ms
FROM strategy_run WHERE evaluated_at >= :start AND evaluated_at < :end AND bars_source IS NOT NULL
UNION ALL
SELECT created_at, 'order', step, state = 'REJECTED', ms
FROM orders, LATERAL (VALUES
    ('decided_to_sent', milliseconds_between(created_at, submitted_at)),
    ('sent_to_acknowledged', milliseconds_between(submitted_at, accepted_at)),
    ('acknowledged_to_filled', CASE WHEN type = 'MARKET' THEN milliseconds_between(
        accepted_at, (SELECT min(recorded_at) FROM fill WHERE order_id = orders.id)) END)
) AS steps(step, ms)
WHERE created_at >= :start AND created_at < :end AND role IN ('ENTRY', 'EXIT') AND ms IS NOT NULL
UNION ALL
SELECT received_at, 'alert', 'received_to_sent', verdict = 'refused', milliseconds_between(
    received_at, (SELECT min(submitted_at) FROM orders WHERE correlation_id = alert.job_id))
FROM alert WHERE received_at >= :start AND received_at < :end AND hook_id <> :probe_hook
"""
