-- The comments of the tables of the market.

COMMENT ON TABLE market_clock IS
    'The market of this database and its clock: market time = market_origin_at + (now() - machine_origin_at) *'
    ' speed; one row.';
COMMENT ON COLUMN market_clock.is_only IS 'Always true: it keeps the table at one row.';
COMMENT ON COLUMN market_clock.market IS 'The name of the market, such as sim_seed_7.';
COMMENT ON COLUMN market_clock.kind IS 'live: the real venue; seeded: a simulated market; replay: recorded bars.';
COMMENT ON COLUMN market_clock.machine_origin_at IS 'An instant of the computer''s clock.';
COMMENT ON COLUMN market_clock.market_origin_at IS 'The market time at that instant.';
COMMENT ON COLUMN market_clock.speed IS 'Market seconds in a second.';
COMMENT ON COLUMN market_clock.ends_market_at IS 'When a replay ends; empty: the market has no end.';

COMMENT ON TABLE contract IS 'A tradable future, as the venue describes it.';
COMMENT ON COLUMN contract.id IS 'The venue''s id, such as CON.F.US.MNQ.Z26.';
COMMENT ON COLUMN contract.name IS 'The venue''s name, such as MNQZ6.';
COMMENT ON COLUMN contract.root IS 'The family of contracts, such as MNQ.';
COMMENT ON COLUMN contract.tick_size IS 'The smallest step of the price, in points.';
COMMENT ON COLUMN contract.tick_value IS 'What one tick of one contract is worth, in dollars.';
COMMENT ON COLUMN contract.is_active IS 'Whether it is the month that the venue trades now.';
COMMENT ON COLUMN contract.active_day IS 'The trading day on which it was last seen active; empty: never.';
COMMENT ON COLUMN contract.absent_at IS
    'When an answer of the venue first lacked it while it was active; empty: the venue offers it, or it never was.';
COMMENT ON COLUMN contract.is_tracked IS 'Whether its bars and quotes are kept.';
COMMENT ON COLUMN contract.untracked_market_at IS
    'Market time from which on its bars are kept no more; empty: they are, or never were.';
COMMENT ON COLUMN contract.coverage IS
    'Market time that is complete: each bar is stored, or there is none for certain; what lies between is missing.';
COMMENT ON COLUMN contract.unconfirmed IS 'The minutes that one answer had no bar of; they are asked again.';
COMMENT ON COLUMN contract.answered_market_at IS
    'Market time of the answer that may confirm them once another follows; empty: none.';
COMMENT ON COLUMN contract.bars_revision IS 'How often older bars were added or corrected.';
COMMENT ON COLUMN contract.session_opens IS
    'When its session opens on a regular day, in Chicago; from 17:00 on that is the evening before.';
COMMENT ON COLUMN contract.session_closes IS 'When its session closes on a regular day, in Chicago.';
COMMENT ON COLUMN contract.special_hours IS
    'By trading day that is not regular: when its session opens, on the day itself, and closes, in Chicago; null: none.';
COMMENT ON COLUMN contract.updated_at IS 'When the row was last changed.';

COMMENT ON TABLE bar_minute IS 'A closed one-minute bar of the newest days, in ticks; the view bars shows all, in prices.';
COMMENT ON COLUMN bar_minute.contract_id IS 'The contract.';
COMMENT ON COLUMN bar_minute.start IS 'The beginning of the minute, in market time.';
COMMENT ON COLUMN bar_minute.open_ticks IS 'First price of the minute in ticks (price / tick_size).';
COMMENT ON COLUMN bar_minute.high_ticks IS 'Highest price in ticks.';
COMMENT ON COLUMN bar_minute.low_ticks IS 'Lowest price in ticks.';
COMMENT ON COLUMN bar_minute.close_ticks IS 'Last price in ticks.';
COMMENT ON COLUMN bar_minute.volume IS 'Contracts traded.';

COMMENT ON TABLE bar_day IS
    'The one-minute bars of a trading day that is over, packed; the view bars shows them, and unpack_bars(bar_day).';
COMMENT ON COLUMN bar_day.contract_id IS 'The contract.';
COMMENT ON COLUMN bar_day.trading_day IS 'The trading day, which begins on the evening before.';
COMMENT ON COLUMN bar_day.bar_count IS 'The number of its bars.';
COMMENT ON COLUMN bar_day.first_start IS 'The beginning of the first bar, in market time.';
COMMENT ON COLUMN bar_day.first_open_ticks IS 'The first price of the first bar, in ticks.';
COMMENT ON COLUMN bar_day.value_bytes IS 'The bytes of each value but the volume.';
COMMENT ON COLUMN bar_day.packed IS
    'All bars, column by column: minutes since the bar before, open less the close before, high less open,'
    ' open less low, close less open, and volume in four bytes.';
COMMENT ON COLUMN bar_day.packed_at IS 'When they were last packed.';

COMMENT ON TABLE bar_correction IS 'What a bar was before the venue corrected it, in ticks.';
COMMENT ON COLUMN bar_correction.contract_id IS 'The contract.';
COMMENT ON COLUMN bar_correction.start IS 'The beginning of its minute, in market time.';
COMMENT ON COLUMN bar_correction.corrected_at IS 'When the correction was stored.';
COMMENT ON COLUMN bar_correction.open_ticks IS 'First price in ticks before.';
COMMENT ON COLUMN bar_correction.high_ticks IS 'Highest price in ticks before.';
COMMENT ON COLUMN bar_correction.low_ticks IS 'Lowest price in ticks before.';
COMMENT ON COLUMN bar_correction.close_ticks IS 'Last price in ticks before.';
COMMENT ON COLUMN bar_correction.volume IS 'Contracts traded before.';

COMMENT ON TABLE rejected_bar IS 'Records of the venue that cannot be bars, with the reason; they are set aside.';
COMMENT ON COLUMN rejected_bar.contract_id IS 'The contract.';
COMMENT ON COLUMN rejected_bar.record IS 'The record as it came, at most 500 characters.';
COMMENT ON COLUMN rejected_bar.start IS 'The beginning of its bar, in market time; empty: it names none.';
COMMENT ON COLUMN rejected_bar.reason IS 'Why it is no bar.';
COMMENT ON COLUMN rejected_bar.first_seen_at IS 'When it came first.';
COMMENT ON COLUMN rejected_bar.last_seen_at IS 'When it came last.';
COMMENT ON COLUMN rejected_bar.lacked_at IS 'When an answer first had bars before and after its minute, and none of it; empty: none yet.';
COMMENT ON COLUMN rejected_bar.withdrawn_at IS 'When a second answer lacked it, half a minute later or more, so that its minute had no trade; empty: it stands.';

COMMENT ON VIEW bars IS 'Closed one-minute bars in prices.';
COMMENT ON COLUMN bars.contract IS 'The venue''s id of the contract.';
COMMENT ON COLUMN bars.timeframe IS 'The length of a bar: 1m.';
COMMENT ON COLUMN bars.start IS 'The beginning of the bar, in market time.';
COMMENT ON COLUMN bars.open IS 'First price.';
COMMENT ON COLUMN bars.high IS 'Highest price.';
COMMENT ON COLUMN bars.low IS 'Lowest price.';
COMMENT ON COLUMN bars.close IS 'Last price.';
COMMENT ON COLUMN bars.volume IS 'Contracts traded.';
COMMENT ON COLUMN bars.trading_day IS 'Its trading day, which begins on the evening before.';
