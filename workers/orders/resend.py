"""Whether an entry that the venue has never received may be sent again, by the rules as they are now."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.accounts.installations import describe_read_only
from shared.db.market_data import contracts
from shared.db.orders import changes
from shared.db.orders.orders import OrderRow
from shared.db.risk import risk_snapshots
from shared.db.risk.entry_check import describe_finding
from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.domain.orders.order import ChangeKind
from shared.domain.risk.entry_rules import SizedEntry, check_resend
from shared.errors import PostponedError
from shared.hot.quotes import exit_price_from
from workers.context import Context

_RETRY_AFTER = timedelta(seconds=5)  # each attempt searches the venue before


def find_obstacle(connection: Connection, ctx: Context, order: OrderRow) -> str | None:
    """Return why the entry may not be sent again, None if it may; raise PostponedError while a price is missing."""
    account = accounts.get(connection, order.account_id)
    if account is None:
        return f"account {order.account_id} does not exist"
    read_only = describe_read_only(account, ctx.market_now)
    if read_only is not None:
        return read_only
    if changes.has_open(connection, order.id, ChangeKind.CANCEL):
        return "its cancel was requested"
    contract = contracts.require(connection, order.contract_id)
    snapshot = risk_snapshots.read(
        connection,
        [account],
        ctx.clock,
        lambda held: exit_price_from(ctx.quotes.read(held)),
        max_quantity=ctx.settings.max_quantity,
    ).get(account.id)
    if snapshot is None:
        return f"the stage of account {account.name} is unknown"
    found = check_resend(
        SizedEntry(contract, order.side, order.quantity, order.stop_loss_ticks),
        snapshot.risk,
        snapshot.book,
        ctx.market_now,
        calendar=calendar_of(ROOTS[contract.root].group),
    )
    if found and all(finding.rule == "price" for finding in found):
        raise PostponedError("; ".join(finding.message for finding in found), _RETRY_AFTER)
    return "; ".join(map(describe_finding, found)) or None
