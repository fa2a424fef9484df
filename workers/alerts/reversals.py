"""What a target position reverses: what is held on the other side, which an exit closes."""

from shared.db.alerts import precedence
from shared.db.alerts.entry_denials import came_too_late
from shared.db.orders import flatten_requests
from workers.alerts.current_state import has_waited, read_root_state, require_certain
from workers.alerts.outcome import AccountAlert
from workers.context import Context


def list_reversed(ctx: Context, account_alert: AccountAlert) -> list[str]:
    """Return the contracts that are held against a target position; none for another alert.

    What a later request has closed or entered is left, and all of it if an alert that was sent later was received
    first, as that one may have entered it. Raise PostponedError for at most 15 s while it is not certain what is held.
    """
    stored, account_id, alert = account_alert.stored, account_alert.account_id, account_alert.alert
    if alert.target_position is None:
        return []
    state = read_root_state(ctx, account_id, alert.root)
    named = list(filter(alert.symbol.names, state.contract_ids))
    if not has_waited(ctx):
        require_certain(state, named)
    opposite = [contract_id for contract_id in named if state.quantity(contract_id) * alert.target_position < 0]
    if not opposite:
        return []
    with ctx.autocommit() as connection:
        if came_too_late(connection, stored):
            return []
        entered_later = precedence.list_entered_later(connection, stored, account_id)
        return [
            contract_id
            for contract_id in opposite
            if contract_id not in entered_later
            and not flatten_requests.has_later_close(
                connection, account_id, contract_id, ctx.job.correlation_id, stored
            )
        ]
