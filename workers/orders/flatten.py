"""Closes positions and cancels orders until the venue confirms that no position and no working order is left."""

from contextlib import suppress
from datetime import datetime, timedelta

from shared.db.accounts import accounts
from shared.db.engine import DATABASE_ERRORS, limit_lock_wait, suppress_lock_timeout
from shared.db.orders import fills, flatten_requests, orders
from shared.db.orders.flatten_requests import FlattenRequestRow
from shared.domain.orders.order import NOT_CONFIRMED, OPEN_AT_VENUE, Origin
from shared.errors import HaltError, PostponedError, RateLimitedError, RefusedError, RetryableError
from shared.ledger.jobs.orders import Flatten
from workers.context import Context
from workers.orders import venue_state, venue_view
from workers.orders.flatten_sweep import LOCK_WAIT, Sweep, sweep
from workers.orders.other_installation import find_obstacle
from workers.orders.resolve_in_doubt_order import OVERLAP
from workers.orders.venue_view import RETRY_WHEN_REFUSED, RETRY_WHEN_UNREACHABLE
from workers.task import task

SWEEPS_PER_RUN = 3
# The wait after a run doubles with every second sweep: a position that stays open must not use up the request budget.
WAIT_FIRST, WAIT_LONGEST = timedelta(seconds=0.1), timedelta(seconds=15)
# A request joins an older one that includes it and that began a sweep within this time.
JOIN_WITHIN = timedelta(seconds=2)
_JOINED_WAIT = timedelta(seconds=0.2)


@task(Flatten)
def flatten(job: Flatten, ctx: Context) -> dict[str, str]:
    """Flatten the account, or one contract; each sweep reads the venue first, so any number of runs is safe.

    Positions are closed first, while their stops still protect them; then orders are cancelled. The job ends when the
    venue confirms flat. While the venue does not answer it is rescheduled, and the row of its request keeps the
    progress. Of several requests for one thing, one acts and ends the others with itself. A request of our own guard or
    watch ends without acting once another installation trades the account.
    """
    with ctx.autocommit() as connection:
        request = flatten_requests.get(connection, job.flatten_request_id)
        if request is None:
            raise RefusedError(f"flatten request {job.flatten_request_id} does not exist")
        if request.flat_at is not None or request.dropped_at is not None:
            return {"venue_status": request.progress or "flat"}
        leader = flatten_requests.find_leader(connection, request, JOIN_WITHIN)
    if leader is not None:
        raise _postpone(ctx, request, f"joined flatten request {leader}", _JOINED_WAIT)
    try:
        found = _sweep_until_flat(ctx, request)
    except RetryableError as error:
        wait = error.retry_after if isinstance(error, RateLimitedError) else RETRY_WHEN_UNREACHABLE
        raise _postpone(ctx, request, f"the venue could not be asked: {error}", wait) from error
    except HaltError as error:
        ctx.halt(error)
        raise _postpone(ctx, request, f"the venue refuses the login: {error}", RETRY_WHEN_REFUSED) from error
    except RefusedError as error:  # perhaps from a proxy in between: a refusal does not end a flatten request
        raise _postpone(ctx, request, f"the venue refuses the request: {error}", RETRY_WHEN_REFUSED) from error
    if isinstance(found, dict):
        return found
    doubled = min(request.sweep_count // 2, 10)
    raise _postpone(ctx, request, f"the venue reports {found}", min(WAIT_FIRST * 2**doubled, WAIT_LONGEST))


def _sweep_until_flat(ctx: Context, request: FlattenRequestRow) -> dict[str, str] | Sweep:
    """Sweep while that sends something; return the job's result once the request has ended, else the last sweep."""
    done = Sweep()
    for number in range(SWEEPS_PER_RUN):
        with ctx.autocommit() as connection:
            obstacle = find_obstacle(connection, ctx, request.account_id, Origin(request.origin))
        if obstacle is not None:
            return _drop(ctx, request, obstacle)
        if number == 0:
            _cancel_unsent(ctx, request)
        with ctx.autocommit() as connection:
            began_at = flatten_requests.begin_sweep(connection, request.id)
        done = sweep(ctx, request)
        if done.obstacle is not None:
            return _drop(ctx, request, done.obstacle)
        ended = _finish_if_flat(ctx, request, began_at) if done.is_flat else None
        if ended is not None:
            return ended
        if not done.sent_count:
            break
    return done


def _drop(ctx: Context, request: FlattenRequestRow, reason: str) -> dict[str, str]:
    """End a request of our own guard or watch without acting; raise PostponedError if it has ended meanwhile."""
    with ctx.transaction() as tx:
        is_dropped = flatten_requests.drop(tx.connection, request.id, reason)
    if not is_dropped:
        raise PostponedError(f"flatten request {request.id} has ended meanwhile", _JOINED_WAIT)
    return {"not_flattened": reason}


def _cancel_unsent(ctx: Context, request: FlattenRequestRow) -> None:
    """Cancel our orders that were not sent yet; those that another session locks are denied when they would be sent."""
    consequence = f"account {request.account_id} is flattened without its own lock"
    with suppress_lock_timeout(consequence), ctx.transaction() as tx:
        limit_lock_wait(tx.connection, LOCK_WAIT)
        accounts.lock(tx.connection, request.account_id)
        reason = f"flattened: {request.reason}"
        orders.cancel_created(tx.connection, request.account_id, request.contract_id, reason)


def _finish_if_flat(ctx: Context, request: FlattenRequestRow, began_at: datetime) -> dict[str, str] | None:
    """End the request as flat; None if a complete read shows an order or a position that came between two calls."""
    status = "flat: no position, no working order"
    view = venue_view.fetch_complete(
        ctx, request.account_id, ctx.clock.to_market(request.requested_at) - OVERLAP, must_record=False
    )
    if any(request.covers(one.contract_id) for one in view.positions) or any(
        request.covers(one.contract_id) and (one.state is None or one.state in OPEN_AT_VENUE) for one in view.orders
    ):
        return None
    result = {"venue_status": status}
    with ctx.transaction() as tx:
        # An entry that was recorded before this request was seen has committed once the lock is held.
        accounts.lock(tx.connection, request.account_id)
        orders.cancel_created(tx.connection, request.account_id, request.contract_id, f"flattened: {request.reason}")
        ours = orders.list_open(tx.connection, request.account_id)
        if any(row.state in NOT_CONFIRMED and request.covers(row.contract_id) for row in ours):
            return None
        venue_state.apply(tx, view)
        touched = {one.contract_id for one in view.orders} | {one.contract_id for one in view.fills}
        fills.record_flattened(tx.connection, request.account_id, list(filter(request.covers, touched)))
        flatten_requests.finish(tx.connection, request, status, began_at)
        tx.finish(result)
    return result


def _postpone(ctx: Context, request: FlattenRequestRow, progress: str, wait: timedelta) -> PostponedError:
    with suppress(*DATABASE_ERRORS), ctx.ledger.engine.begin() as connection:  # what is shown must not stop an exit
        limit_lock_wait(connection, LOCK_WAIT)
        flatten_requests.record_progress(connection, request.id, progress)
    return PostponedError(f"account {request.account_id} is not flat yet: {progress}", wait)
