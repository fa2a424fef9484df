"""Notices the orders of another installation of Tickwork on an account; while it trades there, they are not adopted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.db.accounts import accounts, installations
from shared.db.engine import limit_lock_wait
from shared.db.orders import orders
from shared.domain.accounts.installation import ACTIVE_FOR, OtherInstallation, installation_of
from shared.domain.orders.order import Origin
from shared.gateway.wire import VenueOrder
from workers.context import Context

_LOCK_WAIT = timedelta(seconds=0.5)


def set_apart(ctx: Context, account_id: int, shown: Sequence[VenueOrder]) -> Sequence[VenueOrder]:
    """Record another installation of which one of these orders is; return the orders to apply to our rows.

    An order whose tag we know is ours, whatever its tag says, as after a restored backup or with one database for two
    homes. While another installation trades the account, its orders are left out.
    A lock on the account that lasts raises Postgres' error.
    """
    others = [one for one in shown if installation_of(one.tag) not in {None, ctx.installation}]
    if not others:
        return shown
    tags = {tag for one in others if one.tag for tag in (one.tag, one.tag[:-3])}
    with ctx.autocommit() as connection:
        known = orders.find_by_tags(connection, account_id, tags)
    ours = {tag for tag, row in known.items() if row.origin is not Origin.EXTERNAL}
    foreign = [one for one in others if one.tag and one.tag not in ours and one.tag[:-3] not in ours]
    market_now = ctx.market_now
    newest = max(foreign, key=lambda one: one.created_market_at, default=None)
    if newest is None:
        return shown
    _record(ctx, account_id, newest, market_now)
    with ctx.autocommit() as connection:
        account = accounts.get(connection, account_id)
    if account is None or installations.find_other(account, market_now) is None:
        return shown
    left_out = {one.id for one in foreign}
    return [one for one in shown if one.id not in left_out]


def find_at_start(ctx: Context, account_id: int) -> None:
    """Record another installation by its orders of the last day, which a first reconcile does not read."""
    set_apart(ctx, account_id, ctx.gateway.orders_since(account_id, ctx.market_now - ACTIVE_FOR))


def _record(ctx: Context, account_id: int, newest: VenueOrder, market_now: datetime) -> None:
    seen = OtherInstallation(installation_of(newest.tag) or "", newest.created_market_at)
    if seen.ordered_market_at > market_now - ACTIVE_FOR:
        with ctx.ledger.engine.begin() as connection:  # now, also for a job of a batch: what follows depends on it
            limit_lock_wait(connection, _LOCK_WAIT)
            installations.record_other(connection, account_id, seen, market_now)
