"""What an order by risk, and the copy of a plain order, would be on an account if the message were sent now."""

from contextlib import suppress
from dataclasses import replace

from cli.client.exit_forecast import AlertTrial
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts import copy_share
from shared.db.market_data import market_clock
from shared.db.risk import entry_check
from shared.domain.alerts.copy_ratio import SAME, UNKNOWN, OwnPart
from shared.domain.alerts.entry_terms import build_entry_terms
from shared.domain.market_data.contract import Contract
from shared.errors import RiskLimitError
from shared.hot.quotes import exit_price_from
from shared.overview.risk_view import read_fresh_quotes


def forecast_size(trial: AlertTrial, account: AccountRow, contract: Contract) -> int:
    """Return the contracts that the risk covers, 0 without a valid stop: then it closes all that is held against it."""
    market, risk = market_clock.read(trial.connection), trial.stored.risk
    if market is None or risk is None:
        return 0
    with suppress(RiskLimitError):
        return entry_check.size_by_risk(
            trial.connection,
            account,
            contract,
            build_entry_terms(trial.alert, 0),
            risk,
            settings=trial.settings,
            clock=market.clock,
            exit_prices=lambda held: exit_price_from(read_fresh_quotes(trial.settings, held)),
        )
    return 0


def forecast_part(trial: AlertTrial, account: AccountRow, contract: Contract) -> OwnPart | None:
    """Return what the message would do on the hook's own account, None for an account that it does not limit."""
    connection, stored, alert = trial.connection, trial.stored, trial.alert
    if not copy_share.is_limited(stored, alert, account.id):
        return None
    size, own = None, accounts.get(connection, stored.account_id)
    if alert.quantity is None and own is not None:
        size = forecast_size(replace(trial, stored=replace(stored, ratio=SAME)), own, contract)
    found = copy_share.find_part(connection, stored, alert, account.id, contract_id=contract.id, own_size=size or None)
    return found or UNKNOWN
