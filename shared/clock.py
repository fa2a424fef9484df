"""The two clocks: machine time for leases and deadlines, market time for sessions, bars and fills."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def machine_now() -> datetime:
    """Return the computer's time as an aware datetime in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds of a clock that is never set; only the difference of two readings has a meaning."""
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class MarketClock:
    """Converts between machine time and market time.

    The instant `machine_origin` corresponds to `market_origin`; from there market time runs `speed` times as fast. With
    the live venue both origins are equal and the speed is 1, so market time is machine time.
    """

    machine_origin: datetime
    market_origin: datetime
    speed: int = 1

    @property
    def is_machine_time(self) -> bool:
        """Whether market time is machine time, as with the live venue."""
        return self.machine_origin == self.market_origin and self.speed == 1

    def now(self) -> datetime:
        """Return the current market time as an aware datetime in UTC."""
        return self.to_market(machine_now())

    def to_market(self, machine_at: datetime) -> datetime:
        """Convert an instant of machine time to market time."""
        return self.market_origin + (machine_at - self.machine_origin) * self.speed

    def to_machine(self, market_at: datetime) -> datetime:
        """Convert an instant of market time to machine time."""
        return self.machine_origin + (market_at - self.market_origin) / self.speed


def live_clock() -> MarketClock:
    """Return the clock of the real market: market time is machine time."""
    epoch = datetime.fromtimestamp(0, UTC)
    return MarketClock(epoch, epoch)


def time_until(machine_at: datetime) -> timedelta:
    """Return the time left until `machine_at`; negative if it has passed."""
    return machine_at - machine_now()
