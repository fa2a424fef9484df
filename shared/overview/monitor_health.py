"""The health of the risk monitor: when its last run of the watch ended, and how late its runs began."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from shared.db.risk import monitor_runs
from shared.domain.risk.watch_gap import describe_duration

STALE_AFTER_S = 10.0  # it runs each second, and a standby takes over within five


def read_monitor_figures(connection: Connection) -> dict[str, Any] | None:
    """Return the row of the active risk monitor, with durations in seconds; None if none runs."""
    row = monitor_runs.read(connection)
    if row is None:
        return None
    return {
        "host": row.host,
        "pid": row.pid,
        "active_since_at": row.active_since_at,
        "ran_at": row.ran_at,
        "age_s": _to_seconds(row.age),
        "run_count": row.run_count,
        "last_delay_s": _to_seconds(row.last_delay),
        "p50_delay_s": _to_seconds(row.p50_delay),
        "max_delay_s": _to_seconds(row.max_delay),
    }


def describe_monitor(figures: dict[str, Any] | None) -> str:
    """Return whether it runs, where, and how late; without a full stop."""
    if figures is None:
        return "NONE runs"
    where = f"process {figures['pid']} on {figures['host']}"
    if figures["age_s"] > STALE_AFTER_S:
        return f"SILENT for {describe_duration(timedelta(seconds=figures['age_s']))} ({where})"
    late = " / ".join(f"{figures[name] * 1000:.0f}" for name in ("last_delay_s", "p50_delay_s", "max_delay_s"))
    return f"active ({where}), late by {late} ms (last / p50 / max of the last minute)"


def _to_seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 3)
