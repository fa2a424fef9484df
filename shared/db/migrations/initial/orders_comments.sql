-- The comments of the tables of orders.

COMMENT ON TABLE orders IS 'An order at the venue, or one that was denied, recorded or given up before.';
COMMENT ON COLUMN orders.id IS 'The id of the order, in the order of creation.';
COMMENT ON COLUMN orders.account_id IS 'The account.';
COMMENT ON COLUMN orders.contract_id IS 'The contract.';
COMMENT ON COLUMN orders.client_order_id IS
    'Our tag of the order at the venue; empty: never sent, or made by the venue itself.';
COMMENT ON COLUMN orders.venue_order_id IS 'The venue''s id; empty: the venue has not confirmed the order.';
COMMENT ON COLUMN orders.parent_id IS 'The entry that this stop or target belongs to; empty: it belongs to none.';
COMMENT ON COLUMN orders.signal_id IS
    'The signal that it came of; empty: it is an exit, or made by a guard or elsewhere.';
COMMENT ON COLUMN orders.origin IS
    'What made it: alert, strategy, manual, protector (a guard of ours), or external (not ours).';
COMMENT ON COLUMN orders.role IS 'ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, or OTHER for an external order.';
COMMENT ON COLUMN orders.side IS 'BUY or SELL.';
COMMENT ON COLUMN orders.type IS 'MARKET, LIMIT, STOP, TRAILING_STOP, JOIN_BID, JOIN_ASK or UNKNOWN.';
COMMENT ON COLUMN orders.quantity IS 'Contracts ordered.';
COMMENT ON COLUMN orders.stop_loss_ticks IS
    'Distance of the stop of an entry from its price, in ticks; empty: none by distance.';
COMMENT ON COLUMN orders.take_profit_ticks IS
    'Distance of the target of an entry from its price, in ticks; empty: none by distance.';
COMMENT ON COLUMN orders.limit_price IS 'Price of a limit order; empty: it has none.';
COMMENT ON COLUMN orders.stop_price IS 'Price at which a stop becomes a market order; empty: it has none.';
COMMENT ON COLUMN orders.trail_price IS 'Price at which a trailing stop starts; empty: it has none.';
COMMENT ON COLUMN orders.breakeven_ticks IS
    'Profit in ticks from which the stop goes to the entry''s price; empty: it stays.';
COMMENT ON COLUMN orders.trail_ticks IS
    'Distance in ticks at which the stop follows the best price; empty: it does not.';
COMMENT ON COLUMN orders.target_position IS
    'The position that an exit is to leave, negative when short; empty: not given.';
COMMENT ON COLUMN orders.state IS 'The state of the order; docs/reference/states.md shows every move.';
COMMENT ON COLUMN orders.reason IS 'Why it was denied, rejected, cancelled or given up; empty: nothing to add.';
COMMENT ON COLUMN orders.filled_quantity IS 'Contracts filled, by the venue''s report.';
COMMENT ON COLUMN orders.average_fill_price IS 'Average price of the fills, by the venue; empty: not filled.';
COMMENT ON COLUMN orders.correlation_id IS 'Shared by all rows of one cause, such as an alert.';
COMMENT ON COLUMN orders.expires_at IS 'After this instant the order is not sent; empty: no limit.';
COMMENT ON COLUMN orders.created_at IS 'When it was recorded, before anything was sent.';
COMMENT ON COLUMN orders.submitted_at IS 'When the last call to the venue began; empty: not sent by us.';
COMMENT ON COLUMN orders.submitted_market_at IS 'When it was first submitted, in market time; empty: not sent by us.';
COMMENT ON COLUMN orders.accepted_at IS
    'When the venue''s acceptance of an order of ours was recorded; empty: not accepted, or an external order.';
COMMENT ON COLUMN orders.in_doubt_at IS
    'When a call first ended without a clear answer: from then on it may be at the venue; empty: never in '
    'doubt.';
COMMENT ON COLUMN orders.changed_market_at IS 'The venue''s timestamp of its last change; empty: no report yet.';
COMMENT ON COLUMN orders.updated_at IS 'When the row was last changed.';

