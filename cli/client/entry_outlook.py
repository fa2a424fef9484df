"""Whether an account may enter each tracked contract now, by the questions that every entry is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts
from shared.db.risk import entry_check
from shared.db.risk.entry_check import Obstacle
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.order import MIN_TICKS, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.hot.quotes import exit_price_from
from shared.overview.risk_view import RiskView

_NOTHING_TRACKED = Obstacle(
    "nothing_tracked", "no tracked contract is active: `tickwork status` shows whether everything runs"
)


@dataclass(frozen=True, slots=True)
class EntryOutlook:
    """Why one contract, bought or sold at the market with the nearest stop, would not be entered; empty if it would."""

    contract_id: str
    side: Side
    obstacles: list[Obstacle]


def list_outlooks(connection: Connection, found: RiskView, account: AccountRow) -> list[EntryOutlook]:
    """Return what becomes of the smallest entry of each side in each contract that is tracked and active."""
    price = exit_price_from(found.quotes)
    return [
        EntryOutlook(
            contract.id,
            side,
            entry_check.find_obstacles(
                connection,
                account,
                contract,
                EntryTerms(side=side, quantity=1, stop_loss_ticks=MIN_TICKS),
                snapshot=found.snapshots.get(account.id),
                price=price(contract.id, -side.sign),  # the opposite position closes where this one opens
                is_simulated=found.is_simulated,
                clock=found.clock,
            ),
        )
        for contract in contracts.list_tracked(connection)
        if contract.is_active
        for side in Side
    ]


def list_common_obstacles(outlooks: Sequence[EntryOutlook]) -> list[Obstacle]:
    """Return why nothing would be entered: what stands in the way of every entry, else of one or the other.

    Empty if something would be.
    """
    if not outlooks:
        return [_NOTHING_TRACKED]
    if not all(one.obstacles for one in outlooks):
        return []
    different = list(dict.fromkeys(reason for one in outlooks for reason in one.obstacles))
    common = [reason for reason in different if all(reason in one.obstacles for one in outlooks)]
    return common or different


def describe_exceptions(outlooks: Sequence[EntryOutlook]) -> list[str]:
    """Return a line for each reason that only some entries have, with those entries."""
    entries_of: dict[Obstacle, dict[str, list[Side]]] = {}
    for one in outlooks:
        for reason in one.obstacles:
            entries_of.setdefault(reason, {}).setdefault(one.contract_id, []).append(one.side)
    return [
        f"No entry {', '.join(_describe_entries(*entry) for entry in entries.items())}: {reason.message}"
        for reason, entries in entries_of.items()
        if sum(map(len, entries.values())) < len(outlooks)
    ]


def _describe_entries(contract_id: str, sides: Sequence[Side]) -> str:
    name = shorten_contract(contract_id)
    return f"in {name}" if len(sides) == len(Side) else f"to {sides[0]} {name}"
