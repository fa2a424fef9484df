"""The list of all strategies: only these are evaluated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.orders.order import Direction
from shared.domain.strategies.decision import Decision
from strategies import mean_reversion


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy and its input: `bars_needed` closed bars of `timeframe`, oldest first."""

    name: str
    timeframe: Timeframe
    bars_needed: int
    decide: Callable[[Sequence[Bar], Direction], Decision | None]
    is_enabled_on_simulator: bool


STRATEGIES: tuple[Strategy, ...] = (
    Strategy(
        "mean_reversion",
        mean_reversion.TIMEFRAME,
        mean_reversion.BARS_NEEDED,
        mean_reversion.decide,
        is_enabled_on_simulator=True,
    ),
)


def strategy_named(name: str) -> Strategy:
    """Return the strategy; raise KeyError with the name and the known ones."""
    for strategy in STRATEGIES:
        if strategy.name == name:
            return strategy
    raise KeyError(f"unknown strategy {name!r}: expected one of {', '.join(strategy.name for strategy in STRATEGIES)}")
