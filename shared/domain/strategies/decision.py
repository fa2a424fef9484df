"""What a strategy decided: a wish to enter, with its stop and target in ticks from the entry."""

from dataclasses import dataclass

from shared.domain.orders.order import Side


@dataclass(frozen=True, slots=True)
class Decision:
    """A wish to enter at the market; ticks are unsigned distances, `confidence` is between 0 and 1."""

    side: Side
    stop_loss_ticks: int
    take_profit_ticks: int
    confidence: float
    reason: str
