-- Views of trading for people: alerts, trades, days and accounts. They read as people ask: the newest, or one day's.

CREATE VIEW alert_story AS
SELECT alert.id AS alert_id, alert.received_at, hook.name AS hook, alert.action, alert.root,
       short_account(account.name) AS account, alert.verdict, signal.verdict AS signal_verdict,
       job.state AS job_state, main.role, main.side, main.type, contract.name AS contract, main.quantity,
       main.state AS order_state, main.filled_quantity,
       fills.price AS fill_price, fills.guarded_by,
       coalesce(main.reason, signal.reason, alert.reason,
                CASE WHEN job.state <> 'succeeded' THEN substring(job.error FROM '([^\n]+)\n*$') END) AS reason,
       alert.sent_at, job.started_at, signal.decided_at, main.submitted_at, main.accepted_at, fills.filled_at,
       fills.guarded_at,
       milliseconds_between(alert.sent_at, alert.received_at) AS sent_to_received_ms,
       milliseconds_between(alert.received_at, signal.decided_at) AS received_to_decided_ms,
       milliseconds_between(signal.decided_at, main.submitted_at) AS decided_to_submitted_ms,
       milliseconds_between(main.submitted_at, main.accepted_at) AS submitted_to_accepted_ms,
       milliseconds_between(main.accepted_at, fills.filled_at) AS accepted_to_filled_ms,
       milliseconds_between(fills.filled_at, fills.guarded_at) AS filled_to_guarded_ms,
       milliseconds_between(alert.received_at, fills.filled_at) AS received_to_filled_ms,
       milliseconds_between(alert.received_at, fills.guarded_at) AS received_to_guarded_ms,
       coalesce(main.order_count, 0) AS order_count, account.id AS account_id, signal.id AS signal_id,
       main.id AS order_id, one.job_id
FROM alert
JOIN hook ON hook.id = alert.hook_id
-- The account of the hook; the followers that had a job, which is kept for two weeks, or have a signal.
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (account_id) account_id, job_id FROM (
        SELECT hook.account_id, alert.job_id
        UNION ALL
        SELECT (arguments ->> 'account_id')::bigint, id FROM job
        WHERE correlation_id = alert.job_id AND name = 'alerts.handle_follower_alert'
        UNION ALL
        SELECT account_id, NULL FROM signal WHERE alert_id = alert.id
    ) AS known ORDER BY account_id, job_id NULLS LAST
) AS one
JOIN account ON account.id = one.account_id
LEFT JOIN job ON job.id = one.job_id
-- There is at most one; with the limit its index is used, whatever the statistics say.
LEFT JOIN LATERAL (
    SELECT id, contract_id, verdict, reason, decided_at FROM signal
    WHERE alert_id = alert.id AND account_id = one.account_id LIMIT 1
) AS signal ON true
-- Its entry, or else what it closed first; a reversal has an exit and an entry.
LEFT JOIN LATERAL (
    SELECT id, contract_id, role, side, type, quantity, state, filled_quantity, reason, submitted_at, accepted_at,
           count(*) OVER () AS order_count
    FROM orders
    WHERE correlation_id = alert.job_id AND account_id = one.account_id AND role IN ('ENTRY', 'EXIT')
    ORDER BY role = 'ENTRY' DESC, filled_quantity > 0 DESC, id LIMIT 1
) AS main ON true
LEFT JOIN contract ON contract.id = coalesce(main.contract_id, signal.contract_id)
LEFT JOIN LATERAL (
    SELECT min(recorded_at) AS filled_at, trim_scale(round(sum(price * quantity) / sum(quantity), 10)) AS price,
           CASE WHEN bool_and(guarded_at IS NOT NULL) THEN max(guarded_at) END AS guarded_at,
           CASE WHEN bool_and(guarded_at IS NOT NULL) THEN (array_agg(guarded_by ORDER BY guarded_at DESC))[1] END
               AS guarded_by
    FROM fill WHERE order_id = main.id AND NOT is_voided
) AS fills ON true;

CREATE VIEW trade AS
SELECT trading_day_at(closed_market_at) AS trading_day, short_account(account.name) AS account,
       contract.name AS contract, contract.root, direction, quantity, entry_price, exit_price, gross,
       fees + commissions AS costs, net, mae, mfe,
       opened_market_at, closed_market_at,
       CASE WHEN NOT has_unknown_entry THEN closed_market_at - opened_market_at END AS held_for,
       coalesce(strategy, origin, 'unknown') AS strategy, has_unknown_entry, account_id, contract_id, entry_order_id,
       opening_fill_id, part
FROM round_trip JOIN account ON account.id = account_id JOIN contract ON contract.id = contract_id;

CREATE VIEW daily_pnl AS
SELECT day.trading_day, short_account(account.name) AS account, trade_count, win_count, loss_count, gross, costs, net,
       opening_balance, closing_balance, moved, closing_balance - opening_balance - moved AS balance_result, is_ended,
       account_id
FROM (
    SELECT account_id, trading_day, sum(trade_count) AS trade_count, sum(win_count) AS win_count,
           sum(loss_count) AS loss_count, sum(gross) AS gross, sum(costs) AS costs, sum(net) AS net,
           max(opening_balance) AS opening_balance, max(closing_balance) AS closing_balance, max(moved) AS moved,
           bool_or(is_ended) AS is_ended
    FROM (
        SELECT account_id, trading_day_at(closed_market_at) AS trading_day, 1 AS trade_count,
               (net > 0)::integer AS win_count, (net < 0)::integer AS loss_count, gross, fees + commissions AS costs,
               net, NULL::numeric AS opening_balance, NULL::numeric AS closing_balance, NULL::numeric AS moved,
               false AS is_ended
        FROM round_trip
        UNION ALL
        SELECT account_id, trading_day, 0, 0, 0, 0, 0, 0, opening_balance, closing_balance, moved, true
        FROM account_day
        UNION ALL
        SELECT id, trading_day, 0, 0, 0, 0, 0, 0, day_opening_balance, balance, moved_today, false FROM account
        WHERE trading_day IS NOT NULL
          AND NOT EXISTS (SELECT FROM account_day AS ended
                          WHERE ended.account_id = account.id AND ended.trading_day = account.trading_day)
    ) AS part GROUP BY account_id, trading_day
) AS day JOIN account ON account.id = day.account_id;
