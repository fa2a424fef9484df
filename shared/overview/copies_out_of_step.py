"""Copies that hold more than their share: the two accounts have filled or were stopped out at different times."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.db.alerts import copies
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.position import show_position

_SINCE = timedelta(minutes=1)  # until then an alert may still be on its way on one of them


def find_larger_copies(connection: Connection) -> str | None:
    """Return which copies hold more than the ratio of the position of the hook's own account; None if there is none."""
    found = copies.list_larger(connection, _SINCE)
    if not found:
        return None
    shown = "; ".join(
        f"{one.account} holds {show_position(one.quantity)} of {shorten_contract(one.contract_id)} by hook {one.hook}, "
        f"more than {one.ratio.normalize():f} of {show_position(one.own_quantity)}, which its own account holds"
        for one in found
    )
    return (
        f"{shown}: the accounts were filled or stopped out at different times, and the next alerts count on what each "
        "holds. `tickwork positions close SYMBOL --account ACCOUNT` closes a copy, or leave it to its stop"
    )
