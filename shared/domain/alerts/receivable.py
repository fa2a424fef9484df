"""Whether an entry can be taken when it is received: by the sender's clock, and in a contract that is traded."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.alerts.alert import Alert
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.market_data.contract import root_of_contract
from shared.domain.market_data.symbol import Symbol
from shared.domain.market_data.tracking import suggest_tracking

MAX_AHEAD = timedelta(seconds=60)  # of a sender's clock


def require_receivable(alert: Alert, now: datetime, traded: Sequence[str]) -> None:
    """Raise RefusedAlertError for an entry from the future, or in a contract that is not traded; exits pass.

    `traded` are the ids of the active contracts, empty while they are not known: then any contract passes. A target
    position may close another month of a traded root, so its month is left to the job.
    """
    if not alert.action.is_entry:
        return
    if alert.sent_at is not None and alert.sent_at - now > MAX_AHEAD:
        ahead = (alert.sent_at - now).total_seconds()
        raise RefusedAlertError(
            f"timenow is {ahead:,.0f} s ahead of this computer's clock",
            field="timenow",
            hint=f"set the clock of this computer or of the sender: at most {MAX_AHEAD.seconds} s are accepted",
        )
    symbol = alert.symbol if alert.target_position is None else Symbol(alert.symbol.text, alert.root)
    if traded and not any(map(symbol.names, traded)):
        roots, wanted = list(dict.fromkeys(root_of_contract(one).name for one in traded)), alert.root.name
        track = "" if wanted in roots else f"; to track {wanted} too, {suggest_tracking([*roots, wanted])}"
        raise RefusedAlertError(
            f"symbol {alert.symbol.text!r} means no contract that is traded here",
            field="symbol",
            hint=f"traded are {', '.join(traded)}: send the root or the month of one of them{track}",
        )


def drop_future_time(alert: Alert, received_at: datetime) -> Alert:
    """Return the alert without its time if that is far ahead: otherwise every entry after it would be late."""
    is_ahead = alert.sent_at is not None and alert.sent_at - received_at > MAX_AHEAD
    return replace(alert, sent_at=None) if is_ahead else alert
