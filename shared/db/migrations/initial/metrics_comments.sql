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
COMMENT ON COLUMN api_call.queue IS 'The queue of that job, and critical of the feed; empty: not known.';
COMMENT ON COLUMN api_call.success IS 'Whether it succeeded.';

COMMENT ON TABLE metric_rollup IS
    'Calls, jobs, waits, evaluations, bars read and steps of orders, summed up by minute (kept for 7 days), hour (400 '
    'days) and day (for good).';
COMMENT ON COLUMN metric_rollup.span IS 'minute, hour or day, in UTC.';
COMMENT ON COLUMN metric_rollup.period_start_at IS 'The beginning of the minute, hour or day.';
COMMENT ON COLUMN metric_rollup.kind IS
    'api: calls to the venue; job: ended jobs; wait: of due jobs for a worker; strategy: evaluations; bars: reads of '
    'bars; order: steps of entries and exits; alert: from the receipt to the order sent.';
COMMENT ON COLUMN metric_rollup.name IS
    'The endpoint, the name of the job, its queue, the strategy, the tier that the bars came from, or the step.';
COMMENT ON COLUMN metric_rollup.count IS 'How many.';
COMMENT ON COLUMN metric_rollup.error_count IS
    'How many of them failed; of waits: expired, of bars: with gaps, of orders: rejected, of alerts: refused.';
COMMENT ON COLUMN metric_rollup.total_ms IS 'The sum of their durations in milliseconds.';
COMMENT ON COLUMN metric_rollup.max_ms IS 'The longest duration in milliseconds; empty: no duration is known.';
COMMENT ON COLUMN metric_rollup.buckets IS
    'The buckets of the histogram that occur; bucket_ms(bucket) is a duration in milliseconds, right within 1 %.';
COMMENT ON COLUMN metric_rollup.counts IS
    'How many durations each of these buckets has; percentile_of(buckets, counts, 0.95) is a percentile.';

COMMENT ON TABLE gauge_rollup IS
    'Figures that are read again and again, summed up by minute (kept for 7 days), hour (400 days) and day (for good). '
    'total / count is the mean.';
COMMENT ON COLUMN gauge_rollup.span IS 'minute, hour or day, in UTC.';
COMMENT ON COLUMN gauge_rollup.period_start_at IS 'The beginning of the minute, hour or day, in machine time.';
COMMENT ON COLUMN gauge_rollup.kind IS
    'host: a computer; program: a program with its child processes; feed: prices of an open market; monitor: the risk '
    'monitor; budget: requests that the venue allows.';
COMMENT ON COLUMN gauge_rollup.source IS
    'Of host its name, of program HOST/PROGRAM, of feed the contract, of monitor risk-monitor, of budget bars or other.';
COMMENT ON COLUMN gauge_rollup.name IS
    'What was read, with its unit. host: cpu_percent, memory_percent, load_1m, disk_free_mb; program: cpu_percent (of '
    'one core), memory_mb (resident, MiB), processes, uptime_s; feed: price_age_ms; monitor: round_delay_ms; budget: '
    'left_percent.';
COMMENT ON COLUMN gauge_rollup.count IS 'How often it was read.';
COMMENT ON COLUMN gauge_rollup.total IS
    'The sum of the values, in the unit of the name: percent, MiB, seconds (s) or milliseconds (ms).';
COMMENT ON COLUMN gauge_rollup.min IS
    'The least value, in the unit of the name: percent, MiB, seconds (s) or milliseconds (ms).';
COMMENT ON COLUMN gauge_rollup.max IS
    'The greatest value, in the unit of the name: percent, MiB, seconds (s) or milliseconds (ms).';

COMMENT ON TABLE metric_progress IS 'Up to when everything was summed up; one row.';
COMMENT ON COLUMN metric_progress.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN metric_progress.rolled_up_until_at IS
    'The end of the newest minute that was summed up. The minutes of the last half hour are summed up again every ten minutes.';

COMMENT ON TABLE trace_progress IS 'Up to when the trace exporter has sent what ended; one row, none while it never ran.';
COMMENT ON COLUMN trace_progress.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN trace_progress.exported_until_at IS 'What ended by then was sent, in machine time.';
