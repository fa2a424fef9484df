"""The state of a root when an alert is handled: by our rows, by the venue, and whether it is certain."""

from dataclasses import replace
from datetime import timedelta

from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.accounts.installations import describe_read_only
from shared.db.orders import root_state
from shared.db.orders.root_state import RootState
from shared.domain.market_data.contract import Root, root_of_contract
from shared.errors import PostponedError
from workers.context import Context
from workers.orders import venue_state, venue_view

WAIT_FOR = timedelta(seconds=15)  # for a fact that may still come, while something is held
RETRY_AFTER = timedelta(seconds=0.1)


def read_root_state(ctx: Context, account_id: int, root: Root) -> RootState:
    """Read what an account holds and has at work in a root: a fill that commits meanwhile shows whole or not at all."""
    with ctx.autocommit() as connection:
        return root_state.read(connection, account_id, root)


def read_at_venue(ctx: Context, account_id: int, state: RootState, root: Root) -> RootState:
    """Return the state with the venue's positions, as a fill may not have been reported to us.

    Raise PostponedError while the venue does not answer.
    """
    found = venue_view.fetch_positions(ctx, account_id)
    with ctx.ledger.engine.begin() as connection:
        known = venue_state.known_contracts(connection, account_id, {one.contract_id for one in found if one.quantity})
    held = [one for one in found if one.contract_id in known and root_of_contract(one.contract_id) is root]
    return replace(
        state,
        positions={one.contract_id: quantity for one in held if (quantity := venue_view.signed_quantity(one))},
    )


def require_certain(state: RootState, contract_ids: list[str]) -> list[str]:
    """Return the contracts; raise PostponedError while the position in one of them is not certain."""
    if uncertain := next(filter(state.is_uncertain, contract_ids), None):
        raise PostponedError(f"an order in {uncertain} is not confirmed, so the position is not known", RETRY_AFTER)
    return contract_ids


def find_read_only_reason(ctx: Context, account_id: int) -> str | None:
    """Return why an entry may not even close what it reverses: another installation trades the account; else None."""
    with ctx.autocommit() as connection:
        account = accounts.get(connection, account_id)
    return None if account is None else describe_read_only(account, ctx.market_now)


def has_waited(ctx: Context, longest: timedelta = WAIT_FOR) -> bool:
    """Whether the job has waited as long as it may for a fact that may still come."""
    return machine_now() - ctx.job.enqueued_at >= longest
