-- The comments of the tables of accounts.

COMMENT ON TABLE account IS
    'A trading account of the firm: what the venue reports of it, its rules, locks and state of trading.';
COMMENT ON COLUMN account.id IS 'The venue''s id of the account.';
COMMENT ON COLUMN account.name IS
    'The name that the venue gives it, such as 50KTC-V2-1; its beginning tells the stage (practice, Combine or'
    ' Express).';
COMMENT ON COLUMN account.balance IS
    'Balance in dollars at the venue''s last report, of closed trades and after fees; open profit is not in it.';
COMMENT ON COLUMN account.can_trade IS 'Whether the venue lists the account and lets it trade.';
COMMENT ON COLUMN account.is_simulated IS
    'Whether the venue says that orders execute in its simulation; empty: it does not say.';
COMMENT ON COLUMN account.halted_at IS
    'When entries were stopped, all of them or those that do not only reduce; empty: not halted.';
COMMENT ON COLUMN account.halt_reason IS 'Why it is halted; empty: not halted, or no reason was given.';
COMMENT ON COLUMN account.is_reduce_only IS 'Whether the halt lets entries pass that only make a position smaller.';
COMMENT ON COLUMN account.reconciled_at IS
    'When the venue was asked for what positions and orders were last compared with; empty: not since the last start,'
    ' so no entry passes.';
COMMENT ON COLUMN account.compared_until_at IS
    'As reconciled_at, and kept through a start: fills and orders are searched for from then on; empty: never compared.';
COMMENT ON COLUMN account.reported_at IS 'When the venue reported the balance; empty: no report yet.';
COMMENT ON COLUMN account.first_seen_at IS 'When the account was first compared with the venue; empty: not yet.';
COMMENT ON COLUMN account.live_orders IS 'Whether entries may reach the real venue; a simulator needs no switch.';
COMMENT ON COLUMN account.live_since_at IS
    'When live orders were first switched on; empty: never, so no program acts on it at the real venue.';
COMMENT ON COLUMN account.is_shadow IS 'Shadow mode: entries are checked and recorded, and never sent.';
COMMENT ON COLUMN account.is_approval_required IS
    'Whether each entry of an alert or a strategy waits for a person to approve it.';
COMMENT ON COLUMN account.preset IS 'The preset of its rules that a person chose; empty: first_preset counts.';
COMMENT ON COLUMN account.first_preset IS
    'The preset by the account''s name and the balance at which it was first seen; empty: not known yet.';
COMMENT ON COLUMN account.rule_changes IS 'A person''s changes to the rules of the preset, by rule.';
COMMENT ON COLUMN account.default_stop_ticks IS
    'Distance in ticks of the stop of an entry that has none; empty: such an entry is denied.';
COMMENT ON COLUMN account.trading_day IS
    'The trading day that day_opening_balance and moved_today belong to; empty: no report yet.';
COMMENT ON COLUMN account.day_opening_balance IS
    'Balance in dollars at which that trading day opened; empty: first seen in the middle of a day, and not '
    'computed yet.';
COMMENT ON COLUMN account.high_water_mark IS
    'The highest balance in dollars at the end of a trading day, which the max loss limit follows; empty: not '
    'known, so no entry passes until it is set.';
COMMENT ON COLUMN account.breached_market_at IS
    'When the equity touched the loss limit level, which stops entries for good; empty: never.';
COMMENT ON COLUMN account.locked_on IS 'The trading day on which the daily loss limit was reached; empty: never.';
COMMENT ON COLUMN account.profit_locked_on IS
    'The trading day on which the daily profit target was reached; empty: never.';
COMMENT ON COLUMN account.week_locked_on IS
    'The first trading day (Monday) of the week in which the weekly loss limit was reached; empty: never.';
COMMENT ON COLUMN account.marked_limits IS
    'By rule, the worst value in dollars since its lock: by the fills, and without one; empty: nothing is '
    'locked.';
