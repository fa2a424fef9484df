"""Deletes rows past their retention time, in chunks, so that no lock is held for long."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import Engine, text

from shared.db.alerts.probe_hook import PROBE_HOOK_ID

_CHUNK = 5_000

# Table, column of its age, and retention time. Bars, orders, fills and alerts are kept for good, but for test alerts of
# the stack's own.
_RETENTION: tuple[tuple[str, str, timedelta], ...] = (
    ("api_call", "called_at", timedelta(days=7)),
    ("job", "finished_at", timedelta(days=14)),
    ("schedule_slot", "recorded_at", timedelta(days=14)),
    ("metric_rollup", "period_start_at", timedelta(days=90)),
    ("job_key", "kept_until", timedelta(0)),
)


_PROBE_RETENTION = timedelta(minutes=10)  # probes are too many to keep for longer
# The last success and the last failure of each probe, which `tickwork status` may show, however old they are.
_NEWEST_PROBES = """
    SELECT DISTINCT ON (name, state) id FROM job WHERE name = ANY(:probes) AND state IN ('succeeded', 'failed')
    ORDER BY name, state, finished_at DESC
"""
_OF_PROBE_HOOK = f"hook_id = '{PROBE_HOOK_ID}' AND received_at < now() - :kept"
_IS_JOB_OF_TEST_ALERT = f"finished_at IS NOT NULL AND id IN (SELECT job_id FROM alert WHERE {_OF_PROBE_HOOK})"  # noqa: S608  # as below
_IS_TEST_ALERT = (
    f"{_OF_PROBE_HOOK} AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = job_id) "  # noqa: S608  # a constant of ours
    "AND NOT EXISTS (SELECT 1 FROM signal WHERE alert_id = alert.id)"
)
_SIGNS_NO_MORE = "expires_at < now() - :kept OR hook_id IN (SELECT id FROM hook WHERE removed_at IS NOT NULL)"


def delete_old(engine: Engine, probes: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Delete chunk by chunk; yield each table and how many rows were deleted. A dead job stays until a person acts.

    `probes` are the names of the job types with the trait `is_probe`.
    """
    yield (
        "probes",
        _delete(
            engine,
            "job",
            f"finished_at < now() - :kept AND name = ANY(:probes) AND id NOT IN ({_NEWEST_PROBES})",
            _PROBE_RETENTION,
            probes,
        ),
    )
    yield "jobs of test alerts", _delete(engine, "job", _IS_JOB_OF_TEST_ALERT, _PROBE_RETENTION)
    yield "test alerts", _delete(engine, "alert", _IS_TEST_ALERT, _PROBE_RETENTION)
    of_probes = "name IN (SELECT name FROM schedule WHERE job_name = ANY(:probes))"
    yield (
        "slots of probes",
        _delete(engine, "schedule_slot", f"recorded_at < now() - :kept AND {of_probes}", _PROBE_RETENTION, probes),
    )
    yield "hook_secret", _delete(engine, "hook_secret", _SIGNS_NO_MORE, timedelta(0))
    for table, column, kept in _RETENTION:
        exemption = " AND state <> 'dead'" if table == "job" else ""
        yield table, _delete(engine, table, f"{column} < now() - :kept{exemption}", kept)


def _delete(engine: Engine, table: str, condition: str, kept: timedelta, probes: Sequence[str] = ()) -> int:
    statement = text(
        f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} WHERE {condition} LIMIT {_CHUNK})"  # noqa: S608  # names from the table above
    )
    values = {"kept": kept} | ({"probes": list(probes)} if probes else {})
    deleted = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(statement, values).rowcount
        deleted += count
        if count < _CHUNK:
            return deleted
