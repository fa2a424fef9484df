-- The comments of the tables of the trade history.

COMMENT ON TABLE round_trip IS
    'A position from flat to flat, matched first in first out; the view trade shows it with names.';
COMMENT ON COLUMN round_trip.account_id IS 'The account.';
COMMENT ON COLUMN round_trip.contract_id IS 'The contract.';
COMMENT ON COLUMN round_trip.opening_fill_id IS 'The venue''s id of the fill that opened it.';
COMMENT ON COLUMN round_trip.part IS '1 if that fill first closed another round trip (a reversal), else 0.';
COMMENT ON COLUMN round_trip.direction IS 'LONG or SHORT.';
COMMENT ON COLUMN round_trip.quantity IS 'The most contracts held at once.';
COMMENT ON COLUMN round_trip.opened_market_at IS
    'When it was opened; of the first known fill if part of it was held before.';
COMMENT ON COLUMN round_trip.closed_market_at IS 'When it was flat again.';
COMMENT ON COLUMN round_trip.entry_price IS 'Average price of the entries.';
COMMENT ON COLUMN round_trip.exit_price IS 'Average price of the exits.';
COMMENT ON COLUMN round_trip.gross IS 'Result in dollars before fees and commissions.';
COMMENT ON COLUMN round_trip.fees IS 'Fees in dollars.';
COMMENT ON COLUMN round_trip.commissions IS 'Commissions in dollars.';
COMMENT ON COLUMN round_trip.net IS 'Result in dollars after fees and commissions.';
COMMENT ON COLUMN round_trip.fill_ids IS 'The venue''s ids of its fills.';
COMMENT ON COLUMN round_trip.entry_order_id IS 'The order that opened it; empty: not known.';
COMMENT ON COLUMN round_trip.strategy IS 'The strategy that entered; empty: none.';
COMMENT ON COLUMN round_trip.origin IS 'What entered, as in orders.origin; empty: not known.';
COMMENT ON COLUMN round_trip.has_unknown_entry IS
    'Whether part of it was held before the first known fill; the entry price then follows from the venue''s '
    'result.';
COMMENT ON COLUMN round_trip.lots IS 'Its matched parts: which fill opened and which closed how many contracts.';
COMMENT ON COLUMN round_trip.mae IS
    'The worst open result in dollars, at most 0 (maximum adverse excursion), by whole minutes, so prices '
    'from just before the entry or after the exit may count; empty: bars are missing.';
COMMENT ON COLUMN round_trip.mfe IS
    'The best open result in dollars, at least 0 (maximum favourable excursion), by whole minutes as mae; '
    'empty: bars are missing.';
COMMENT ON COLUMN round_trip.booked_at IS 'When it was booked.';

COMMENT ON TABLE booking_due IS 'A fill that is not booked into round trips yet; a trigger on fill adds it.';
COMMENT ON COLUMN booking_due.id IS 'A number in the order of insertion.';
COMMENT ON COLUMN booking_due.account_id IS 'The account.';
COMMENT ON COLUMN booking_due.contract_id IS 'The contract.';
COMMENT ON COLUMN booking_due.filled_market_at IS 'When the fill was.';
