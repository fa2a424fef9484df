"""What accounts hold, as a line that a person confirms before it is closed."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from shared.db.accounts.accounts import AccountRow
from shared.db.orders import orders, positions
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import direction_of


def _may_close(account: AccountRow, *, is_simulated: bool) -> bool:
    """Whether positions of the account may be closed: at the real venue only if live orders were ever on."""
    return is_simulated or account.live_orders or account.live_since_at is not None


def split_closable(
    known: Iterable[AccountRow], *, is_simulated: bool
) -> tuple[Sequence[AccountRow], Sequence[AccountRow]]:
    """Return the accounts of which positions may be closed, and the others."""
    found = list(known)
    chosen = [one for one in found if _may_close(one, is_simulated=is_simulated)]
    return chosen, [one for one in found if one not in chosen]


def describe_holdings(
    connection: Connection, chosen: Sequence[AccountRow], contract_ids: Collection[str] | None
) -> str:
    """Return the positions and orders of the accounts in our rows, as one line."""
    holdings = [(one, _list_holdings(connection, one.id, contract_ids)) for one in chosen]
    return "; ".join(f"{one.name} ({one.id}) {', '.join(found) or 'no position, no order'}" for one, found in holdings)


def _list_holdings(connection: Connection, account_id: int, contract_ids: Collection[str] | None) -> list[str]:
    held = [
        f"{direction_of(row.quantity)} {abs(row.quantity)} {shorten_contract(row.contract_id)}"
        for row in positions.list_of_account(connection, account_id)
        if contract_ids is None or row.contract_id in contract_ids
    ]
    open_orders = orders.list_open(connection, account_id)
    count = sum(contract_ids is None or order.contract_id in contract_ids for order in open_orders)
    return held + ([count_of(count, "order")] if count else [])
