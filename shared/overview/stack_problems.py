"""What is wrong in a stack whose programs all run: dead jobs, failing calls to the venue, a bot that hears nothing."""

from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.config import Settings
from shared.db.market_data import contracts, market_clock, rejected_bars
from shared.db.metrics import metrics
from shared.db.orders import late_fills
from shared.domain.counting import count_of
from shared.domain.error_text import shorten_error
from shared.domain.market_data.calendar import CHICAGO
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.market_data.holidays import describe_doubts
from shared.ledger.jobs.market_data import RefreshContracts
from shared.overview.copies_out_of_step import find_larger_copies
from shared.overview.feed_problem import find_feed_problem
from shared.overview.optional_problems import (
    find_failing_bot,
    find_failing_channels,
    find_failing_heartbeat,
    find_late_traces,
)
from shared.overview.oversized_stops import find_oversized_stops
from shared.overview.paused_jobs import find_paused_jobs

Find = Callable[[Connection], str | None]

_REJECTED_OF, _MOST_REJECTED = timedelta(hours=1), 20
_UNCLOSED_OF = timedelta(days=2)
_CALLS_OF, _LEAST_FAILED, _FAILED_SHARE = timedelta(minutes=10), 5, 0.2


def list_problems(connection: Connection, settings: Settings) -> list[dict[str, str]]:
    """Return the problems, each with what to do."""
    found = {
        "dead jobs": find_dead_jobs(connection),
        "venue calls": find_failing_calls(connection),
        "feed": find_feed_problem(connection, settings),
        "contracts": find_untraded_roots(connection, settings),
        "bars": find_rejected_bars(connection),
        "market hours": find_unknown_hours(connection),
        "late fills": find_unclosed_fills(connection),
        "stops of others": find_oversized_stops(connection),
        "copies": find_larger_copies(connection),
        "schedule": find_paused_jobs(connection, settings),
        "heartbeat": find_failing_heartbeat(connection, settings),
        "notifications": find_failing_channels(connection, settings),
        "telegram": find_failing_bot(connection, settings),
        "traces": find_late_traces(connection, settings),
    }
    return [{"name": name, "detail": detail} for name, detail in found.items() if detail is not None]


def find_dead_jobs(connection: Connection) -> str | None:
    """Return what waits for a person; None if no job is dead."""
    counts = metrics.count_dead_by_name(connection)
    if not counts:
        return None
    names = ", ".join(f"{name} {count}" for name, count in counts.items())
    total = sum(counts.values())
    return (
        f"{count_of(total, 'job')} {'is' if total == 1 else 'are'} dead ({names}): `tickwork jobs dead` shows why; "
        "then `tickwork jobs requeue ID` or `tickwork jobs discard ID`"
    )


def find_failing_calls(connection: Connection) -> str | None:
    """Return the endpoints of the venue of which a fifth of the last calls failed; None if there is none."""
    rows = metrics.list_failing_endpoints(connection, _CALLS_OF, least=_LEAST_FAILED, share=_FAILED_SHARE)
    if not rows:
        return None
    shown = "; ".join(
        f"{row['endpoint']}: {row['error_count']} of {count_of(row['count'], 'call')} failed "
        f"({100 * row['error_count'] // row['count']} %), last with: {shorten_error(row['newest_error'])}"
        for row in rows
    )
    minutes = _CALLS_OF // timedelta(minutes=1)
    return (
        f"in the last {minutes} min {shown}. What failed is tried again; if it goes on, look at the status page of the "
        "venue and at your network, and `tickwork metrics` shows every endpoint"
    )


def find_rejected_bars(connection: Connection) -> str | None:
    """Return what the venue has sent of late that cannot be a bar; None if there is nothing."""
    rows = rejected_bars.list_newest(connection, None, since=machine_now() - _REJECTED_OF, limit=_MOST_REJECTED)
    if not rows:
        return None
    count = f"{_MOST_REJECTED} or more" if len(rows) == _MOST_REJECTED else str(len(rows))
    return (
        f"within the last hour {count} of the venue's bars could not be true and were set aside, the newest of "
        f"{rows[0]['contract']}: {rows[0]['reason']}. `tickwork bars` shows them, and they are asked for once more"
    )


def find_unknown_hours(connection: Connection) -> str | None:
    """Return what is not known of the real venue's coming hours; None at the simulator, whose hours are our own."""
    market = market_clock.read(connection)
    if market is None or market.kind != "live":
        return None
    return describe_doubts(market.clock.now().astimezone(CHICAGO).date())


def find_unclosed_fills(connection: Connection) -> str | None:
    """Return what is held of entries that filled after a reversal had closed all; None if there is nothing."""
    found = late_fills.list_unclosed(connection, machine_now() - _UNCLOSED_OF)
    if not found:
        return None
    shown = "; ".join(
        f"{one.account} is {one.direction} {one.quantity} of {shorten_contract(one.contract_id)} that came late and "
        f"{'was' if one.quantity == 1 else 'were'} not closed"
        for one in found
    )
    return (
        f"{shown}: an entry that was not confirmed has filled after a later one had closed all. It may be newer by "
        "now, or its exit was rejected, and is left to its stop: `tickwork positions` shows it, and "
        "`tickwork positions close SYMBOL` closes it"
    )


def find_untraded_roots(connection: Connection, settings: Settings) -> str | None:
    """Return which roots of the setting contracts cannot be traded; None if there is none, or before the first look."""
    unknown = [describe_unknown_root(root) for root in settings.contracts if root not in ROOTS]
    if unknown:
        return "; ".join(unknown)
    missing = [root for root in settings.contracts if contracts.find_active(connection, root) is None]
    failure = metrics.find_newest_failure(connection, RefreshContracts.job_name()) if missing else None
    if failure is None:
        return None
    return (
        f"{', '.join(missing)}: no contract of it is traded: {shorten_error(failure)}. Correct the setting with "
        "`tickwork config set contracts ROOTS` and restart `tickwork up`, or wait if the venue does not answer"
    )


def describe_unknown_root(root: str) -> str:
    """Return what is wrong with a root that no table of ours has, and what to do."""
    near = get_close_matches(root, ROOTS, n=2)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return (
        f"the setting contracts names '{root}', which is no root: {hint}expected such as MNQ, MES or MGC. Nothing of "
        "it is traded until it is right: correct it with `tickwork config set contracts ROOTS`, and restart `tickwork "
        "up`"
    )


def require_none(find: Find, fine: str, error: type[Exception]) -> Callable[[Connection], str]:
    """Return a check of `doctor` that raises `error` with what `find` finds, and else returns `fine`."""

    def check(connection: Connection) -> str:
        found = find(connection)
        if found is not None:
            raise error(found)
        return fine

    return check
