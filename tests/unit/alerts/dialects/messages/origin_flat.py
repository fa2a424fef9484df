"""The flat JSON of the first system, and what people sent to it by mistake, each with what it must lead to."""

from tests.unit.alerts.dialects.meaning import Row

ROWS: list[Row] = [
    # Positions from -1, 0, +1 and +3.
    ('{"action": "BUY", "symbol": "MNQ", "quantity": 1}', "BUY 1 MNQ", "0 1 2 4"),
    (('{"action": "LONG", "symbol": "MNQ", "quantity": 1, "price": 21500, "stop_loss": 21480.25, '
     '"take_profit": 21540.25}'), "BUY 1 MNQ sl 21480.25 tp 21540.25", "0 1 2 4"),
    ('{"action": "SHORT", "symbol": "MES", "quantity": "2", "stop_loss": "6,520.25"}',
     "SELL 2 MES sl 6520.25", "-3 -2 -1 1"),
    ('{"action": "sell", "symbol": "MNQ", "quantity": 1, "take_profit": null}', "SELL 1 MNQ", "-2 -1 0 2"),
    ('{"action": "CLOSE", "symbol": "MNQ"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "FLATTEN", "symbol": "MNQ", "quantity": 0, "stop_loss": 0}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "CLOSE", "symbol": "MNQ", "contracts": 1}', "refused contracts: quantity to close a part", ""),
    ('{"action": "CLOSE", "symbol": "MNQ", "contracts": 0}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "close_long", "symbol": "MNQ"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    # Its server traded 1 MNQ for a message without a symbol or a size: here both must be there.
    ('{"action": "BUY", "symbol": "MNQ"}', "refused quantity: whole number", ""),
    ('{"action": "BUY", "quantity": 1}', "refused symbol: message such as", ""),
    ('{"action": "BUY", "symbol": "MNQ", "contracts": 5}', "refused contracts: origin-railway", ""),
    ('{"action": "buy", "contracts": 5, "ticker": "ES1!"}', "refused symbol: message such as", ""),
    ('{"action": "BUY", "symbol": "MNQ", "quantity": 1, "stop_loss": 0}', "refused stop_loss: price above 0", ""),
    ('{"action": "HOLD", "symbol": "MNQ", "quantity": 1}', "refused action: expected one of buy", ""),
    ('{"action": "BUY", "symbol": "MNQ", "quantity": 1, "stoploss": "x"}', "refused stop_loss: price above 0", ""),
]  # fmt: skip