COMMENT ON TABLE order_change IS 'A request to cancel or modify an order.';
COMMENT ON COLUMN order_change.id IS 'The id of the request, in the order of creation.';
COMMENT ON COLUMN order_change.order_id IS 'The order.';
COMMENT ON COLUMN order_change.kind IS 'CANCEL or MODIFY.';
COMMENT ON COLUMN order_change.quantity IS 'New size in contracts; empty: it stays.';
COMMENT ON COLUMN order_change.limit_price IS 'New limit price; empty: it stays.';
COMMENT ON COLUMN order_change.stop_price IS 'New stop price; empty: it stays.';
COMMENT ON COLUMN order_change.state IS
    'CREATED, SUBMITTING, IN_DOUBT, DONE, TOO_LATE (the order ended first) or REJECTED.';
COMMENT ON COLUMN order_change.origin IS 'What asked for it, as in orders.origin.';
COMMENT ON COLUMN order_change.reason IS 'Why it was asked for; empty: no reason was given.';
COMMENT ON COLUMN order_change.outcome IS 'What the venue said, or why it was given up; empty: nothing to add.';
COMMENT ON COLUMN order_change.sent_count IS 'How often it was sent.';
COMMENT ON COLUMN order_change.correlation_id IS 'Shared by all rows of one cause.';
COMMENT ON COLUMN order_change.created_at IS 'When it was recorded.';
COMMENT ON COLUMN order_change.submitted_at IS 'When it was last sent; empty: not sent.';
COMMENT ON COLUMN order_change.settled_at IS 'When it ended; empty: it is open.';

COMMENT ON TABLE entry_reversal IS 'What a market entry closes before it opens the rest.';
COMMENT ON COLUMN entry_reversal.request_id IS 'The alert, or the job of an entry without one.';
COMMENT ON COLUMN entry_reversal.account_id IS 'The account.';
COMMENT ON COLUMN entry_reversal.contract_id IS 'The contract.';
COMMENT ON COLUMN entry_reversal.side IS 'The side of the entry; what it closes lies on the other one.';
COMMENT ON COLUMN entry_reversal.quantity_closing IS 'Contracts to close.';
COMMENT ON COLUMN entry_reversal.quantity_opening IS 'Contracts to open after that.';
COMMENT ON COLUMN entry_reversal.quantity_offset IS 'Contracts to close too if earlier unconfirmed entries fill.';
COMMENT ON COLUMN entry_reversal.unconfirmed_ids IS 'The orders of those entries.';
COMMENT ON COLUMN entry_reversal.unconfirmed_filled IS 'What those orders had filled then, in contracts.';
COMMENT ON COLUMN entry_reversal.closes_all IS
    'Whether all that was held against the entry is closed, not only a part.';
COMMENT ON COLUMN entry_reversal.requested_at IS 'When it was recorded.';

COMMENT ON TABLE entry_approval IS 'An entry of an alert or a strategy that waits, or waited, for a person.';
COMMENT ON COLUMN entry_approval.id IS 'The id of the approval, in the order of creation.';
COMMENT ON COLUMN entry_approval.account_id IS 'The account.';
COMMENT ON COLUMN entry_approval.contract_id IS 'The contract.';
COMMENT ON COLUMN entry_approval.origin IS 'alert or strategy.';
COMMENT ON COLUMN entry_approval.alert_id IS 'The alert; empty: the entry is of a strategy.';
COMMENT ON COLUMN entry_approval.strategy IS 'The strategy; empty: the entry is of an alert.';
COMMENT ON COLUMN entry_approval.reason IS 'A note of the entry; empty: none.';
COMMENT ON COLUMN entry_approval.side IS 'BUY or SELL.';
COMMENT ON COLUMN entry_approval.type IS 'The type of the order, as in orders.type.';
COMMENT ON COLUMN entry_approval.quantity IS 'Contracts.';
COMMENT ON COLUMN entry_approval.risk IS
    'Dollars that the entry may lose at its stop, from which its size follows; empty: the size was given.';
