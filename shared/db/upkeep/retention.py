"""Deletes rows past their retention time, in chunks found by an index, so that no lock is held for long.

Kept for good: bars, alerts, signals, orders, fills and round trips, and what people did, breaches and moves of balances
(`audit`, `account_event`, `balance_move`, `account_day`). docs/reference/retention.md lists every table.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Engine, text

from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.db.metrics import call_days

_CHUNK = 5_000

# Events that tell of a moment only; ix_account_event_temporary has the same.
TEMPORARY_EVENTS = ("trail", "unwatched", "disk_low", "receiver_unreachable", "receiver_reachable")
_IS_TEMPORARY = f"kind IN ({', '.join(map(repr, TEMPORARY_EVENTS))})"

# Name, table, column of the age, which has an index, further condition, and retention time.
_RETENTION: tuple[tuple[str, str, str, str, timedelta], ...] = (
    ("api_call", "api_call_default", "called_at", "", call_days.KEPT),  # of days that had no partition
    ("job", "job", "finished_at", "AND state <> 'dead'", timedelta(days=14)),
    ("dead jobs", "job", "finished_at", "AND state = 'dead'", timedelta(days=90)),
    ("worker", "worker", "started_at", "AND seen_at < now() - :kept", timedelta(days=7)),
    ("schedule_slot", "schedule_slot", "recorded_at", "", timedelta(days=14)),
    ("minutes of metrics", "metric_rollup", "period_start_at", "AND span = 'minute'", timedelta(days=7)),
    ("hours of metrics", "metric_rollup", "period_start_at", "AND span = 'hour'", timedelta(days=400)),
    ("minutes of gauges", "gauge_rollup", "period_start_at", "AND span = 'minute'", timedelta(days=7)),
    ("hours of gauges", "gauge_rollup", "period_start_at", "AND span = 'hour'", timedelta(days=400)),
    ("job_key", "job_key", "kept_until", "", timedelta(0)),
    ("strategy_run", "strategy_run", "evaluated_at", "", timedelta(days=90)),
    ("notification", "notification", "collected_at", "", timedelta(days=30)),
    ("account_event", "account_event", "happened_at", f"AND {_IS_TEMPORARY}", timedelta(days=90)),
)

# Snapshots of a minute are kept for a week, then the first of each hour, then the first of each day, for good. The
# times are of the market, so an account's newest snapshot tells how old the others are.
_THINNING: tuple[tuple[str, timedelta], ...] = (("hour", timedelta(days=7)), ("day", timedelta(days=90)))
_NEWEST_SNAPSHOTS = text("""
    SELECT id, (SELECT max(taken_market_at) FROM account_snapshot WHERE account_id = account.id) FROM account
""")
_IS_SURPLUS_SNAPSHOT = """
    account_id = :account AND taken_market_at < CAST(:newest AS timestamptz) - :kept
    AND taken_market_at > (SELECT min(first.taken_market_at) FROM account_snapshot AS first
                           WHERE first.account_id = :account
                             AND first.taken_market_at >= date_trunc('{unit}', account_snapshot.taken_market_at, 'UTC'))
    ORDER BY taken_market_at
"""

_PROBE_RETENTION = timedelta(minutes=10)  # probes are too many to keep for longer
# The last success and the last failure of each probe, which `tickwork status` may show, however old they are.
_NEWEST_PROBES = text("""
    SELECT DISTINCT ON (name, state) id FROM job
    WHERE name = ANY(:probes) AND finished_at IS NOT NULL AND state IN ('succeeded', 'failed')
    ORDER BY name, state, finished_at DESC
""")
_OF_PROBE_HOOK = f"hook_id = '{PROBE_HOOK_ID}' AND received_at < now() - :kept"
_IS_JOB_OF_TEST_ALERT = f"finished_at IS NOT NULL AND id IN (SELECT job_id FROM alert WHERE {_OF_PROBE_HOOK})"  # noqa: S608  # as below
_IS_TEST_ALERT = (
    f"{_OF_PROBE_HOOK} AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = job_id) "  # noqa: S608  # a constant of ours
    "AND NOT EXISTS (SELECT 1 FROM signal WHERE alert_id = alert.id)"
)
_SIGNS_NO_MORE = "expires_at < now() - :kept OR hook_id IN (SELECT id FROM hook WHERE removed_at IS NOT NULL)"


def delete_old(engine: Engine, probes: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Delete chunk by chunk; yield what was deleted, mostly the name of its table, and how many rows.

    `probes` are the names of the job types with the trait `is_probe`.
    """
    yield "new days of api_call", call_days.add_days(engine)
    yield "days of api_call", call_days.drop_days(engine)
    yield "probes", _delete_probes(engine, list(probes))
    yield "jobs of test alerts", _delete(engine, "job", _IS_JOB_OF_TEST_ALERT, _PROBE_RETENTION)
    yield "test alerts", _delete(engine, "alert", _IS_TEST_ALERT, _PROBE_RETENTION)
    yield "slots of probes", _delete_slots(engine, list(probes))
    yield "hook_secret", _delete(engine, "hook_secret", _SIGNS_NO_MORE, timedelta(0))
    for unit, kept in _THINNING:
        yield f"account_snapshot, all but one per {unit}", _thin_snapshots(engine, unit, kept)
    for name, table, column, more, kept in _RETENTION:
        oldest_first = f"{column} < now() - :kept {more} ORDER BY {column}"
        yield name, _delete(engine, table, oldest_first, kept)


def _delete_probes(engine: Engine, probes: Sequence[str]) -> int:
    with engine.connect() as connection:  # once: to look for them again with every chunk would read what is deleted
        newest = list(connection.execute(_NEWEST_PROBES, {"probes": probes}).scalars())
    is_old = "name = ANY(:probes) AND finished_at < now() - :kept AND NOT id = ANY(CAST(:newest AS uuid[]))"
    return _delete(engine, "job", is_old, _PROBE_RETENTION, probes=probes, newest=newest)


def _delete_slots(engine: Engine, probes: Sequence[str]) -> int:
    with engine.connect() as connection:
        of_probes = text("SELECT name FROM schedule WHERE job_name = ANY(:probes)")
        names = list(connection.execute(of_probes, {"probes": probes}).scalars())
    is_old = "name = ANY(:names) AND recorded_at < now() - :kept"
    return _delete(engine, "schedule_slot", is_old, _PROBE_RETENTION, names=names)


def _thin_snapshots(engine: Engine, unit: str, kept: timedelta) -> int:
    with engine.connect() as connection:
        newest = connection.execute(_NEWEST_SNAPSHOTS).all()
    is_surplus = _IS_SURPLUS_SNAPSHOT.format(unit=unit)
    return sum(
        _delete(engine, "account_snapshot", is_surplus, kept, account=account_id, newest=at)
        for account_id, at in newest
    )


def _delete(engine: Engine, table: str, condition: str, kept: timedelta, **values: object) -> int:
    """Delete the rows that meet the condition; found as an array, they make Postgres read no others."""
    found = f"SELECT ctid FROM {table} WHERE {condition} LIMIT {_CHUNK}"  # noqa: S608  # names and constants of this file
    statement = text(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({found}))")  # noqa: S608  # as above
    deleted = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(statement, {"kept": kept, **values}).rowcount
        deleted += count
        if count < _CHUNK:
            return deleted
