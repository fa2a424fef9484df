"""Records each run of the watch, and the gap before it if an account held something meanwhile."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.db.accounts import accounts, watch_times
from shared.db.accounts.watch_times import GAP_EVENT, WatchTime
from shared.domain.risk.watch_gap import LONGEST_PAUSE, describe_gap

log = logging.getLogger(__name__)

_RECORD_EVERY = timedelta(seconds=5)  # unless what is held has changed: a row each second is a commit each second


def record_watch(connection: Connection, started_at: datetime, held: Mapping[int, str | None]) -> None:
    """Record that these accounts were checked by a run that began at `started_at`, and what they hold.

    The time is the computer's, which goes on while it sleeps. The beginning counts: a computer may fall asleep in the
    middle of a run. A run that a later one has overtaken changes nothing, and after a step of the clock into the past
    the time begins anew.
    """
    before = watch_times.read(connection, held)
    now = machine_now()
    watched = []
    for account_id, holds_now in held.items():
        last = before.get(account_id)
        if last is not None and started_at < last.watched_at <= now:
            continue
        if last is not None and last.held == holds_now and timedelta(0) <= started_at - last.watched_at < _RECORD_EVERY:
            continue
        watched.append(WatchTime(account_id, started_at, holds_now))
        if last is not None and started_at - last.watched_at > LONGEST_PAUSE:
            message = describe_gap(last.watched_at, started_at, last.held, holds_now)
            if message is not None:
                log.warning("account %s was %s", account_id, message)
                accounts.record_event(connection, account_id, GAP_EVENT, message)
    watch_times.store(connection, watched)
