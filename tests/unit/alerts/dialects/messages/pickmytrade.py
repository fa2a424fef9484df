"""Alerts as PickMyTrade's generator writes them, and common mistakes, each with what it must lead to."""

from tests.unit.alerts.dialects.meaning import Row


def generated(**fields: str) -> str:
    """Return the alert that the generator writes, with zeros for what is not chosen."""
    all_fields = {
        "symbol": '"MNQ1!"', "date": '"2026-11-23T14:30:04Z"', "data": '"buy"', "quantity": "1",
        "risk_percentage": "0", "price": '"21500.25"', "tp": "0", "percentage_tp": "0", "dollar_tp": "0", "sl": "0",
        "dollar_sl": "0", "percentage_sl": "0", "trail": "0", "trail_stop": "0", "trail_trigger": "0",
        "trail_freq": "0", "update_tp": "false", "update_sl": "false", "token": '"Ct8tPtD3"',
        "duplicate_position_allow": "false", "reverse_order_close": "true",
        "multiple_accounts": '[{"token": "Ct8tPtD3", "account_id": "2", "risk_percentage": 0, '
        '"quantity_multiplier": 1}]',
    } | fields  # fmt: skip
    return "{" + ", ".join(f'"{name}": {value}' for name, value in all_fields.items() if value) + "}"


