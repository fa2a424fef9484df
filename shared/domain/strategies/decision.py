"""The decision of a strategy: an entry, with its stop and target in ticks from the entry price."""

from dataclasses import dataclass

from shared.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Decision:
    """A request to enter at the market; ticks are unsigned distances, `confidence` is between 0 and 1."""

    side: Side
    stop_loss_ticks: int
    take_profit_ticks: int
    confidence: float
    reason: str
