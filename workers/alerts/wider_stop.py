"""Whether the risk rules let an alert move a stop away from the market."""

from decimal import Decimal

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.risk import risk_snapshots
from shared.db.risk.entry_check import describe_finding
from shared.domain.orders.stop_moves import StoppedPosition
from shared.domain.risk.entry_rules import SizedEntry, check_wider_stop
from shared.errors import RiskLimitError
from shared.hot.quotes import exit_price_from
from workers.context import Context


def require_may_widen(
    connection: Connection,
    ctx: Context,
    account_id: int,
    position: StoppedPosition,
    *,
    price: Decimal,
    exit_price: Decimal,
) -> None:
    """Raise RiskLimitError if a halt, a loss limit or a stop rule of entries forbids a wider stop at `price`.

    The caller has locked the account; `exit_price` is that at which the position can be closed now, before the stop.
    """
    account = accounts.get(connection, account_id)
    found = (
        {}
        if account is None
        else risk_snapshots.read(
            connection,
            [account],
            ctx.clock,
            lambda held: exit_price_from(ctx.quotes.read(held)),
            max_quantity=ctx.settings.max_quantity,
        )
    )
    snapshot = found.get(account_id)
    if snapshot is None:
        raise RiskLimitError(
            f"a stop at {position.format_price(price)} would be wider, and the rules of account {account_id} are not "
            "known"
        )
    reasons = [] if snapshot.account.halt is None else [f"the account is halted: {snapshot.account.halt}"]
    findings = check_wider_stop(
        _to_entry(position, position.breakeven_price, price),
        _to_entry(position, exit_price, price),
        snapshot.risk,
        snapshot.book,
        ctx.market_now,
    )
    if reasons := [*reasons, *map(describe_finding, findings)]:
        now = ", ".join(position.format_price(stop.price) for stop in position.stops)
        raise RiskLimitError(
            f"a stop at {position.format_price(price)} of {position.contract.id} is wider than at {now}: "
            f"{'; '.join(reasons)}"
        )


def _to_entry(position: StoppedPosition, basis: Decimal, stop: Decimal) -> SizedEntry:
    ticks = int((basis - stop) * position.side.sign / position.contract.tick_size)
    return SizedEntry(position.contract, position.side, abs(position.quantity), ticks)