COMMENT ON COLUMN account.locked_out_until_market_at IS
    'Until when a person lets the account enter nothing; empty: never locked out.';
COMMENT ON COLUMN account.unexplained_balance IS
    'Dollars of the day''s result that no fill explains, once the balance has settled; empty: not known yet.';
COMMENT ON COLUMN account.unsettled_since_at IS
    'The report of the balance before the one that changed it; empty: the balance has not changed.';
COMMENT ON COLUMN account.pending_balance IS
    'Another unexplained amount in dollars that may still settle: fills or a balance are on their way; empty: '
    'none.';
COMMENT ON COLUMN account.pending_runs IS 'How many runs of the risk monitor have seen the pending amount.';
COMMENT ON COLUMN account.moved_today IS
    'Dollars that the firm has moved on trading_day without a trade: payouts below zero, deposits above.';
COMMENT ON COLUMN account.last_paid_on IS 'The trading day of the last payout of an Express account; empty: none.';
COMMENT ON COLUMN account.losses_seen IS 'By rule, what the last run of the risk monitor saw and did; empty: nothing.';
COMMENT ON COLUMN account.losses_seen_at IS 'When that run was; empty: no loss was seen.';
COMMENT ON COLUMN account.unpriced_runs IS
    'Runs of the risk monitor in a row that found no usable price for a position.';
COMMENT ON COLUMN account.block_reason IS 'Why the risk monitor blocks entries now; empty: it does not.';
COMMENT ON COLUMN account.other_installation IS
    'Id of another installation of Tickwork that placed an order on the account; empty: none was seen.';
COMMENT ON COLUMN account.other_ordered_market_at IS
    'When the newest order of the other installation was created, by the venue; empty: none was seen.';
COMMENT ON COLUMN account.other_gone_market_at IS
    'Until when orders of the other installation no longer count, as a person said that it is gone; empty: '
    'never said.';
COMMENT ON COLUMN account.updated_at IS 'When a program last changed the row.';

COMMENT ON TABLE installation IS 'The installation of Tickwork that this database belongs to; one row.';
COMMENT ON COLUMN installation.is_only IS 'Always true: it keeps the table at one row.';
COMMENT ON COLUMN installation.id IS
    'The id of this installation, 8 hexadecimal digits, which the tag of each of its orders names.';
COMMENT ON COLUMN installation.began_at IS 'Since when every order with this id is in this database.';

COMMENT ON TABLE account_day IS
    'A trading day of an account that has ended; its result is closing_balance - opening_balance - moved.';
COMMENT ON COLUMN account_day.account_id IS 'The account.';
COMMENT ON COLUMN account_day.trading_day IS 'The trading day, from 17:00 in Chicago on the evening before.';
COMMENT ON COLUMN account_day.opening_balance IS 'Balance in dollars at the beginning of the day.';
COMMENT ON COLUMN account_day.closing_balance IS 'Balance in dollars at the end of the day.';
COMMENT ON COLUMN account_day.moved IS
    'Dollars that the firm moved without a trade: payouts below zero, deposits above.';
COMMENT ON COLUMN account_day.closed_at IS 'When the end of the day was recorded.';

COMMENT ON TABLE balance_move IS 'A change of a balance without a trade: a payout, a deposit or a reset by the firm.';
COMMENT ON COLUMN balance_move.id IS 'The id of the move, in the order of creation.';
COMMENT ON COLUMN balance_move.account_id IS 'The account.';
COMMENT ON COLUMN balance_move.trading_day IS 'The trading day that it belongs to.';
COMMENT ON COLUMN balance_move.amount IS 'Dollars: below zero for a payout, above for a deposit.';
COMMENT ON COLUMN balance_move.origin IS 'found: no fill explains it; manual: a person recorded it.';
COMMENT ON COLUMN balance_move.recorded_at IS 'When it was recorded.';

COMMENT ON TABLE risk_monitor IS
    'The active risk monitor, while one runs or after it has died; a clean stop deletes the row.';
