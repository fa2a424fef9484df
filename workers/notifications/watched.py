"""What is watched for a trader besides the rows that events leave: the feed, the risk monitor, warnings of rules."""

import logging
from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.notifications import watched_faults
from shared.db.notifications.collection import NewNotification
from shared.db.risk import monitor_runs, risk_snapshots
from shared.domain.market_data.calendar import trading_day_at
from shared.domain.notifications.kinds import Kind, Level
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.findings import RuleAction
from shared.errors import RefusedError
from shared.hot.quotes import exit_price_from
from workers.context import Context

log = logging.getLogger(__name__)

_MONITOR_LATE_AFTER = timedelta(seconds=10)  # it runs each second
_FEED, _MONITOR = "feed", "risk monitor"
_WRONG = {
    _FEED: "the feed is not subscribed to the venue's user hub, or Redis does not answer: fills are seen late, by the "
    "reconcile",
    _MONITOR: "the risk monitor does not run: no loss limit and no trailing stop is watched by Tickwork",
}
_RIGHT = {_FEED: "the feed is subscribed again", _MONITOR: "the risk monitor runs again"}


def list_changes(connection: Connection, ctx: Context) -> list[NewNotification]:
    """Return what has stopped to watch, or works again, and the warnings of rules; what has a known key was told."""
    wrong = set() if ctx.user_hub.is_up() else {_FEED}
    monitor = monitor_runs.read(connection)
    if monitor is None or monitor.age > _MONITOR_LATE_AFTER:
        wrong.add(_MONITOR)
    changes = [
        NewNotification(
            f"watch {one.name} {one.since_at.isoformat()} {'wrong' if one.is_wrong else 'right'}",
            Kind.WATCH,
            Level.CRITICAL if one.is_wrong else Level.INFO,
            (_WRONG if one.is_wrong else _RIGHT)[one.name],
        )
        for one in watched_faults.record(connection, set(_WRONG), wrong)
    ]
    try:
        return [*changes, *_list_warnings(connection, ctx, trading_day_at(ctx.market_now))]
    except (RefusedError, LookupError, ArithmeticError, ValueError):  # all else is told without them
        log.exception("the warnings of the accounts' rules are not known")
        return changes


def _list_warnings(connection: Connection, ctx: Context, day: date) -> Iterator[NewNotification]:
    """Yield the warnings of the accounts' rules, with a key for each account, rule and trading day."""
    known = accounts.list_all(connection)
    snapshots = risk_snapshots.read(
        connection, known, ctx.clock, lambda held: exit_price_from(ctx.quotes.read(held)),
        max_quantity=ctx.settings.max_quantity,
    )  # fmt: skip
    for one in snapshots.values():
        session = session_of(one.risk, ctx.market_now)
        for finding in check_account(one.risk, one.book, ctx.market_now, session):
            if finding.action is RuleAction.WARN:
                key = f"limit {one.account.id} {finding.rule} {day}"
                yield NewNotification(key, Kind.LIMIT, Level.WARNING, f"{one.account.name}: {finding.message}")
