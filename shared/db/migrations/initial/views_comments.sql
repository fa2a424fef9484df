-- The comments of the views for people.

COMMENT ON VIEW alert_story IS
    'Each alert on each of its accounts in one row: signal, order, acceptance, fill and guard, with what each '
    'step took.';
COMMENT ON COLUMN alert_story.alert_id IS 'The alert; ids are in the order of arrival.';
COMMENT ON COLUMN alert_story.received_at IS 'When it arrived.';
COMMENT ON COLUMN alert_story.hook IS 'The name of the webhook.';
COMMENT ON COLUMN alert_story.action IS 'What the alert asks for, as in alert.action; empty: it could not be read.';
COMMENT ON COLUMN alert_story.root IS 'The root of its symbol; empty: it could not be read.';
COMMENT ON COLUMN alert_story.account IS
    'The short name of the account, as the commands show it: that of the webhook, or a follower.';
COMMENT ON COLUMN alert_story.verdict IS 'accepted or refused, by the receiver.';
COMMENT ON COLUMN alert_story.signal_verdict IS
    'accepted or denied, by the pre-trade check of this account; empty: not decided, or not to be traded.';
COMMENT ON COLUMN alert_story.job_state IS
    'State of the job that handles it for this account; empty: refused, or older than two weeks.';
COMMENT ON COLUMN alert_story.role IS 'ENTRY or EXIT: the entry, or else the order that closed first; empty: no order.';
COMMENT ON COLUMN alert_story.side IS 'BUY or SELL; empty: no order.';
COMMENT ON COLUMN alert_story.type IS 'Type of the order; empty: no order.';
COMMENT ON COLUMN alert_story.contract IS 'The venue''s name of the contract; empty: none.';
COMMENT ON COLUMN alert_story.quantity IS 'Contracts ordered; empty: no order.';
COMMENT ON COLUMN alert_story.order_state IS 'State of the order; empty: no order.';
COMMENT ON COLUMN alert_story.filled_quantity IS 'Contracts filled; empty: no order.';
COMMENT ON COLUMN alert_story.fill_price IS 'Average price of the fills; empty: not filled.';
COMMENT ON COLUMN alert_story.guarded_by IS
    'How it was proven that what is held is protected; empty: not all fills are.';
COMMENT ON COLUMN alert_story.reason IS 'Why it was refused, denied, changed or failed; empty: nothing to add.';
COMMENT ON COLUMN alert_story.sent_at IS 'When it was sent, by the sender''s clock; empty: the message does not say.';
COMMENT ON COLUMN alert_story.started_at IS 'When the last attempt of its job started; empty: not started, or no job.';
COMMENT ON COLUMN alert_story.decided_at IS 'When the signal was decided; empty: no signal.';
COMMENT ON COLUMN alert_story.submitted_at IS
    'When the last call to the venue began; empty: not sent, or a close by the venue.';
COMMENT ON COLUMN alert_story.accepted_at IS
    'When the venue''s acceptance was recorded; empty: not accepted, or a close by the venue.';
COMMENT ON COLUMN alert_story.filled_at IS 'When the first fill was recorded; empty: not filled.';
COMMENT ON COLUMN alert_story.guarded_at IS 'When all fills were proven protected; empty: not yet, or not filled.';
COMMENT ON COLUMN alert_story.sent_to_received_ms IS
    'Milliseconds by two clocks, that of the sender and ours; empty: a step is missing.';
COMMENT ON COLUMN alert_story.received_to_decided_ms IS 'Milliseconds; empty: a step is missing.';
COMMENT ON COLUMN alert_story.decided_to_submitted_ms IS 'Milliseconds; empty: a step is missing.';
COMMENT ON COLUMN alert_story.submitted_to_accepted_ms IS
    'Milliseconds, most of them of the venue; empty: a step is missing.';
COMMENT ON COLUMN alert_story.accepted_to_filled_ms IS
    'Milliseconds, below zero if the fill was recorded first; empty: a step is missing.';
COMMENT ON COLUMN alert_story.filled_to_guarded_ms IS
    'Milliseconds from the first fill until all were protected; empty: a step is missing.';
COMMENT ON COLUMN alert_story.received_to_filled_ms IS 'Milliseconds; empty: a step is missing.';
COMMENT ON COLUMN alert_story.received_to_guarded_ms IS 'Milliseconds; empty: a step is missing.';
COMMENT ON COLUMN alert_story.order_count IS 'How many entries and exits the alert caused on the account.';
COMMENT ON COLUMN alert_story.account_id IS 'The account.';
COMMENT ON COLUMN alert_story.signal_id IS 'The signal; empty: none.';
COMMENT ON COLUMN alert_story.order_id IS 'The order; empty: none.';
COMMENT ON COLUMN alert_story.job_id IS 'The job for this account; empty: refused, or no longer known.';

