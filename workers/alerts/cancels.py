"""The cancel that an alert requests: of the entries that rest, and of those on their way once they rest."""

from uuid import UUID

from shared.db.alerts import precedence
from shared.db.orders import changes, orders
from shared.db.orders.root_state import is_resting
from shared.domain.counting import count_of
from shared.domain.orders.order import ChangeKind, OrderState, OrderType, Role
from shared.errors import PostponedError, RiskLimitError
from shared.ledger.ledger import Transaction
from workers.alerts.outcome import AccountAlert, record_outcome, request_cancels
from workers.context import Context
from workers.orders.current_state import RETRY_AFTER, read_root_state
from workers.orders.exit_permission import lock_and_find_denial


def _has_filled(tx: Transaction, order_id: UUID) -> bool:
    order = orders.get(tx.connection, order_id)
    return order is not None and order.state is OrderState.FILLED


_MAY_BE_UNSENT = frozenset({OrderState.CREATED, OrderState.IN_DOUBT})


def cancel_entries(ctx: Context, account_alert: AccountAlert) -> dict[str, str]:
    """Request a cancel of every resting entry that the symbol means and that is older than the alert.

    Stops, targets and exits stay. Raise PostponedError while such an entry is on its way, also in an alert that was
    received before; RiskLimitError for an account whose live orders were never on.
    """
    symbol = account_alert.alert.symbol
    with ctx.autocommit() as connection:  # before the orders are read: an entry is in one of the two
        is_awaited = precedence.awaits_entry(connection, account_alert.stored, account_alert.account_id)
    rows = read_root_state(ctx, account_alert.account_id, symbol.root).orders
    found = [row for row in rows if row.role is Role.ENTRY and symbol.names(row.contract_id)]
    with ctx.autocommit() as connection:
        stored = account_alert.stored
        later = precedence.list_later_orders(connection, stored.id, stored.received_at, [row.id for row in found])
    entries = [row for row in found if row.id not in later]
    resting = [row for row in entries if is_resting(row)]
    is_complete = not is_awaited and len(resting) == len(entries)
    with ctx.transaction() as tx:
        denial = lock_and_find_denial(tx, ctx, account_alert.account_id)
        if denial is None:
            # One that was not sent yet, or may not have arrived, is not to be sent after this.
            unsent = [row for row in entries if row.state in _MAY_BE_UNSENT and row.type is not OrderType.MARKET]
            request_cancels(tx, ctx, [*resting, *unsent], "an alert cancels the entries")
        if denial is not None or is_complete:
            caused = changes.list_caused_by(
                tx.connection, account_alert.account_id, ctx.job.correlation_id, ctx.job.enqueued_at
            )
            asked = {change.order_id for change in caused if change.kind is ChangeKind.CANCEL}
            cancelled = {row.id for row in resting} | {one for one in asked if not _has_filled(tx, one)}
            idle = None if cancelled else f"no entry rests in {symbol.text}"
            counted = count_of(len(cancelled), "resting entry", "resting entries")
            reason = f"nothing to do: {idle}" if idle else f"cancels {counted}"
            contract_id = found[0].contract_id if found else None
            result, _ = record_outcome(tx, ctx, account_alert, contract_id, reason=reason)
            if denial is None:
                result |= {"nothing_to_do": idle} if idle else {"cancels": ", ".join(map(str, sorted(cancelled)))}
                tx.finish(result)
    if denial is not None:
        raise RiskLimitError(denial)
    if not is_complete:
        raise PostponedError(f"an entry in {symbol.text} is on its way, and is cancelled once it rests", RETRY_AFTER)
    return result
