-- The comments of the tables of metrics.

COMMENT ON TABLE api_call IS 'A call to the venue, kept for 7 days in a partition for each; the view slow_endpoint sums them up.';
COMMENT ON COLUMN api_call.id IS 'A number in the order of insertion.';
COMMENT ON COLUMN api_call.endpoint IS 'The path, such as /api/Order/place.';
COMMENT ON COLUMN api_call.method IS 'GET or POST.';
COMMENT ON COLUMN api_call.called_at IS 'When the call began.';
COMMENT ON COLUMN api_call.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN api_call.status IS 'The HTTP status; empty: no answer.';
COMMENT ON COLUMN api_call.error IS 'What went wrong; empty: the call succeeded.';
COMMENT ON COLUMN api_call.job_id IS 'The job that made it; empty: no job, such as the feed.';
COMMENT ON COLUMN api_call.queue IS 'The queue of that job; empty: not known.';
COMMENT ON COLUMN api_call.success IS 'Whether it succeeded.';

COMMENT ON TABLE metric_rollup IS 'Calls and jobs of one minute, summed up; kept for 90 days.';
COMMENT ON COLUMN metric_rollup.period_start_at IS 'The beginning of the minute.';
COMMENT ON COLUMN metric_rollup.kind IS 'api: calls to the venue; job: ended jobs.';
COMMENT ON COLUMN metric_rollup.name IS 'The endpoint, or the name of the job.';
COMMENT ON COLUMN metric_rollup.count IS 'How many.';
COMMENT ON COLUMN metric_rollup.error_count IS 'How many of them failed.';
COMMENT ON COLUMN metric_rollup.p50_ms IS 'The median duration in milliseconds; empty: no duration is known.';
COMMENT ON COLUMN metric_rollup.p95_ms IS
    'The duration that 95 % did not exceed, in milliseconds; empty: no duration is known.';
COMMENT ON COLUMN metric_rollup.max_ms IS 'The longest duration in milliseconds; empty: no duration is known.';
