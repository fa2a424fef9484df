"""Messages that people paste into TradingView's alerts, each with what it must lead to."""

from tests.unit.alerts.dialects.meaning import Row

FULL = (  # every placeholder of a strategy, flat; see `strategy`
    '{{"ticker": "{ticker}", "exchange": "CME_MINI", "interval": "5", "time": "2026-11-23T14:30:00Z", '
    '"timenow": "2026-11-23T14:30:04Z", "action": "{action}", "contracts": "{contracts}", "price": "21500.25", '
    '"order_id": "Long", "comment": "Long", "alert_message": "", "market_position": "{position}", '
    '"market_position_size": "{size}", "prev_market_position": "{before}", "prev_market_position_size": "1", '
    '"position_size": "{signed}"}}'
)


def strategy(
    action: str, contracts: str, position: str, size: str, before: str = "flat", *, ticker: str = "MNQ1!"
) -> str:
    signed = f"-{size}" if position == "short" else size
    return FULL.format(
        action=action, contracts=contracts, position=position, size=size, before=before, ticker=ticker, signed=signed
    )


ROWS: list[Row] = [
    # A strategy alert with all placeholders: the position is the target. Positions from -1, 0, +1 and +3.
    (strategy("buy", "1", "long", "1"), "LONG 1 MNQ", "1 1 1 1"),
    (strategy("buy", "2", "long", "1", "short"), "LONG 1 MNQ", "1 1 1 1"),
    (strategy("sell", "2", "short", "1", "long"), "SHORT 1 MNQ", "-1 -1 -1 -1"),
    (strategy("sell", "1", "flat", "0", "long"), "CLOSE MNQ", "0 0 0 0"),
    (strategy("buy", "1", "flat", "0", "short"), "CLOSE MNQ", "0 0 0 0"),
    (strategy("sell", "1", "long", "2", "long"), "CLOSE MNQ to +2", "0 0 1 2"),
    (strategy("buy", "1", "short", "2", "short"), "CLOSE MNQ to -2", "-1 0 0 0"),
    (strategy("buy", "1", "long", "3", "long"), "LONG 3 MNQ", "3 3 3 3"),
    (strategy("buy", "1", "long", "1", ticker="MES1!"), "LONG 1 MES", "1 1 1 1"),
    (strategy("buy", "1", "long", "1", ticker="MNQZ2026"), "LONG 1 CME_MINI:MNQZ2026", "1 1 1 1"),
    (strategy("buy", "0.5", "long", "0.5"), "refused market_position_size: whole number of contracts", ""),
    (strategy("buy", "1", "long", "NaN"), "refused market_position_size: whole number of contracts", ""),
    (strategy("buy", "1", "sideways", "1"), "refused market_position: flat", ""),
    (strategy("buy", "1", "long", "1", ticker="MNQ2!"), "refused symbol: MNQ1!", ""),
    (strategy("buy", "1", "long", "1", ticker="CL1!"), "refused symbol: NYMEX", ""),
    (strategy("{{strategy.order.action}}", "1", "long", "1"), "refused action: buy, long, sell", ""),
    # Unfilled placeholders of an indicator alert, where a strategy's are not known.
    ('{"ticker": "{{ticker}}", "action": "buy", "contracts": 1}', "refused symbol: MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": "{{strategy.order.contracts}}"}',
     "refused quantity: whole number", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": {{strategy.order.contracts}}}',
     "refused contracts: placeholder", ""),
    ('{"ticker": "MNQ1!", "action": "exit", "contracts": "{{strategy.order.contracts}}"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "exchange": "{{exchange}}", "action": "close"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "exchange": "{{exchange}}", "action": "buy", "contracts": 1}', "refused exchange: CME", ""),
    # Nested objects and other spellings of the placeholders.
    (('{"ticker": "MNQ1!", "strategy": {"order_action": "buy", "order_contracts": 1, "market_position": "long", '
     '"market_position_size": 1}}'), "LONG 1 MNQ", "1 1 1 1"),
    ('{"ticker": "MNQ1!", "strategy": {"order": {"action": "sell", "contracts": 2, "id": "S", "comment": ""}}}',
     "SELL 2 MNQ", "-3 -2 -1 1"),
    ('{"ticker": "MNQ1!", "strategy": {"order": {"action": "sell"}, "market_position": "flat"}}',
     "CLOSE MNQ", "0 0 0 0"),
    (('{"symbol": "CME_MINI:MNQ1!", "strategy.order.action": "buy", "strategy.order.contracts": "1", '
     '"strategy.market_position": "long", "strategy.market_position_size": "1"}'), "LONG 1 MNQ", "1 1 1 1"),
    ('{"ticker": "MNQ1!", "strategy_order_action": "buy", "strategy_order_contracts": "2"}', "BUY 2 MNQ", "1 2 3 5"),
    (('{"ticker": "MNQ1!", "orderAction": "buy", "orderContracts": 1, "marketPosition": "long", '
     '"marketPositionSize": 1}'), "LONG 1 MNQ", "1 1 1 1"),
    ('{"Ticker": "MNQ1!", "Action": "BUY", "Contracts": 1}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "order": {"action": "buy", "contracts": 1}, "bar": {"close": 21500}}',
     "BUY 1 MNQ", "0 1 2 4"),
    ('{"action": "buy", "ticker": "MNQ1!", "contracts": 1, "strategy": {"action": "sell"}}',
     "refused strategy.action: one of the two names", ""),
    ('{"action": "buy", "ticker": "MNQ1!", "symbol": "MES1!", "contracts": 1}', "refused symbol: two names", ""),
    ('{"action": "buy", "ticker": "MNQ1!", "contracts": 1, "qty": 2}', "refused qty: two names", ""),
    ('{"action": "buy", "ticker": "MNQ1!", "symbol": "CME_MINI:MNQ1!", "contracts": 1, "qty": "1"}',
     "BUY 1 MNQ", "0 1 2 4"),
    ('{"action": "close", "ticker": "MNQ1!", "contracts": 1, "qty": 2}', "refused qty: two names of quantity", ""),
    ('{"action": "close", "ticker": "MNQ1!", "contracts": 1, "qty": 0}', "refused qty: two names of quantity", ""),
    ('{"action": "close", "ticker": "MNQ1!", "contracts": 1, "qty": "1.0"}', "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"action": "buy", "ticker": "MNQ1!", "contracts": 1, "qty": "1.0", "size": 1.00}', "BUY 1 MNQ", "0 1 2 4"),
    (('{"action": "sell", "ticker": "MNQ1!", "contracts": 1, "qty": 2, "market_position": "flat", '
     '"market_position_size": 0}'), "CLOSE MNQ", "0 0 0 0"),
    (('{"action": "sell", "ticker": "MNQ1!", "market_position": "long", "market_position_size": 1, '
     '"strategy": {"market_position_size": 2}}'), "refused strategy.market_position_size: two names", ""),
    ('{"action": "close", "ticker": "MNQ1!", "sl": 21480, "stop_loss": 21490}', "CLOSE MNQ", "0 0 0 0"),
    # The signed position_size.
    ('{"ticker": "MNQ1!", "action": "sell", "contracts": 2, "position_size": -1}', "SHORT 1 MNQ", "-1 -1 -1 -1"),
    ('{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "position_size": 0}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "position_size": 2}', "CLOSE MNQ to +2", "0 0 1 2"),
    ('{"ticker": "MNQ1!", "action": "buy", "market_position": "long", "position_size": "3"}',
     "LONG 3 MNQ", "3 3 3 3"),
    ('{"ticker": "MNQ1!", "action": "buy", "market_position": "long", "position_size": "-3"}',
     "refused position_size: contradicts", ""),
    # Without a side it must be a number: only a zero is flat.
    *(
        (f'{{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "position_size": {size}}}',
         "refused position_size: negative for short", "")
        for size in ('"{{strategy.position_size}}"', '"abc"', '"NaN"', "NaN", '""', '"none"', '"-"', "false", "true",
                     "[]", '"1,5"')
    ),
    *(
        (f'{{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "position_size": {size}}}', "CLOSE MNQ", "0 0 0 0")
        for size in ('"0"', '"0.00"', '"-0"', "0.0")
    ),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "position_size": "+2"}', "LONG 2 MNQ", "2 2 2 2"),
    ('{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "position_size": "-1,000"}',
     "SHORT 1000 MNQ", "-1000 -1000 -1000 -1000"),
    ('{"ticker": "MNQ1!", "action": "buy", "market_position": "long", "position_size": "{{strategy.position_size}}"}',
     "refused market_position_size: whole number", ""),
    # An exit of a chart that keeps a part has the size of that part.
    ('{"action": "exit", "ticker": "MNQ1!", "market_position": "short", "position_size": "-1"}',
     "CLOSE MNQ to -1", "-1 0 0 0"),
    ('{"action": "close_long", "ticker": "MNQ1!", "market_position": "LONG", "position_size": 2}',
     "CLOSE LONG MNQ to +2", "-1 0 1 2"),
    ('{"action": "exit", "ticker": "MNQ1!", "contracts": 2, "market_position": "long", "position_size": "1"}',
     "CLOSE MNQ to +1", "0 0 1 1"),
    ('{"action": "exit", "ticker": "MNQ1!", "market_position": "long", "position_size": "-1"}',
     "refused position_size: market_position_size", ""),
    ('{"action": "exit", "ticker": "MNQ1!", "contracts": 1, "market_position": "long", "position_size": "-1"}',
     "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"action": "exit", "ticker": "MNQ1!", "market_position": "flat", "position_size": "2"}',
     "CLOSE MNQ", "0 0 0 0"),
    (('{"action": "exit", "ticker": "MNQ1!", "market_position": "long", '
      '"position_size": "{{strategy.position_size}}"}'), "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "exit", "ticker": "MNQ1!", "market_position": "{{strategy.market_position}}", "position_size": 0}',
     "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "buy", "position_size": 1}', "refused position_size: order or a position", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "market_position": "long"}',
     "refused market_position_size: whole number", ""),
    ('{"ticker": "MNQ1!", "action": "close_long", "position_size": 0}', "CLOSE LONG MNQ", "-1 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "close", "position_size": 1}', "refused position_size: market_position_size", ""),
    ('{"ticker": "MNQ1!", "action": "close", "position_size": -2}', "refused position_size: market_position_size", ""),
    ('{"ticker": "MNQ1!", "action": "close", "contracts": 1, "position_size": 2}', "CLOSE 1 MNQ", "0 0 0 2"),
    (('{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "market_position_size": 0, '
     '"prev_market_position": "long", "sl_percent": 1}'), "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "market_position_size": 2}',
     "refused market_position: market_position_size, or neither", ""),
    # The quantity, the stop and the side in an order.
    ('{"ticker": "MNQ1!", "order": {"action": "close", "quantity": 1}}', "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"ticker": "MNQ1!", "order": {"action": "buy", "qty": 1, "stop_loss": 21480}}', "BUY 1 MNQ sl 21480", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "strategy": {"order_action": "close", "order_size": 1}}', "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"ticker": "MNQ1!", "action": "close", "side": "long"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "close", "signal": "RSI exit"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "symbol": "MNQ", "action": "close"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "symbol": "MNQ", "action": "buy", "side": "long", "contracts": 1}', "BUY 1 MNQ", "0 1 2 4"),
    # An indicator's alerts: a word and a size.
    ('{"ticker": "MNQ1!", "close": 21500.25, "interval": "5", "action": "buy", "qty": 1}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "signal": "LONG", "size": 1}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "side": "Enter Short", "quantity": 1}', "SELL 1 MNQ", "-2 -1 0 2"),
    ('{"ticker": "MNQ1!", "action": "close_long"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "Exit Short", "contracts": "NaN", "sl": 0}', "CLOSE SHORT MNQ", "0 0 1 3"),
    ('{"ticker": "MNQ1!", "action": "buy to cover", "contracts": 1}', "CLOSE SHORT 1 MNQ", "0 0 1 3"),
    ('{"ticker": "MNQ1!", "action": "flat"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "exit", "contracts": 1}', "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"ticker": "MNQ1!", "action": "buy"}', "refused quantity: whole number", ""),
    ('{"ticker": "MNQ1!", "contracts": 1}', "refused action: message such as", ""),
    ('{"action": "buy", "contracts": 1}', "refused symbol: message such as", ""),
    ('{"ticker": "MNQ1!", "action": "strong buy", "contracts": 1}', "refused action: buy, long, sell", ""),
    ('{"ticker": "MNQ1!", "exchange": "NYSE", "action": "buy", "contracts": 1}', "refused symbol: expected CME", ""),
    ('{"ticker": "CL", "exchange": "NYSE", "action": "buy", "contracts": 1}', "refused symbol: NYMEX", ""),
    ('{"ticker": "NQ1!", "exchange": "CME_MINI_DL", "action": "buy", "contracts": 1}', "BUY 1 NQ", "0 1 2 4"),
    # Orders with prices.
    (('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "order_type": "limit", "limit_price": "21,450.25", '
     '"sl": "21,430", "tp": "21,500.50"}'), "BUY 1 MNQ limit 21450.25 sl 21430 tp 21500.50", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "action": "sell", "contracts": 1, "stopPrice": 21400, "sl_ticks": 40}',
     "SELL 1 MNQ stop 21400 sl 40t", "-2 -1 0 2"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "stopLoss": 21480.25}',
     "BUY 1 MNQ sl 21480.25", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "sl_percent": 1}', "refused sl_percent: stop_loss", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "sl_percent": 0}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "action": "close", "sl_percent": 1}', "CLOSE MNQ", "0 0 0 0"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "stop_los": 21480}', "refused stop_los: stop_loss", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "take_profitt": 21480}',
     "refused take_profitt: take_profit", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1, "sl": "1.480,25"}', "refused stop_loss: price above 0", ""),
    # Changes of what is held.
    ('{"ticker": "MNQ1!", "action": "breakeven"}', "payload action=breakeven symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "breakeven", "position_size": "{{strategy.position_size}}"}',
     "payload action=breakeven symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "cancel_orders", "market_position": "flat"}',
     "payload action=cancel symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "cancel", "exchange": "{{exchange}}"}', "payload action=cancel symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "cancel", "sl_percent": 1}', "payload action=cancel symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "cancel"}', "payload action=cancel symbol=MNQ1!", ""),
    ('{"ticker": "MNQ1!", "action": "move_stop", "sl": 21480}', "payload action=move_stop stop_loss=21480", ""),
    ('{"ticker": "MNQ1!", "action": "test"}', "TEST MNQ", "-1 0 1 3"),
    # The sentence of an order fill, and what is around it.
    ("order buy @ 1 filled on MNQ1!. New strategy position is 1", "LONG 1 MNQ", "1 1 1 1"),
    ("MACD Strategy (12, 26): order sell @ 2 filled on MNQ1!. New strategy position is -1",
     "SHORT 1 MNQ", "-1 -1 -1 -1"),
    ("order sell @ 1 filled on MNQ1!. New strategy position is 0", "CLOSE MNQ", "0 0 0 0"),
    ("order sell @ 1 filled on MNQ1!. New strategy position is 2.", "CLOSE MNQ to +2", "0 0 1 2"),
    ("order buy @ 1 filled on CME_MINI:MES1!. New strategy position is \u22122\n", "CLOSE MES to -2", "-1 0 0 0"),
    ("order buy @ 1,000 filled on MNQ1!. New strategy position is 1,000", "LONG 1000 MNQ", "1000 1000 1000 1000"),
    ("order buy @ 0.5 filled on MNQ1!. New strategy position is 0.5", "refused market_position_size: whole number", ""),
    ("order buy @ 1 filled on NASDAQ:AAPL. New strategy position is 1", "refused symbol: MNQ1!", ""),
    ("MNQ1! Crossing 21,500.25", "refused body: order buy @ 1 filled", ""),
    ("action=buy;symbol=MNQ;quantity=1", "refused body: order buy @ 1 filled", ""),
    (("order buy @ 1 filled on MNQ1!. New strategy position is 1\norder sell @ 1 filled on MNQ1!. New strategy "
     "position is 0"), "refused body: order buy @ 1 filled", ""),
    # Bytes around the JSON, and broken JSON.
    ('\ufeff{"ticker": "MNQ1!", "action": "buy", "contracts": 1}', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1}\n\nSent by my alert, 5 minutes', "BUY 1 MNQ", "0 1 2 4"),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1}{"ticker": "MNQ1!", "action": "sell", "contracts": 1}',
     "refused body: message such as", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1}, "sl": 21480', "refused body: message such as", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "contracts": 1', "refused body: message such as", ""),
    ('{\u201cticker\u201d: "MNQ1!", "action": "buy", "contracts": 1}', "refused body: message such as", ""),
    ("{'ticker': 'MNQ1!', 'action': 'buy'}", "refused body: message such as", ""),
    ('[{"ticker": "MNQ1!", "action": "buy", "contracts": 1}]', "refused body: message such as", ""),
    ('{"ticker": "MNQ1!", "action": "buy", "action": "sell", "contracts": 1}', "refused action: give it once", ""),
]  # fmt: skip
