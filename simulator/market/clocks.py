"""The clock protocol of a market, and a clock that moves only in steps."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Market time. shared.clock.MarketClock runs with the machine; `speed` is market seconds per machine second."""

    @property
    def speed(self) -> int:
        """Market seconds per machine second."""
        ...

    def now(self) -> datetime:
        """Return the current market time, aware, in UTC."""
        ...


class SteppedClock:
    """Market time that stands still until it is advanced, so that a test can examine every state.

    The venue's latencies use it too: a market order fills once the clock has advanced by 10 ms.
    """

    speed = 1

    def __init__(self, market_at: datetime) -> None:
        self._market_at = market_at

    def now(self) -> datetime:
        """Return the current market time."""
        return self._market_at

    def advance_to(self, market_at: datetime) -> None:
        """Advance to a later instant; raise ValueError for an earlier one."""
        if market_at < self._market_at:
            raise ValueError(f"market time cannot go back from {self._market_at} to {market_at}")
        self._market_at = market_at