COMMENT ON VIEW trade IS 'Each round trip, flat to flat, with names and results.';
COMMENT ON COLUMN trade.trading_day IS 'The trading day on which it was closed.';
COMMENT ON COLUMN trade.account IS 'The short name of the account, as the commands show it, such as 50KTC-6001.';
COMMENT ON COLUMN trade.contract IS 'The venue''s name of the contract.';
COMMENT ON COLUMN trade.root IS 'The root, such as MNQ.';
COMMENT ON COLUMN trade.direction IS 'LONG or SHORT.';
COMMENT ON COLUMN trade.quantity IS 'The most contracts held at once.';
COMMENT ON COLUMN trade.entry_price IS 'Average price of the entries.';
COMMENT ON COLUMN trade.exit_price IS 'Average price of the exits.';
COMMENT ON COLUMN trade.gross IS 'P&L in dollars before fees and commissions.';
COMMENT ON COLUMN trade.costs IS 'Fees and commissions in dollars.';
COMMENT ON COLUMN trade.net IS 'P&L in dollars after fees and commissions.';
COMMENT ON COLUMN trade.mae IS
    'The worst open result in dollars, at most 0, by whole minutes, so prices from just before the entry or after the '
    'exit may count; empty: bars are missing.';
COMMENT ON COLUMN trade.mfe IS 'The best open result in dollars, at least 0, by whole minutes; empty: bars are missing.';
COMMENT ON COLUMN trade.opened_market_at IS 'When it was opened.';
COMMENT ON COLUMN trade.closed_market_at IS 'When it was flat again.';
COMMENT ON COLUMN trade.held_for IS
    'How long it was held, in market time; empty: part of it was held before the first known fill.';
COMMENT ON COLUMN trade.strategy IS
    'The strategy, or what else entered (alert, manual, external); unknown if that is not known.';
COMMENT ON COLUMN trade.has_unknown_entry IS
    'Whether part of it was held before the first known fill; the entry price then follows from the venue''s '
    'result.';
COMMENT ON COLUMN trade.account_id IS 'The account.';
COMMENT ON COLUMN trade.contract_id IS 'The contract.';
COMMENT ON COLUMN trade.entry_order_id IS 'The order that opened it; empty: not known.';
COMMENT ON COLUMN trade.opening_fill_id IS 'The venue''s id of the fill that opened it.';
COMMENT ON COLUMN trade.part IS '1 if that fill first closed another round trip (a reversal), else 0.';

COMMENT ON VIEW daily_pnl IS
    'The result of each trading day of each account, by its round trips and by the venue''s balance.';
COMMENT ON COLUMN daily_pnl.trading_day IS 'The trading day, from 17:00 in Chicago on the evening before.';
COMMENT ON COLUMN daily_pnl.account IS 'The short name of the account, as the commands show it, such as 50KTC-6001.';
COMMENT ON COLUMN daily_pnl.trade_count IS 'Round trips that were closed on the day.';
COMMENT ON COLUMN daily_pnl.win_count IS 'Those with a net result above zero.';
COMMENT ON COLUMN daily_pnl.loss_count IS 'Those with a net result below zero.';
COMMENT ON COLUMN daily_pnl.gross IS 'P&L of the round trips in dollars before fees and commissions.';
COMMENT ON COLUMN daily_pnl.costs IS 'Their fees and commissions in dollars.';
COMMENT ON COLUMN daily_pnl.net IS 'Their P&L in dollars after fees and commissions.';
COMMENT ON COLUMN daily_pnl.opening_balance IS 'Balance in dollars at the beginning of the day; empty: not known.';
COMMENT ON COLUMN daily_pnl.closing_balance IS 'Balance in dollars at the end of the day, or now; empty: not known.';
COMMENT ON COLUMN daily_pnl.moved IS 'Dollars that the firm moved without a trade; empty: not known.';
COMMENT ON COLUMN daily_pnl.balance_result IS
    'The P&L of the day in dollars by the balance, after fees and without moves of the firm; empty: not known.';
COMMENT ON COLUMN daily_pnl.is_ended IS 'Whether the day has ended and its balances are final.';
COMMENT ON COLUMN daily_pnl.account_id IS 'The account.';

COMMENT ON VIEW account_now IS 'Each account now: state, locks, balance, P&L of the day, position and orders.';
COMMENT ON COLUMN account_now.account IS 'The short name of the account, as the commands show it, such as 50KTC-6001.';
COMMENT ON COLUMN account_now.trading_state IS 'TRADING, REDUCING (only entries that reduce pass) or HALTED.';
COMMENT ON COLUMN account_now.locks IS
    'What stops entries, as far as rows tell; tickwork risk asks every rule, also those of hours, size and '
    'quotes.';