COMMENT ON COLUMN risk_monitor.is_only IS 'Always true: it keeps the table at one row.';
COMMENT ON COLUMN risk_monitor.host IS 'The computer that it runs on.';
COMMENT ON COLUMN risk_monitor.pid IS 'Its process id there.';
COMMENT ON COLUMN risk_monitor.active_since_at IS 'Since when it is the active one.';
COMMENT ON COLUMN risk_monitor.ran_at IS 'When its last run ended.';
COMMENT ON COLUMN risk_monitor.run_count IS 'Runs in the last minute.';
COMMENT ON COLUMN risk_monitor.last_delay IS 'How late its last run began.';
COMMENT ON COLUMN risk_monitor.p50_delay IS 'The median delay of the last minute.';
COMMENT ON COLUMN risk_monitor.max_delay IS 'The longest delay of the last minute.';

COMMENT ON TABLE account_watch IS 'When the risk monitor last checked an account.';
COMMENT ON COLUMN account_watch.account_id IS 'The account.';
COMMENT ON COLUMN account_watch.watched_at IS 'When the last run that checked it began.';
COMMENT ON COLUMN account_watch.held IS 'Position and entries of the account then; empty: nothing.';

COMMENT ON TABLE account_event IS 'What happened to an account: halts, locks, breaches, flattenings, changes by hand.';
COMMENT ON COLUMN account_event.id IS 'The id of the event, in the order of creation.';
COMMENT ON COLUMN account_event.account_id IS 'The account.';
COMMENT ON COLUMN account_event.kind IS
    'The kind of event, such as halted, resumed, flattened, rules, balance_moved, or turned_around: a stop or target of'
    ' ours closed more than was held, and what it opened is flattened.';
COMMENT ON COLUMN account_event.message IS 'What happened, in a sentence.';
COMMENT ON COLUMN account_event.happened_at IS 'When it was recorded.';

COMMENT ON TABLE reduction IS
    'The last time that the rule reduce_at closed half of a position, by account and contract: once a trading day.';
COMMENT ON COLUMN reduction.account_id IS 'The account.';
COMMENT ON COLUMN reduction.contract_id IS 'The contract.';
COMMENT ON COLUMN reduction.trading_day IS 'The trading day that it counts for.';
COMMENT ON COLUMN reduction.target_position IS
    'The position that it leaves, half of what was held at first; below zero when short.';
COMMENT ON COLUMN reduction.correlation_id IS
    'Of its job and its exit. If the venue rejects the exit, the reduction is requested again a minute later.';
COMMENT ON COLUMN reduction.requested_at IS 'When it was requested.';

COMMENT ON TABLE audit IS 'Acts of people, and of programs in their place; a trigger keeps every row as it is.';
COMMENT ON COLUMN audit.id IS 'The id of the act, in the order of creation.';
COMMENT ON COLUMN audit.happened_at IS 'When it was done.';
COMMENT ON COLUMN audit.who IS 'The user of the operating system.';
COMMENT ON COLUMN audit.origin IS 'The program and the computer.';
COMMENT ON COLUMN audit.act IS 'What was done, such as halt, resume, flatten or rules.';
COMMENT ON COLUMN audit.account_id IS 'The account; empty: the act is of no account, such as one on an API token.';
COMMENT ON COLUMN audit.before IS 'The values before the act.';
COMMENT ON COLUMN audit.after IS 'The values after the act.';
COMMENT ON COLUMN audit.reason IS 'The reason that was given; empty: none.';

COMMENT ON TABLE account_snapshot IS
    'The balance of an account as the venue reported it, minute by minute; thinned out with age.';
COMMENT ON COLUMN account_snapshot.account_id IS 'The account.';
COMMENT ON COLUMN account_snapshot.taken_market_at IS 'When it was reported, in market time.';
COMMENT ON COLUMN account_snapshot.balance IS 'Balance in dollars.';
COMMENT ON COLUMN account_snapshot.can_trade IS 'Whether the venue let the account trade.';
