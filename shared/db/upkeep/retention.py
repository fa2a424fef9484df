"""Deletes what has outlived its keeping time, in chunks, so that no lock is held for long."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Engine, text

_CHUNK = 5_000

# What is deleted, when it is old enough, and how long it is kept. Bars, orders, fills and alerts are kept for good.
_KEPT: tuple[tuple[str, str, timedelta], ...] = (
    ("api_call", "called_at", timedelta(days=7)),
    ("job", "finished_at", timedelta(days=14)),
    ("schedule_slot", "noted_at", timedelta(days=14)),
    ("metric_rollup", "period_start_at", timedelta(days=90)),
    ("job_key", "kept_until", timedelta(0)),
)


# Jobs that only look: there are too many of them to keep or to list.
LOOKS = ("upkeep.canary", "risk.watch_accounts")
_LOOKS_KEPT = timedelta(minutes=10)
_WATCH = "watch_accounts"  # of the schedule, each second


def delete_old(engine: Engine) -> Iterator[tuple[str, int]]:
    """Delete chunk by chunk; yield the table and how many rows went, once per table. Dead jobs wait for a person."""
    names = ", ".join(f"'{name}'" for name in LOOKS)
    yield "looks", _delete(engine, "job", f"finished_at < now() - :kept AND name IN ({names})", _LOOKS_KEPT)
    yield (
        "looks' slots",
        _delete(engine, "schedule_slot", f"noted_at < now() - :kept AND name = '{_WATCH}'", _LOOKS_KEPT),
    )
    for table, column, kept in _KEPT:
        spared = " AND state <> 'dead'" if table == "job" else ""
        yield table, _delete(engine, table, f"{column} < now() - :kept{spared}", kept)


def _delete(engine: Engine, table: str, condition: str, kept: timedelta) -> int:
    statement = text(
        f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM {table} WHERE {condition} LIMIT {_CHUNK})"  # noqa: S608  # names from the table above
    )
    deleted = 0
    while True:
        with engine.begin() as connection:
            count = connection.execute(statement, {"kept": kept}).rowcount
        deleted += count
        if count < _CHUNK:
            return deleted
