-- The comments of the tables of strategies.

COMMENT ON TABLE strategy_run IS 'One evaluation of a strategy on a closed bar.';
COMMENT ON COLUMN strategy_run.strategy IS 'The strategy.';
COMMENT ON COLUMN strategy_run.contract_id IS 'The contract.';
COMMENT ON COLUMN strategy_run.closed_until_market_at IS 'The end of the newest closed bar that it saw.';
COMMENT ON COLUMN strategy_run.decision IS 'BUY, SELL or none.';
COMMENT ON COLUMN strategy_run.reason IS 'Why.';
COMMENT ON COLUMN strategy_run.signal_id IS 'The signal that was made of it; empty: none.';
COMMENT ON COLUMN strategy_run.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN strategy_run.evaluated_at IS 'When it was evaluated.';
COMMENT ON COLUMN strategy_run.account_id IS 'The account; empty: no account traded the strategy then.';
COMMENT ON COLUMN strategy_run.bars_corrected_at IS
    'When a bar that it may have used came late or was corrected by the venue; empty: none was.';
COMMENT ON COLUMN strategy_run.bars_source IS 'Where its bars were read: memory, redis or postgres; empty: not known.';
COMMENT ON COLUMN strategy_run.bars_read_ms IS 'How long reading them took, in milliseconds; empty: not known.';
COMMENT ON COLUMN strategy_run.bars_gap_minutes IS
    'Minutes of open sessions among its bars of which it was not certain whether they have a bar; empty: not known.';

COMMENT ON TABLE strategy_account IS 'Whether an account trades a strategy, as a person switched it.';
COMMENT ON COLUMN strategy_account.strategy IS 'The strategy.';
COMMENT ON COLUMN strategy_account.account_id IS 'The account.';
COMMENT ON COLUMN strategy_account.is_on IS 'Whether it trades it.';
COMMENT ON COLUMN strategy_account.switched_at IS 'When it was switched.';
