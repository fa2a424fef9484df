"""The names of an alert's fields: those that are text, those that are numbers, and those that make another trade."""

TEXT_FIELDS = ("action", "symbol", "id", "time", "timenow", "order_type", "market_position", "prev_market_position")
NUMBER_FIELDS = (
    "quantity", "stop_loss_ticks", "take_profit_ticks", "stop_loss", "take_profit", "limit_price", "stop_price",
    "market_position_size", "trail_ticks",
)  # fmt: skip
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
TRADED_FIELDS = (*NUMBER_FIELDS, "order_type", "market_position")  # a trade without one of these is another trade