COMMENT ON COLUMN entry_approval.target_position IS
    'The position that is wanted, negative when short; empty: not given.';
COMMENT ON COLUMN entry_approval.limit_price IS 'Price of a limit order; empty: none.';
COMMENT ON COLUMN entry_approval.stop_price IS 'Price of a stop entry; empty: none.';
COMMENT ON COLUMN entry_approval.trail_price IS 'Price at which a trailing stop starts; empty: none.';
COMMENT ON COLUMN entry_approval.stop_loss_ticks IS 'Distance of the stop in ticks; empty: none by distance.';
COMMENT ON COLUMN entry_approval.take_profit_ticks IS 'Distance of the target in ticks; empty: none by distance.';
COMMENT ON COLUMN entry_approval.stop_loss IS 'Price of the stop; empty: none by price.';
COMMENT ON COLUMN entry_approval.take_profit IS 'Price of the target; empty: none by price.';
COMMENT ON COLUMN entry_approval.breakeven_ticks IS
    'Profit in ticks from which the stop goes to the entry''s price; empty: it stays.';
COMMENT ON COLUMN entry_approval.trail_ticks IS
    'Distance in ticks at which the stop follows the best price; empty: it does not.';
COMMENT ON COLUMN entry_approval.correlation_id IS 'Shared by all rows of one cause.';
COMMENT ON COLUMN entry_approval.requested_at IS 'When the job of the entry was enqueued.';
COMMENT ON COLUMN entry_approval.asked_at IS 'When it began to wait for a person.';
COMMENT ON COLUMN entry_approval.expires_at IS 'When it lapses.';
COMMENT ON COLUMN entry_approval.state IS
    'WAITING, APPROVED, ORDERED, DENIED, EXPIRED, REJECTED (by the person) or LAPSED.';
COMMENT ON COLUMN entry_approval.decided_at IS 'When the waiting ended; empty: it waits.';
COMMENT ON COLUMN entry_approval.decided_by IS 'Who decided; empty: no decision yet.';
COMMENT ON COLUMN entry_approval.decision_reason IS 'The reason that was given; empty: none.';
COMMENT ON COLUMN entry_approval.outcome IS 'Why an approved entry was not made; empty: nothing to add.';
COMMENT ON COLUMN entry_approval.order_id IS 'The order that was made of it; empty: none.';
COMMENT ON COLUMN entry_approval.closed_first IS
    'Contracts that its alert had closed before of what it reverses; quantity is the rest. 0: none.';

COMMENT ON TABLE flatten_request IS 'A request to be flat in one contract or in all; open until the venue confirms it.';
COMMENT ON COLUMN flatten_request.id IS 'The id of the request, in the order of creation.';
COMMENT ON COLUMN flatten_request.account_id IS 'The account.';
COMMENT ON COLUMN flatten_request.contract_id IS 'The contract; empty: every contract of the account.';
COMMENT ON COLUMN flatten_request.origin IS 'What asked for it, as in orders.origin.';
COMMENT ON COLUMN flatten_request.reason IS 'Why.';
COMMENT ON COLUMN flatten_request.sweep_count IS 'How many rounds of cancels and closes were sent.';
COMMENT ON COLUMN flatten_request.progress IS 'What the last round found; empty: none yet.';
COMMENT ON COLUMN flatten_request.correlation_id IS 'Shared by all rows of one cause.';
COMMENT ON COLUMN flatten_request.requested_at IS 'When it was recorded.';
COMMENT ON COLUMN flatten_request.swept_at IS 'When the last round began; empty: none yet.';
COMMENT ON COLUMN flatten_request.flat_at IS 'When the venue confirmed flat; empty: not confirmed.';
COMMENT ON COLUMN flatten_request.dropped_at IS
    'When it was dropped, as another installation trades the account; empty: not dropped.';

