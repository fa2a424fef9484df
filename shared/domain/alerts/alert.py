"""An alert: what a webhook asks for, and the actions that there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shared.domain.alerts.payload import Json
from shared.domain.market_data.contract import Root
from shared.domain.market_data.symbol import Symbol
from shared.domain.orders.order import Direction, OrderType


class AlertAction(StrEnum):
    """The action that an alert requests.

    The column `alert.action` has TARGET for a BUY or SELL with a target position (`Alert.kind`): it says all that the
    sender wants to hold, so it may also close, and an exit that arrives after it can be late.
    """

    BUY = "BUY"
    SELL = "SELL"
    CLOSE = "CLOSE"
    CANCEL = "CANCEL"  # the entries that rest
    MOVE_STOP = "MOVE_STOP"  # to a price, or to a distance from the average price
    BREAKEVEN = "BREAKEVEN"  # the stop to the average price
    TRAIL = "TRAIL"  # the stop behind the best price
    TEST = "TEST"  # is received and trades nothing

    @property
    def is_entry(self) -> bool:
        """Whether it may open or enlarge a position."""
        return self in {AlertAction.BUY, AlertAction.SELL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The request of a webhook; ticks are unsigned distances.

    `quantity` is None for a CLOSE of the whole position, and for an entry that its hook sizes by risk.
    `target_position`, negative for short, is the position that the sender wants, if the alert says it: then the
    difference to what is held is traded, and `quantity` is the size of that position. A CLOSE with one takes off what
    is held beyond it, and never opens. A CLOSE has no stop, target or type: what it does not use cannot stop it.
    `only_direction` closes a position only if that is its direction, and `kept_direction` is the direction in which the
    chart stays after this exit, when the alert gives no remaining size. `prev_direction` is that of the chart's
    position before the alert, None if the alert does not say it. MOVE_STOP has a `stop_loss` or `stop_loss_ticks`,
    TRAIL `trail_ticks`.
    """

    action: AlertAction
    symbol: Symbol
    quantity: int | None = None
    target_position: int | None = None
    only_direction: Direction | None = None
    kept_direction: Direction | None = None
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None  # of a limit or stop entry
    external_id: str | None = None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trail_ticks: int | None = None
    prev_direction: Direction | None = None
    alert_time: str | None = None  # `timenow`, else `time`, as it was sent
    sent_at: datetime | None = None  # `timenow`, if it is readable
    extras: Mapping[str, Json]
    is_storable: bool = True  # whether jsonb can store the body

    @property
    def kind(self) -> str:
        """The action as it is stored: TARGET for one that has a target position and may open it."""
        return "TARGET" if self.target_position is not None and self.action.is_entry else self.action

    @property
    def closes_all(self) -> bool:
        """Whether it closes whatever is held: no part of it, on either side."""
        is_part = (self.quantity, self.target_position, self.only_direction) != (None, None, None)
        return self.action is AlertAction.CLOSE and not is_part

    @property
    def root(self) -> Root:
        """The root of the symbol."""
        return self.symbol.root
