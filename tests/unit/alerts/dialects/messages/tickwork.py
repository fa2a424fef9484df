"""Messages in our own dialect, strict JSON, each with what it must lead to."""

from tests.unit.alerts.dialects.meaning import Row

BUY = '{"action": "buy", "symbol": "MNQ", "quantity": 1'
CLOSE = '{"action": "close", "symbol": "MNQ"'

ROWS: list[Row] = [
    # Positions from -1, 0, +1 and +3.
    (BUY + ', "stop_loss_ticks": 40, "take_profit_ticks": 80}', "BUY 1 MNQ sl 40t tp 80t", "0 1 2 4"),
    ('{"action": "short", "symbol": "CME_MINI:MNQ1!", "quantity": "2"}', "SELL 2 MNQ", "-3 -2 -1 1"),
    ('{"symbol": "MNQ", "market_position": "short", "market_position_size": 1}', "SHORT 1 MNQ", "-1 -1 -1 -1"),
    ('{"action": "sell", "symbol": "MNQ", "quantity": 2, "market_position": "short", "market_position_size": 1}',
     "SHORT 1 MNQ", "-1 -1 -1 -1"),
    (('{"action": "sell", "symbol": "MNQ", "quantity": 1, "market_position": "flat", '
     '"prev_market_position": "long"}'), "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + "}", "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "quantity": "0", "take_profit": "NaN", "stop_loss_ticks": 0}', "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "quantity": -1}', "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "quantity": 1}', "CLOSE 1 MNQ", "0 0 0 2"),
    (CLOSE + ', "contracts": 1}', "refused contracts: quantity to close a part", ""),
    (CLOSE + ', "Quantity": "1"}', "refused Quantity: quantity to close a part", ""),
    (CLOSE + ', "contracts": 1, "market_position": "flat"}', "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "quantiy": 1}', "refused quantiy: quantity to close a part", ""),
    (CLOSE + ', "order_contracts": 1}', "refused order_contracts: quantity to close a part", ""),
    (CLOSE + ', "order": {"quantity": 1}}', "refused order.quantity: quantity to close a part", ""),
    (CLOSE + ', "quantity": "0,5"}', "refused quantity: whole number of contracts", ""),
    (CLOSE + ', "market_position_size": 1}', "refused market_position_size: quantity to close a part", ""),
    (('{"action": "sell", "symbol": "MNQ", "quantity": 1, "market_position_size": 0, '
     '"prev_market_position": "long"}'), "CLOSE MNQ", "0 0 0 0"),
    (BUY + ', "market_position_size": 2}', "refused market_position: market_position_size, or neither", ""),
    # An action against the side of a chart: of how much, it must say.
    ('{"action": "sell", "symbol": "MNQ", "market_position": "long"}', "refused quantity: close_long", ""),
    ('{"action": "buy", "symbol": "MNQ", "market_position": "short", "quantity": "NaN", "market_position_size": "x"}',
     "refused quantity: market_position_size, the position that stays", ""),
    ('{"action": "sell", "symbol": "MNQ", "market_position": "long", "market_position_size": 1}',
     "CLOSE MNQ to +1", "0 0 1 1"),
    ('{"action": "sell", "symbol": "MNQ", "market_position": "long", "quantity": 2}', "CLOSE LONG 2 MNQ", "-1 0 0 1"),
    ('{"action": "sell", "symbol": "MNQ", "market_position": "long", "market_position_size": 0}',
     "CLOSE LONG MNQ", "-1 0 0 0"),
    (CLOSE + ', "market_position": "long"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "close_long", "symbol": "MNQ", "market_position": "long"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    (CLOSE + ', "extras": {"quantity": 1}}', "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "side": "short"}', "CLOSE SHORT MNQ", "0 0 1 3"),
    (BUY + ', "side": "short"}', "refused side: one of the two names of action", ""),
    ('{"symbol": "MNQ", "side": "close_long"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    ('{"symbol": "MNQ", "action": "exit_short", "side": "buy"}', "CLOSE SHORT MNQ", "0 0 1 3"),
    (BUY + ', "order_type": "limit", "limit_price": 21450.25}', "BUY 1 MNQ limit 21450.25", "0 1 2 4"),
    (BUY + ', "take_profit_tick": 80}', "refused take_profit_tick: take_profit_ticks", ""),
    (BUY + ', "reduce_only": true}', "CLOSE SHORT 1 MNQ", "0 0 1 3"),
    (BUY + ', "reduceOnly": false}', "BUY 1 MNQ", "0 1 2 4"),
    (CLOSE + ', "quantity": "+1"}', "refused quantity: to close a part", ""),
    (CLOSE + ', "quantity": "1."}', "refused quantity: to close a part", ""),
    (CLOSE + ', "quantity": "1e0"}', "refused quantity: to close a part", ""),
    (CLOSE + ', "quantity": "100%"}', "CLOSE MNQ", "0 0 0 0"),
    (CLOSE + ', "quantity": 10000}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "buy", "symbol": "NYSE:CL", "quantity": 1}', "refused symbol: NYMEX", ""),
    ('{"action": "buy", "symbol": "MNQ2!", "quantity": 1}', "refused symbol: MNQ1!", ""),
    # What another dialect reads: the hint names it, or shows the right message.
    ("action=buy;symbol=MNQ;quantity=1\r\n", "refused body: dialect text", ""),
    ("action=buy&symbol=MNQ1%21&quantity=1", "refused body: dialect text", ""),
    ("\ufeffaction=buy;symbol=MNQ;quantity=1", "refused body: dialect text", ""),
    ("\ufeff" + BUY + "}", "refused body: dialect tradingview", ""),
    (BUY + "} sent by my alert", "refused body: dialect tradingview", ""),
    ("order buy @ 1 filled on MNQ1!. New strategy position is 1", "refused body: dialect tradingview", ""),
    ("MNQ1! Crossing 21500", 'refused body: {"action": "buy"', ""),
    (BUY + ', "stop_loss": 1,000.50}', "refused body: one JSON object", ""),
]  # fmt: skip