COMMENT ON COLUMN account_now.is_shadow IS 'Whether entries are recorded and not sent.';
COMMENT ON COLUMN account_now.is_approval_required IS 'Whether entries of alerts and strategies wait for a person.';
COMMENT ON COLUMN account_now.balance IS 'Balance in dollars at the venue''s last report, without open profit.';
COMMENT ON COLUMN account_now.reported_at IS 'When the venue reported it; empty: not yet.';
COMMENT ON COLUMN account_now.pnl_today IS
    'P&L of the trading day in dollars by the balance, after fees, without open profit; empty: the opening '
    'balance is not known yet.';
COMMENT ON COLUMN account_now.open_pnl IS
    'Open profit in dollars before fees, at the close of the newest stored bar; empty: a position has no price'
    ' of the last hour.';
COMMENT ON COLUMN account_now.priced_market_at IS 'End of the oldest bar that open_pnl uses; empty: none.';
COMMENT ON COLUMN account_now.trade_count_today IS 'Round trips closed on this trading day.';
COMMENT ON COLUMN account_now.positions IS 'What is held, such as LONG 2 MNQZ6; empty: flat.';
COMMENT ON COLUMN account_now.contract_count IS 'Contracts held.';
COMMENT ON COLUMN account_now.working_order_count IS 'Orders that work at the venue.';
COMMENT ON COLUMN account_now.open_order_count IS
    'All orders that have not ended, also suspended legs and those on their way.';
COMMENT ON COLUMN account_now.trading_day IS 'The trading day now.';
COMMENT ON COLUMN account_now.account_id IS 'The account.';

COMMENT ON VIEW queue_now IS 'The jobs of each queue, counted now.';
COMMENT ON COLUMN queue_now.queue IS 'The queue.';
COMMENT ON COLUMN queue_now.queued IS 'Jobs that wait, also for a later time.';
COMMENT ON COLUMN queue_now.due IS 'Jobs that could run now: the backlog.';
COMMENT ON COLUMN queue_now.running IS 'Jobs that run.';
COMMENT ON COLUMN queue_now.dead IS 'Jobs that wait for a person to act.';
COMMENT ON COLUMN queue_now.oldest_due_s IS 'Seconds that the oldest due job has waited; empty: none is due.';
COMMENT ON COLUMN queue_now.next_due_in_s IS 'Seconds until the next job is due; empty: none waits for later.';
COMMENT ON COLUMN queue_now.canary_age_s IS 'Seconds since a canary last came through; empty: never.';
COMMENT ON COLUMN queue_now.canary_wait_ms IS 'Milliseconds that the canary took; empty: none yet.';
COMMENT ON COLUMN queue_now.republished_count IS 'Wake-ups that had to be published again, since the beginning.';

COMMENT ON VIEW dead_job IS
    'Jobs that used up their attempts: each waits for a person (tickwork jobs requeue or discard).';
COMMENT ON COLUMN dead_job.job_id IS 'The job.';
COMMENT ON COLUMN dead_job.name IS 'The name of the task.';
COMMENT ON COLUMN dead_job.queue IS 'The queue.';
COMMENT ON COLUMN dead_job.attempt IS 'Attempts made.';
COMMENT ON COLUMN dead_job.max_attempts IS 'Attempts allowed.';
COMMENT ON COLUMN dead_job.cause IS 'The last line of the error; empty: none was kept.';
COMMENT ON COLUMN dead_job.enqueued_at IS 'When it was committed.';
COMMENT ON COLUMN dead_job.failing_since IS 'The first failure that asked for a retry; empty: none.';
COMMENT ON COLUMN dead_job.finished_at IS 'When it died.';
COMMENT ON COLUMN dead_job.arguments IS 'The arguments of the request.';
COMMENT ON COLUMN dead_job.parent_id IS 'The job that enqueued it; empty: none.';
COMMENT ON COLUMN dead_job.correlation_id IS 'Shared by all rows of one cause.';
COMMENT ON COLUMN dead_job.error IS 'The whole error; empty: none was kept.';

COMMENT ON VIEW slow_endpoint IS 'The calls to the venue of the last hour by endpoint, slowest first.';
COMMENT ON COLUMN slow_endpoint.endpoint IS 'The path.';
COMMENT ON COLUMN slow_endpoint.call_count IS 'Calls.';
COMMENT ON COLUMN slow_endpoint.error_count IS 'Calls that failed.';
COMMENT ON COLUMN slow_endpoint.error_rate IS 'Share of calls that failed, from 0 to 1.';
COMMENT ON COLUMN slow_endpoint.p50_ms IS 'Median duration in milliseconds.';
COMMENT ON COLUMN slow_endpoint.p95_ms IS 'The duration that 95 % did not exceed, in milliseconds.';
COMMENT ON COLUMN slow_endpoint.max_ms IS 'The longest duration in milliseconds.';
COMMENT ON COLUMN slow_endpoint.last_error IS 'The newest error; empty: none.';
COMMENT ON COLUMN slow_endpoint.last_error_at IS 'When that call began; empty: none.';
