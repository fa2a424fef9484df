"""The clocks a market can run on: with the computer's, or loss_state until somebody moves it."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Market time. The clocks that run are shared.clock.MarketClock; `speed` is market seconds per machine second."""

    @property
    def speed(self) -> int:
        """How fast it runs."""
        ...

    def now(self) -> datetime:
        """Return the market's time now, aware, in UTC."""
        ...


class SteppedClock:
    """Stands at a market instant until it is moved on, so that a test sees every state at its leisure.

    Latencies of the venue pass on it too: a market order fills once the clock has been moved by 10 ms.
    """

    speed = 1

    def __init__(self, market_at: datetime) -> None:
        self._market_at = market_at

    def now(self) -> datetime:
        """Return the instant it stands at."""
        return self._market_at

    def move_on(self, market_at: datetime) -> None:
        """RiskSnapshot at a later instant; raise ValueError for an earlier one."""
        if market_at < self._market_at:
            raise ValueError(f"market time cannot go back from {self._market_at} to {market_at}")
        self._market_at = market_at

    def move_on_by(self, duration: timedelta) -> None:
        """RiskSnapshot that much later."""
        self.move_on(self._market_at + duration)