COMMENT ON TABLE contract_close IS 'The last close of a contract that was sent to the venue: at most one is in flight.';
COMMENT ON COLUMN contract_close.account_id IS 'The account.';
COMMENT ON COLUMN contract_close.contract_id IS 'The contract.';
COMMENT ON COLUMN contract_close.sent_at IS 'When it was claimed, just before the call.';
COMMENT ON COLUMN contract_close.ended_at IS 'When the call ended; empty: it is in flight, or its program died.';
COMMENT ON COLUMN contract_close.sent_market_at IS 'The same as sent_at in market time.';
COMMENT ON COLUMN contract_close.side IS
    'The side of the order that closes; empty: the direction of the position was not known.';
COMMENT ON COLUMN contract_close.origin IS 'What asked for it, as in orders.origin.';
COMMENT ON COLUMN contract_close.correlation_id IS 'Shared by all rows of one cause.';

COMMENT ON TABLE fill IS 'An execution that the venue reported.';
COMMENT ON COLUMN fill.account_id IS 'The account.';
COMMENT ON COLUMN fill.venue_fill_id IS 'The venue''s id of the fill.';
COMMENT ON COLUMN fill.order_id IS 'The order; empty: its order is not recorded yet.';
COMMENT ON COLUMN fill.venue_order_id IS 'The venue''s id of the order.';
COMMENT ON COLUMN fill.contract_id IS 'The contract.';
COMMENT ON COLUMN fill.side IS 'BUY or SELL.';
COMMENT ON COLUMN fill.quantity IS 'Contracts.';
COMMENT ON COLUMN fill.price IS 'The price.';
COMMENT ON COLUMN fill.gross_pnl IS
    'The result of the contracts that it closed, before fees, in dollars, by the venue; empty: it only opened '
    'some.';
COMMENT ON COLUMN fill.fees IS 'Fees in dollars.';
COMMENT ON COLUMN fill.commissions IS 'Commissions in dollars.';
COMMENT ON COLUMN fill.is_voided IS 'Whether the venue has taken it back.';
COMMENT ON COLUMN fill.filled_market_at IS 'When it was filled, by the venue.';
COMMENT ON COLUMN fill.recorded_at IS 'When it was recorded here.';
COMMENT ON COLUMN fill.guarded_at IS
    'When it was proven that a stop protects what is held after it, or that nothing is held; empty: not proven'
    ' yet.';
COMMENT ON COLUMN fill.guarded_by IS 'What the proof was, such as a working stop; empty: not proven yet.';

COMMENT ON TABLE position IS 'The net position of an account in a contract.';
COMMENT ON COLUMN position.account_id IS 'The account.';
COMMENT ON COLUMN position.contract_id IS 'The contract.';
COMMENT ON COLUMN position.direction IS 'LONG, SHORT or FLAT.';
COMMENT ON COLUMN position.quantity IS 'Contracts held; 0 when flat.';
COMMENT ON COLUMN position.average_price IS 'Average entry price; empty: flat, or not known.';
COMMENT ON COLUMN position.opened_market_at IS 'When it was opened, by the venue; empty: flat, or not known.';
COMMENT ON COLUMN position.opened_by_fill_id IS 'The fill that opened it; empty: flat, or held by the baseline.';
COMMENT ON COLUMN position.baseline_quantity IS
    'Net contracts held after the fill baseline_until_fill_id, negative when short; fills after that and after'
    ' baseline_until_market_at add to it.';
COMMENT ON COLUMN position.baseline_price IS 'Average price of those; empty: none were held.';
COMMENT ON COLUMN position.baseline_until_fill_id IS 'The last fill that the baseline includes; 0: none.';
COMMENT ON COLUMN position.baseline_until_market_at IS
    'When the venue held that: an earlier fill that is recorded later counts no more; empty: no baseline was set.';
COMMENT ON COLUMN position.updated_at IS 'When the row was last changed.';

COMMENT ON TABLE order_transition IS 'Every move of an order''s state that is allowed; a trigger refuses any other.';
COMMENT ON COLUMN order_transition.source IS 'The state before.';
COMMENT ON COLUMN order_transition.target IS 'The state after.';
