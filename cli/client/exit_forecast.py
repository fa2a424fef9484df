"""What an exit, a cancel or a change of stops would find on one account, if it came now."""

from dataclasses import dataclass

from sqlalchemy import Connection

from cli.client.alert_outlook import AlertOutlook
from cli.client.alert_reading import describe_request
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts.alerts import StoredAlert
from shared.db.orders import root_state
from shared.domain.alerts.alert import Alert, AlertAction
from shared.domain.counting import count_of
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import direction_of
from shared.domain.orders.position import show_position
from shared.errors import RiskLimitError

NO_ACCOUNT = "no account is chosen: --hook NAME shows what its accounts make of it"


@dataclass(frozen=True, slots=True)
class AlertTrial:
    """An alert as if it had just been received, in one account or without one."""

    connection: Connection
    settings: Settings
    stored: StoredAlert
    alert: Alert
    contract: Contract | None
    account: AccountRow | None


def decide_exit(trial: AlertTrial) -> tuple[AlertOutlook, str]:
    """Return what an exit, a cancel or a change of stops would find: it is denied only if live orders were never on."""
    alert, account = trial.alert, trial.account
    if account is None:
        return AlertOutlook.UNKNOWN, NO_ACCOUNT
    if not trial.settings.venue.is_simulator and account.live_since_at is None:
        raise RiskLimitError(accounts.NEVER_LIVE.format(account.id))
    state = root_state.read(trial.connection, account.id, alert.root)
    named = list(filter(alert.symbol.names, state.contract_ids))
    held = [one for one in named if state.quantity(one)]
    main = trial.contract.id if trial.contract is not None and trial.contract.id in held else next(iter(held), None)
    held = [one for one in held if _is_meant(alert, state.quantity(one), is_main=one == main)]
    resting = [row for one in named for row in state.resting_entries(one)]
    found = [f"{show_position(state.quantity(one))} {one} is held" for one in held]
    if alert.action is AlertAction.CANCEL:
        found = []
    if resting and alert.action in {AlertAction.CANCEL, AlertAction.CLOSE}:
        found.append(f"{count_of(len(resting), 'entry', 'entries')} at rest")
    if not found:
        return AlertOutlook.NOTHING, f"nothing that it means is held or rests in {alert.symbol.text}"
    return AlertOutlook.TRADES, f"{describe_request(alert)}: {', '.join(found)}"


def _is_meant(alert: Alert, held: int, *, is_main: bool) -> bool:
    """Whether a position is on the side that is closed, and beyond the one that is wanted, in the main month."""
    target_position = alert.target_position
    is_beyond = target_position is None or held * target_position < 0 or abs(held) > abs(target_position)
    return (is_beyond or not is_main) and alert.only_direction in {None, direction_of(held)}
