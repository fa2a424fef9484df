"""The strategies that come with Tickwork, by the names of their files."""

from collections.abc import Mapping

from shared.domain.strategies.strategy import Strategy
from strategies.mean_reversion import MeanReversion
from strategies.overnight_breakout import OvernightBreakout
from strategies.trend_following import TrendFollowing

STRATEGIES: Mapping[str, type[Strategy]] = {
    "mean_reversion": MeanReversion,
    "overnight_breakout": OvernightBreakout,
    "trend_following": TrendFollowing,
}
TRADED = ("mean_reversion",)  # evaluated at the simulator when a bar closes; the others are only backtested


def strategy_named(name: str) -> type[Strategy]:
    """Return the strategy; raise KeyError with the name and the known ones."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise KeyError(f"unknown strategy {name!r}: expected one of {', '.join(STRATEGIES)}") from None
