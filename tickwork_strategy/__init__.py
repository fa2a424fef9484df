"""All that a strategy imports: its base, what it sees, what it may decide, and indicators."""

from shared.domain.market_data.bar_columns import BarColumns
from shared.domain.orders.order import OrderType, Role, Side
from shared.domain.strategies import indicators
from shared.domain.strategies.decision import Cancel, Decision, Enter, EnterEither, Exit, MoveStop, Target
from shared.domain.strategies.parameters import between
from shared.domain.strategies.strategy import Strategy
from shared.domain.strategies.strategy_error import StrategyError, TooFewBarsError
from shared.domain.strategies.view import AccountFacts, OrderFacts, PositionFacts, View

__all__ = [
    "AccountFacts",
    "BarColumns",
    "Cancel",
    "Decision",
    "Enter",
    "EnterEither",
    "Exit",
    "MoveStop",
    "OrderFacts",
    "OrderType",
    "PositionFacts",
    "Role",
    "Side",
    "Strategy",
    "StrategyError",
    "Target",
    "TooFewBarsError",
    "View",
    "between",
    "indicators",
]
