"""Reads what the watch checks: the accounts, what they hold, the quotes and the risk snapshots."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import positions
from shared.db.orders.positions import PositionRow
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import ExitPrice, RiskSnapshot
from shared.errors import RefusedError
from shared.hot.quotes import HotQuote, exit_price_from
from workers.risk.watch_run import WatchRun

log = logging.getLogger(__name__)

_UNREADABLE = (RefusedError, LookupError, ArithmeticError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class WatchedAccounts:
    """All accounts, the risk of those that could be read, their positions, and the quotes of what they hold."""

    accounts: Sequence[AccountRow]
    snapshots: Mapping[int, RiskSnapshot]
    held: Mapping[int, Sequence[PositionRow]]
    quotes: Mapping[str, HotQuote]

    def oldest_quote_at(self, account_id: int) -> datetime | None:
        """Return when the oldest quote of a contract that the account holds was received; None without any."""
        received = [
            self.quotes[row.contract_id].received_at
            for row in self.held.get(account_id, ())
            if row.contract_id in self.quotes
        ]
        return min(received, default=None)


def read_accounts(run: WatchRun) -> WatchedAccounts:
    """Read every account; an account that cannot be read keeps no other from being watched."""
    with run.begin() as connection:
        all_accounts = accounts.list_all(connection)
        held = positions.list_in_accounts(connection, [account.id for account in all_accounts])
    quotes = run.quotes.read({row.contract_id for row in held})  # between two transactions: Redis may not answer
    snapshots = _read_snapshots(run, all_accounts, exit_price_from(quotes))
    by_account: defaultdict[int, list[PositionRow]] = defaultdict(list)
    for row in held:
        by_account[row.account_id].append(row)
    return WatchedAccounts(all_accounts, snapshots, by_account, quotes)


def _read_snapshots(run: WatchRun, all_accounts: Sequence[AccountRow], prices: ExitPrice) -> dict[int, RiskSnapshot]:
    """Return the snapshots of all accounts; of those that can be read if one cannot."""
    most = run.settings.max_quantity

    def read(some: Sequence[AccountRow]) -> dict[int, RiskSnapshot]:
        with run.begin() as connection:
            return risk_snapshots.read(connection, some, run.clock, lambda _: prices, max_quantity=most)

    try:
        return read(all_accounts)
    except _UNREADABLE:
        snapshots: dict[int, RiskSnapshot] = {}
    for account in all_accounts:
        try:
            snapshots |= read([account])
        except _UNREADABLE:
            log.exception("account %s could not be read, so it is not watched", account.id)
    return snapshots
