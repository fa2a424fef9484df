"""One run of the watch over all accounts: missing jobs, unseen fills, the rules of each account, trailing stops."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.domain.risk.watch_gap import describe_held
from shared.errors import LeaseLostError
from workers.risk.enforcement import enforce_rules
from workers.risk.missing_jobs import enqueue_missing_jobs
from workers.risk.snapshots import read_accounts
from workers.risk.trail_stops import trail_stops
from workers.risk.unseen_changes import request_reads
from workers.risk.watch_record import record_watch
from workers.risk.watch_run import WatchRun

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchCounts:
    """How many accounts a run checked, and how many flattenings it requested."""

    accounts: int
    flattenings: int


def watch_once(run: WatchRun) -> WatchCounts:
    """Check every account by itself, so that an error or a lock in one hides no other.

    A second run does not act again. Raise the error of a lost session: no run goes on in another one.
    """
    watched = read_accounts(run)
    with _log_error(run, "jobs that are missing were not enqueued"):
        enqueue_missing_jobs(run)
    with _log_error(run, "what the user hub reports was not compared with our positions"):
        request_reads(run, watched.accounts, watched.held)
    flattenings, held = 0, dict[int, str | None]()
    for account_id, snapshot in watched.snapshots.items():
        with _log_error(run, f"account {account_id} could not be watched"):
            flattenings += enforce_rules(run, snapshot, watched.oldest_quote_at(account_id))
            if run.may_guard(snapshot.account):
                trail_stops(run, watched.held.get(account_id, ()), watched.quotes)
            held[account_id] = describe_held(snapshot.risk)
    with run.transaction("the next run of the watch is recorded instead of this one") as tx:
        record_watch(tx.connection, run.started_at, held)
    return WatchCounts(len(held), flattenings)


@contextmanager
def _log_error(run: WatchRun, failure: str) -> Iterator[None]:
    """Log an error inside, and let the run go on; raise it if the session of the lease has ended."""
    try:
        yield
    except LeaseLostError:
        raise
    except Exception:
        if run.is_lost:
            raise
        log.exception("%s", failure)
