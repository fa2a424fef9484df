"""Which stops of a position move to a price, and whether they would rest there."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from shared.domain.market_data.contract import Contract
from shared.domain.market_data.price_text import format_price
from shared.domain.orders.order import MIN_TICKS, Side
from shared.errors import RefusedError


@dataclass(frozen=True, slots=True)
class StopLevel:
    """A working stop and its price."""

    id: UUID
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class StoppedPosition:
    """A position with its working stops; `quantity` is above zero when long.

    `exit_price` is that at which it can be closed now, None without a fresh quote.
    """

    contract: Contract
    quantity: int
    average_price: Decimal
    exit_price: Decimal | None
    stops: tuple[StopLevel, ...]

    @property
    def side(self) -> Side:
        """The side of the entries of the position."""
        return Side.BUY if self.quantity > 0 else Side.SELL

    @property
    def breakeven_price(self) -> Decimal:
        """The average price, to the tick."""
        return round_to_tick(self.average_price, self.contract)

    def format_price(self, price: Decimal | None) -> str:
        """Return a price as text, with the decimals of the contract."""
        return "an unknown price" if price is None else format_price(price, self.contract.tick_size)

    def protects_more(self, price: Decimal, other: Decimal) -> bool:
        """Whether a stop at `price` leaves less to lose than one at `other`."""
        return (price - other) * self.side.sign > 0


@dataclass(frozen=True, slots=True)
class StopMove:
    """A move of stops to `price`: those that change, and those that stay because they protect more."""

    price: Decimal
    moved: tuple[StopLevel, ...]
    better: tuple[StopLevel, ...] = ()

    def is_wider(self, position: StoppedPosition) -> bool:
        """Whether a stop that moves protects more where it is now."""
        return any(stop.price is not None and position.protects_more(stop.price, self.price) for stop in self.moved)


def plan_breakeven(position: StoppedPosition) -> StopMove:
    """Return the move of the stops to the average price; one that protects more stays where it is."""
    price = position.breakeven_price
    better = tuple(
        stop for stop in position.stops if stop.price is not None and position.protects_more(stop.price, price)
    )
    moved = tuple(stop for stop in position.stops if stop.price != price and stop not in better)
    return StopMove(price, moved, better)


def plan_stop_move(position: StoppedPosition, *, price: Decimal | None, ticks: int | None) -> StopMove:
    """Return the move of the stops to `price`, to the tick, or else to `ticks` from the average price.

    Raise RefusedError for a price that is not above 0.
    """
    contract = position.contract
    if price is not None:
        wanted = round_to_tick(price, contract)
    else:
        wanted = position.breakeven_price - position.side.sign * (ticks or 0) * contract.tick_size
    if wanted <= 0:
        raise RefusedError(f"invalid stop {position.format_price(wanted)} of {contract.id}: expected a price above 0")
    return StopMove(wanted, tuple(stop for stop in position.stops if stop.price != wanted))


def require_to_rest(position: StoppedPosition, price: Decimal) -> None:
    """Raise RefusedError if a stop at `price` would fill at once or is nearer to the market than the venue accepts.

    Raise it also if no fresh quote can tell.
    """
    contract_id, now, shown = position.contract.id, position.exit_price, position.format_price
    if now is None:
        raise RefusedError(
            f"no fresh quote of {contract_id}: cannot tell whether the market is already through {shown(price)}"
        )
    nearest = now - position.side.sign * MIN_TICKS * position.contract.tick_size
    what = "breakeven" if price == position.breakeven_price else shown(price)
    expected = f"expected {shown(nearest)}, or a price {'below' if position.side is Side.BUY else 'above'} it"
    if not position.protects_more(now, price):
        raise RefusedError(
            f"a stop at {what} would fill at once: {contract_id} could be closed at {shown(now)}, and the average "
            f"price is {shown(position.average_price)} ({shown(position.breakeven_price)} to the tick): {expected}"
        )
    if position.protects_more(price, nearest):
        raise RefusedError(
            f"a stop at {what} is nearer than the {MIN_TICKS} ticks that the venue accepts: {contract_id} could be "
            f"closed at {shown(now)}: {expected}"
        )


def keep_off_market(price: Decimal, exit_price: Decimal | None, side: Side, contract: Contract) -> Decimal:
    """Return the price of a new stop, or the nearest that the venue accepts if it is nearer to the market than that.

    `side` is that of the entries of the position. A price that the market is through stays: such a stop cannot rest.
    """
    if exit_price is None:
        return price
    nearest = exit_price - side.sign * MIN_TICKS * contract.tick_size
    is_too_near = (price - nearest) * side.sign > 0 and (exit_price - price) * side.sign > 0
    return nearest if is_too_near else price


def round_to_tick(price: Decimal, contract: Contract) -> Decimal:
    """Return the price to the nearest tick."""
    return (price / contract.tick_size).to_integral_value() * contract.tick_size
