"""The price at which the guard places the stop of a position."""

import logging
from decimal import Decimal

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.orders.positions import PositionRow
from shared.db.orders.stops import find_newest_entry
from shared.db.risk import risk_snapshots
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import MIN_TICKS, Side
from shared.domain.orders.stop_moves import keep_off_market, round_to_tick
from shared.domain.risk.headroom import headroom_of_position, most_stop_ticks
from shared.errors import RefusedError
from shared.hot.quotes import exit_price_from
from workers.context import Context

log = logging.getLogger(__name__)

# For a position without a stop distance: this share of the smallest account's max loss limit.
EXTERNAL_RISK_SHARE = Decimal("0.10")
_EXTERNAL_RISK_BUDGET = Decimal(2_000)  # dollars


def find_stop_price(connection: Connection, ctx: Context, position: PositionRow, contract: Contract) -> Decimal | None:
    """Return the price for the stop of a position; None while no price of the position is known.

    It is as far from the average price as the newest entry of the position sets. Without one it is as far as the
    account sets, else as EXTERNAL_RISK_SHARE of the budget allows, and then no farther than the loss that the limits of
    the account still allow. It is at least MIN_TICKS from the average price, and from the market unless the market is
    through it already.
    """
    entry = find_newest_entry(connection, position)
    basis = position.average_price
    if basis is None:
        basis = entry.average_fill_price if entry is not None else None
    if basis is None:
        return None
    ticks = entry.stop_loss_ticks if entry is not None else None
    if ticks is None:
        ticks = _find_external_distance(connection, ctx, position, contract)
    side = Side.BUY if position.quantity > 0 else Side.SELL
    price = round_to_tick(basis, contract) - side.sign * ticks * contract.tick_size
    exit_price = exit_price_from(ctx.quotes.read([contract.id]))(contract.id, position.quantity)
    return keep_off_market(price, exit_price, side, contract)


def _find_external_distance(connection: Connection, ctx: Context, position: PositionRow, contract: Contract) -> int:
    account = accounts.get(connection, position.account_id)
    quantity = abs(position.quantity)
    ticks = account.default_stop_ticks if account is not None else None
    if ticks is None:
        ticks = int(_EXTERNAL_RISK_BUDGET * EXTERNAL_RISK_SHARE / (quantity * contract.tick_value))
    headroom = None if account is None else _find_headroom(connection, ctx, account, contract)
    if headroom is not None:
        ticks = min(ticks, most_stop_ticks(headroom, contract.tick_value, quantity))
    return max(ticks, MIN_TICKS)


def _find_headroom(connection: Connection, ctx: Context, account: AccountRow, contract: Contract) -> Decimal | None:
    try:
        snapshot = risk_snapshots.read(
            connection, [account], ctx.clock, lambda held: exit_price_from(ctx.quotes.read(held))
        ).get(account.id)
    except (RefusedError, LookupError, ArithmeticError, ValueError):  # a stop at some distance is better than none
        log.exception("account %s: the loss that its limits still allow is not known", account.id)
        return None
    return None if snapshot is None else headroom_of_position(snapshot.risk, snapshot.book, contract.id)
