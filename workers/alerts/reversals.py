"""Closes what a target position reverses, whatever becomes of its entry."""

from shared.db.alerts import reversals
from workers.alerts.exit_requests import close_first
from workers.alerts.outcome import AccountAlert
from workers.context import Context
from workers.orders.current_state import find_read_only_reason, has_waited, read_root_state, require_certain


def close_reversed_positions(ctx: Context, account_alert: AccountAlert) -> list[str]:
    """Request a flatten of each contract that the alert reverses, unless one is open; return the contracts.

    Raise PostponedError for at most 15 s while it is not certain what is held, and RiskLimitError for an account whose
    live orders were never on.
    """
    stored, account_id, alert = account_alert.stored, account_alert.account_id, account_alert.alert
    if alert.target_position is None or find_read_only_reason(ctx, account_id) is not None:
        return []
    state = read_root_state(ctx, account_id, alert.root)
    if not has_waited(ctx):
        require_certain(state, list(filter(alert.symbol.names, state.contract_ids)))
    with ctx.autocommit() as connection:
        found = reversals.list_reversed(
            connection, stored, account_id, alert, state, correlation_id=ctx.job.correlation_id
        )
    if found:
        close_first(ctx, found, account_id)
    return found
