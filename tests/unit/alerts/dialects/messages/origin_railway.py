"""The documented JSON of the first system, and mistakes in it, each with what it must lead to."""

from tests.unit.alerts.dialects.meaning import Row

ROWS: list[Row] = [
    # Positions from -1, 0, +1 and +3.
    ('{"action": "buy", "contracts": 1, "ticker": "MNQ1!", "price": 21500.25, "strategy": "ORB"}',
     "BUY 1 MNQ", "0 1 2 4"),
    ('{"action": "sell", "contracts": "5", "ticker": "ES1!", "price": "6500", "strategy": "x"}',
     "SELL 5 ES", "-6 -5 -4 -2"),
    ('{"action": "buy", "contracts": 1, "ticker": "CME_MINI:MNQ1!", "stop_loss_ticks": 40}',
     "BUY 1 MNQ sl 40t", "0 1 2 4"),
    ('{"action": "close", "contracts": 1, "ticker": "MNQ1!"}', "CLOSE 1 MNQ", "0 0 0 2"),
    ('{"action": "close", "contracts": "all", "ticker": "MNQ1!"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "exit_long", "ticker": "MNQ1!"}', "CLOSE LONG MNQ", "-1 0 0 0"),
    ('{"action": "sell", "contracts": 1, "ticker": "MNQ1!", "market_position": "flat"}', "CLOSE MNQ", "0 0 0 0"),
    ('{"action": "buy", "ticker": "MNQ1!"}', "refused quantity: whole number", ""),
    ('{"action": "buy", "contracts": 1}', "refused ticker: message such as", ""),
    ('{"action": "buy", "contract": 1, "ticker": "MNQ1!"}', "refused contract: contracts", ""),
    ('{"action": "{{strategy.order.action}}", "contracts": 1, "ticker": "MNQ1!"}', "refused action: buy", ""),
]  # fmt: skip