ROWS: list[Row] = [
    # With reverse_order_close the other side is closed first: a position. Positions from -1, 0, +1 and +3.
    (generated(), "LONG 1 MNQ", "1 1 1 1"),
    (generated(data='"sell"', quantity='"2"'), "SHORT 2 MNQ", "-2 -2 -2 -2"),
    (generated(data='"BUY"', reverse_order_close='"true"', duplicate_position_allow='"false"'), "LONG 1 MNQ",
     "1 1 1 1"),
    (generated(data='"long"', pyramid="false", same_direction_ignore="false"), "LONG 1 MNQ", "1 1 1 1"),
    (generated(symbol='"MNQZ6"'), "LONG 1 MNQZ6", "1 1 1 1"),
    (generated(symbol='"NQ"', platform='"RITHMIC"', connection_name='"R1"'), "LONG 1 NQ", "1 1 1 1"),
    # Without it, an order of the quantity.
    (generated(reverse_order_close="false"), "BUY 1 MNQ", "0 1 2 4"),
    (generated(reverse_order_close="false", duplicate_position_allow="true"), "BUY 1 MNQ", "0 1 2 4"),
    (generated(reverse_order_close='"false"', data='"sell"'), "SELL 1 MNQ", "-2 -1 0 2"),
    ('{"symbol": "MNQ1!", "data": "buy", "quantity": 1, "token": "abc"}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"symbol": "MNQ1!", "data": "buy", "quantity": 1, "price": 21500.25}', "BUY 1 MNQ", "0 1 2 4"),
    # Both cannot be honoured: what it means depends on the side that is held.
    (generated(duplicate_position_allow="true"), "refused duplicate_position_allow: reverse_order_close to false", ""),
    (generated(pyramid="true"), "refused pyramid: reverse_order_close to false", ""),
    (generated(same_direction_ignore="true"), "refused same_direction_ignore: pyramiding", ""),
    # PickMyTrade's close is of all of the position, and nothing else in it counts.
    (generated(data='"close"'), "CLOSE MNQ", "0 0 0 0"),
    (generated(data='"CLOSE"', quantity="0", full_closed="true"), "CLOSE MNQ", "0 0 0 0"),
    (generated(data='"close"', quantity="3", percentage_sl="1", trail="1"), "CLOSE MNQ", "0 0 0 0"),
    (generated(data='"flat"', quantity='"NaN"'), "CLOSE MNQ", "0 0 0 0"),
    (generated(data='"close"', multiple_accounts='[{"quantity_multiplier": 2}, {"quantity_multiplier": 3}]'),
     "CLOSE MNQ", "0 0 0 0"),
    # Other words of an exit, and a position that stays on its side, close a part by the quantity.
    (generated(data='"exit"', duplicate_position_allow="true", sl='"NaN"'), "CLOSE 1 MNQ", "0 0 0 2"),
    (generated(data='"close_long"'), "CLOSE LONG 1 MNQ", "-1 0 0 2"),
    (generated(data='"close_long"', quantity="0"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (generated(data='"sell"', position='"long"'), "CLOSE LONG 1 MNQ", "-1 0 0 2"),
    (generated(data='"sell"', position='"Long"', quantity='"2"', trail="1"), "CLOSE LONG 2 MNQ", "-1 0 0 1"),
    (generated(data='"buy"', position='"short"'), "CLOSE SHORT 1 MNQ", "0 0 1 3"),
    (generated(data='"sell"', position='"long"', quantity="0"), "refused quantity: close_long as the action", ""),
    (generated(data='"close_long"', quantity="0", contracts="1"), "refused contracts: quantity to close a part", ""),
    (generated(data='"sell"', position='"flat"'), "CLOSE MNQ", "0 0 0 0"),
    ('{"symbol": "MNQ1!", "data": "close", "token": "abc"}', "CLOSE MNQ", "0 0 0 0"),
    # Stops, targets and order types.
    (generated(tp="21540.25", sl="21480.25"), "LONG 1 MNQ sl 21480.25 tp 21540.25", "1 1 1 1"),
    (generated(tp='"21,540.25"', sl='"21,480"'), "LONG 1 MNQ sl 21480 tp 21540.25", "1 1 1 1"),
    (generated(tp='"0.0"', sl='"0.00"'), "LONG 1 MNQ", "1 1 1 1"),
    (generated(stop_loss_ticks="40"), "LONG 1 MNQ sl 40t", "1 1 1 1"),
    (generated(order_type='"MKT"'), "LONG 1 MNQ", "1 1 1 1"),
    (generated(order_type='"LMT"', price="21450.25"), "LONG 1 MNQ limit 21450.25", "1 1 1 1"),
    (generated(order_type='"STP"', price='"21550"'), "LONG 1 MNQ stop 21550", "1 1 1 1"),
    (generated(order_type='"LMT"', price="0"), "refused limit_price: above 0", ""),
    (generated(order_type='"STPLMT"'), "refused order_type: MKT, LMT or STP", ""),
    (generated(order_type='"LMT"', stp_limit_stp_price="21550"), "refused stp_limit_stp_price: stop-limit", ""),
    (generated(order_type='"LMT"', gtd_in_second="60"), "refused gtd_in_second: exit", ""),
    (generated(order_type='"MKT"', gtd_in_second="60"), "LONG 1 MNQ", "1 1 1 1"),
    (generated(sl='"{{plot_0}}"'), "refused stop_loss: price above 0", ""),
    (generated(sl='"NaN"'), "refused stop_loss: price above 0", ""),
    (generated(update_sl="true", sl="21490"), "payload action=move_stop stop_loss=21490", ""),
    (generated(update_sl='"true"', data='"sell"', sl='"21510.5"'), "payload action=move_stop stop_loss=21510.5", ""),
    # What cannot be honoured.
    (generated(percentage_tp="1"), "refused percentage_tp: price as tp", ""),
    (generated(percentage_sl='"0.5"'), "refused percentage_sl: price as tp or sl", ""),
    (generated(dollar_tp='"2"'), "refused dollar_tp: price as tp", ""),
    (generated(dollar_sl="15"), "refused dollar_sl: price as tp", ""),
    (generated(risk_percentage="2", quantity="0"), "refused risk_percentage: size in contracts", ""),
    (generated(trail="1", trail_stop="5"), "refused trail: update_sl", ""),
    (generated(trail_trigger="5"), "refused trail_trigger: update_sl", ""),
    (generated(breakeven="15"), "refused breakeven: update_sl", ""),
    (generated(update_tp="true"), "refused update_tp: false", ""),
    (generated(advance_tp_sl='[{"quantity": 1, "tp": 21540}]'), "refused advance_tp_sl: one stop and one target", ""),
    (generated(multiple_accounts='[{"account_id": "1"}, {"account_id": "2"}]'),
     "refused multiple_accounts: add the accounts to the hook", ""),
    (generated(multiple_accounts='[{"account_id": "1", "quantity_multiplier": 2}]'),
     "refused multiple_accounts: size in contracts", ""),
    (generated(multiple_accounts='[{"account_id": "1", "quantity_multiplier": 0}]'), "LONG 1 MNQ", "1 1 1 1"),
    # Mistakes.
    (generated(quantity="0"), "refused quantity: whole number", ""),
    (generated(quantity="1.5"), "refused quantity: whole number", ""),
    (generated(data='"{{strategy.order.action}}"'), "refused action: buy, long, sell", ""),
    (generated(data=""), "refused data: message such as", ""),
    (generated(data="", position='"long"'), "refused market_position_size: whole number", ""),
    (generated(symbol=""), "refused symbol: message such as", ""),
    (generated(symbol='"NASDAQ:AAPL"'), "refused symbol: MNQ1!", ""),
    (generated(percentage_s1="1"), "refused percentage_s1: percentage_sl", ""),
    (generated(reverse_order_closed="true"), "refused reverse_order_closed: reverse_order_close", ""),
    (generated() + "]", "refused body: message such as", ""),
]  # fmt: skip
