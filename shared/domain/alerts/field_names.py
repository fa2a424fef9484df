"""The names of an alert's fields, those that are text and those that are numbers, and how names are compared."""

import re

TEXT_FIELDS = ("action", "symbol", "id", "time", "timenow", "order_type", "market_position", "prev_market_position")
NUMBER_FIELDS = (
    "quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit", "limit_price", "stop_price",
    "market_position_size", "trail_ticks",
)  # fmt: skip
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
_SIGNS = re.compile(r"[^a-z0-9]")


def plain_name(name: str) -> str:
    """Return a field's name without case and signs: takeProfit and take_profit are the same."""
    return _SIGNS.sub("", name.lower())
