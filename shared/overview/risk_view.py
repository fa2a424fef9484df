"""The risk of all accounts as a person sees it: snapshots by their rules, with fresh quotes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from shared.clock import MarketClock
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import contracts, market_clock
from shared.db.orders import positions
from shared.db.risk import risk_snapshots
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.findings import Finding
from shared.hot.quotes import HotQuote, exit_price_from, open_quotes


@dataclass(frozen=True, slots=True)
class RiskView:
    """All accounts, their risk snapshots and the fresh quotes; `is_simulated` is true of a simulated venue."""

    accounts: list[AccountRow]
    snapshots: dict[int, RiskSnapshot]
    quotes: Mapping[str, HotQuote]
    clock: MarketClock
    is_simulated: bool

    def findings(self, account_id: int) -> list[Finding]:
        """Return the current findings of an account; none for an account without known rules."""
        snapshot = self.snapshots.get(account_id)
        if snapshot is None:
            return []
        market_now = self.clock.now()
        return check_account(snapshot.risk, snapshot.book, market_now, session_of(snapshot.risk, market_now))


def read_risk_view(connection: Connection, settings: Settings) -> RiskView:
    """Return the risk of every account now, with the fresh quotes of what is held and of what is tracked."""
    all_accounts = accounts.list_all(connection)
    ids = [one.id for one in all_accounts]
    row = market_clock.require(connection)
    held = {position.contract_id for position in positions.list_in_accounts(connection, ids)}
    quotes = read_fresh_quotes(settings, held | {one.id for one in contracts.list_tracked(connection)})
    prices, max_quantity = exit_price_from(quotes), settings.max_quantity
    snapshots = risk_snapshots.read(connection, all_accounts, row.clock, lambda _: prices, max_quantity=max_quantity)
    return RiskView(all_accounts, snapshots, quotes, row.clock, is_simulated=row.kind != "live")


def read_fresh_quotes(settings: Settings, contract_ids: Collection[str]) -> dict[str, HotQuote]:
    """Return the fresh quotes; none while Redis is unavailable."""
    if not contract_ids or not settings.cache_url:
        return {}
    with open_quotes(settings.cache_url) as reader:
        return reader.read(contract_ids)


def find_lock_out(account: AccountRow, market_now: datetime) -> datetime | None:
    """Return the end of an account's lock-out; None if it is not locked out."""
    until = account.locked_out_until_market_at
    return until if until is not None and market_now < until else None
