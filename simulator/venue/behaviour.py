"""What no document says of the venue, or what it may do either way: chosen by whoever runs the simulator."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class EconomicEvent:
    """A release, such as the CPI, at a market instant."""

    name: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How limits fill and what market orders lose, what a closed market answers, how far back its minutes go.

    `limits_fill`: at a touch of the price, or only once it is traded through. `slippage_ticks` worsen what market
    orders and stops get. Bars below the hour end `minute_days` back, and with their contract. `market_payloads`: trades
    and depth come many in an array, or each as an object of its own.
    """

    limits_fill: Literal["through", "touch"] = "through"
    slippage_ticks: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    closed_code: Literal[2, 5] = 2
    minute_days: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    market_payloads: Literal["array", "object"] = "array"
    events: list[EconomicEvent] = field(default_factory=list)
