-- Views of the present for people: accounts, queues, dead jobs and slow calls. They read as people ask: what is now.

CREATE VIEW account_now AS
SELECT short_account(account.name) AS account,
       CASE WHEN halted_at IS NULL THEN 'TRADING' WHEN is_reduce_only THEN 'REDUCING' ELSE 'HALTED' END
           AS trading_state,
       array_remove(ARRAY[
           CASE WHEN halted_at IS NOT NULL AND NOT is_reduce_only
                THEN 'halted: ' || coalesce(halt_reason, 'no reason was kept') END,
           CASE WHEN is_reduce_only THEN 'reduce-only: ' || coalesce(halt_reason, 'no reason was kept') END,
           CASE WHEN NOT can_trade THEN 'the venue does not let it trade' END,
           CASE WHEN market.kind = 'live' AND NOT live_orders AND NOT is_shadow THEN 'live orders are off' END,
           CASE WHEN reconciled_at IS NULL THEN 'not reconciled with the venue yet' END,
           CASE WHEN breached_market_at IS NOT NULL THEN 'the max loss limit was reached' END,
           CASE WHEN locked_on = today THEN 'the daily loss limit was reached' END,
           CASE WHEN profit_locked_on = today THEN 'the daily profit target was reached' END,
           CASE WHEN week_locked_on = date_trunc('week', today::timestamp)::date
                THEN 'the weekly loss limit was reached' END,
           CASE WHEN locked_out_until_market_at > market.now THEN 'locked out by a person' END,
           CASE WHEN other_ordered_market_at > greatest(other_gone_market_at, market.now - interval '24 hours')
                THEN 'another installation trades it' END,
           CASE WHEN flattening.is_open THEN 'it is being flattened' END,
           CASE WHEN working.in_doubt_count > 0 THEN 'an order is in doubt' END,
           block_reason
       ], NULL) AS locks,
       is_shadow, is_approval_required, balance, reported_at,
       CASE WHEN trading_day < today THEN 0 ELSE balance - day_opening_balance - moved_today END AS pnl_today,
       CASE WHEN held.contract_count = 0 THEN 0 ELSE held.open_pnl END AS open_pnl, held.priced_market_at,
       coalesce(trades.trade_count, 0) AS trade_count_today, held.positions, held.contract_count,
       working.working_count AS working_order_count, working.open_count AS open_order_count, today AS trading_day,
       account.id AS account_id
FROM account
LEFT JOIN (SELECT kind, market_now() AS now FROM market_clock) AS market ON true
CROSS JOIN LATERAL (SELECT trading_day_at(coalesce(market.now, now())) AS today) AS calendar
CROSS JOIN LATERAL (
    SELECT coalesce(sum(quantity), 0) AS contract_count,
           string_agg(direction || ' ' || quantity || ' ' || contract.name, ', ' ORDER BY contract.name) AS positions,
           -- Empty if one of the positions has no price.
           CASE WHEN count(*) = count(price.close_ticks) AND count(*) = count(average_price) THEN round(sum(
               (price.close_ticks * tick_size - average_price) / tick_size * tick_value * quantity
               * CASE direction WHEN 'LONG' THEN 1 ELSE -1 END), 2) END AS open_pnl,
           min(price.start) + interval '1 minute' AS priced_market_at
    FROM position JOIN contract ON contract.id = contract_id
    LEFT JOIN LATERAL (
        SELECT close_ticks, start FROM bar_minute
        WHERE bar_minute.contract_id = position.contract_id AND start > market.now - interval '1 hour'
        ORDER BY start DESC LIMIT 1
    ) AS price ON true
    WHERE position.account_id = account.id AND direction <> 'FLAT'
) AS held
CROSS JOIN LATERAL (
    SELECT count(*) AS open_count, count(*) FILTER (WHERE state = 'WORKING') AS working_count,
           count(*) FILTER (WHERE state = 'IN_DOUBT') AS in_doubt_count
    FROM orders
    WHERE account_id = account.id AND state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'SUSPENDED', 'WORKING')
) AS working
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM flatten_request
                   WHERE account_id = account.id AND flat_at IS NULL AND dropped_at IS NULL) AS is_open
) AS flattening
CROSS JOIN LATERAL (
    SELECT count(*) AS trade_count FROM round_trip
    WHERE account_id = account.id AND trading_day_at(closed_market_at) = today
) AS trades;

CREATE VIEW queue_now AS
SELECT queue, coalesce(waiting.queued, 0) AS queued, coalesce(waiting.due, 0) AS due,
       coalesce(running.running, 0) AS running, coalesce(dead.dead, 0) AS dead,
       round(extract(epoch FROM now() - waiting.oldest_due_at), 1) AS oldest_due_s,
       round(extract(epoch FROM waiting.next_due_at - now()), 1) AS next_due_in_s,
       round(extract(epoch FROM now() - canary_done_at), 1) AS canary_age_s,
       round(extract(epoch FROM canary_wait) * 1000, 1) AS canary_wait_ms, republished_count
FROM queue_state
LEFT JOIN (
    SELECT queue, count(*) AS queued,
           count(*) FILTER (WHERE run_at <= now() AND (expires_at IS NULL OR expires_at > now())) AS due,
           min(run_at) FILTER (WHERE run_at <= now() AND (expires_at IS NULL OR expires_at > now())) AS oldest_due_at,
           min(run_at) FILTER (WHERE run_at > now()) AS next_due_at
    FROM job WHERE state = 'queued' GROUP BY queue
) AS waiting USING (queue)
LEFT JOIN (SELECT queue, count(*) AS running FROM job WHERE state = 'running' GROUP BY queue) AS running USING (queue)
LEFT JOIN (SELECT queue, count(*) AS dead FROM job WHERE state = 'dead' GROUP BY queue) AS dead USING (queue);

CREATE VIEW dead_job AS
SELECT id AS job_id, name, queue, attempt, max_attempts, substring(error FROM '([^\n]+)\n*$') AS cause, enqueued_at,
       failing_since, finished_at, arguments, parent_id, correlation_id, error
FROM job WHERE state = 'dead';

CREATE VIEW slow_endpoint AS
SELECT endpoint, count(*) AS call_count, count(*) FILTER (WHERE error IS NOT NULL) AS error_count,
       round(count(*) FILTER (WHERE error IS NOT NULL)::numeric / count(*), 4) AS error_rate,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms) AS p50_ms,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_ms) AS p95_ms, max(duration_ms) AS max_ms,
       (array_agg(error ORDER BY called_at DESC) FILTER (WHERE error IS NOT NULL))[1] AS last_error,
       max(called_at) FILTER (WHERE error IS NOT NULL) AS last_error_at
FROM api_call WHERE called_at > now() - interval '1 hour'
GROUP BY endpoint ORDER BY p95_ms DESC;
