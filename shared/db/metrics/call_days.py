"""The partitions of `api_call`, one for each day in UTC: made ahead, and dropped as a whole."""

from datetime import timedelta

from sqlalchemy import Engine, TextClause, text

from shared.db.engine import suppress_lock_timeout

KEPT = timedelta(days=7)
DAYS_AHEAD = 2  # a missed day is no loss: its calls are stored in the default partition, and moved later
_ADD = text("SELECT add_api_call_day((now() AT TIME ZONE 'UTC')::date + :ahead)")
_DROP = text("SELECT drop_api_call_day(:kept)")


def add_days(engine: Engine) -> int:
    """Make the partitions of today and the next days; return how many were missing and are there now."""
    return sum(bool(_run(engine, _ADD, ahead=ahead)) for ahead in range(DAYS_AHEAD + 1))


def drop_days(engine: Engine) -> int:
    """Drop the partitions of the days that ended longer than KEPT ago; return how many."""
    dropped = 0
    while _run(engine, _DROP, kept=KEPT) is not None:
        dropped += 1
    return dropped


def _run(engine: Engine, statement: TextClause, **values: object) -> object:
    """Return the result of a transaction of its own; None if it would have waited for a lock."""
    found: list[object] = []
    with suppress_lock_timeout("the partitions of api_call stay as they are for an hour"), engine.begin() as connection:
        found.append(connection.execute(statement, values).scalar_one())
    return next(iter(found), None)
