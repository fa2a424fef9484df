"""The behaviour of the venue that its documents leave open; the user of the simulator chooses it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class EconomicEvent:
    """An economic release, such as the CPI, at a market instant."""

    name: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour of the venue.

    `limits_fill`: limit orders fill at a touch of the price, or only once it is traded through. `slippage_ticks`: how
    much worse market orders and stops fill. `closed_code`: the error code of an order in a closed market.
    `minute_days`: second and minute bars go back this many days (None: no limit), and end with their contract.
    `market_payloads`: trades and depth come in arrays, or each as an object. `query_order`: the order in which
    Order/v2/query lists rows unless the request says it. `fills_update_orders`: a fill sets `updateTimestamp` of its
    order, or leaves it at the acceptance, activation or last change. `serialises_closes`: the order of a close fills at
    most the position left, or, with False, all of it, so that two at once reverse the position. `events`: around them
    no new position in equity index minis is accepted.
    """

    limits_fill: Literal["through", "touch"] = "through"
    slippage_ticks: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    closed_code: Literal[2, 5] = 2
    minute_days: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    market_payloads: Literal["array", "object"] = "array"
    query_order: Literal["newest_first", "oldest_first"] = "newest_first"
    fills_update_orders: bool = False
    serialises_closes: bool = True
    events: list[EconomicEvent] = field(default_factory=list)
