"""The health of the risk monitor: when its last run of the watch ended, and how late its runs began."""

from datetime import timedelta
from typing import Any

import click
from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from shared.db.risk import monitor_runs
from shared.domain.risk.watch_gap import describe_duration
from shared.errors import SettingsError

STALE_AFTER_S = 10.0  # it runs each second, and a standby takes over within five
_LATE_FROM_S = 1.0
_TO_DO = "so no account's rules are watched: `tickwork status` shows the program risk-monitor, its log says why"


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


def print_monitor(figures: dict[str, Any] | None) -> None:
    """Print one line about the risk monitor."""
    click.echo(f"Risk monitor: {_describe(figures)}.")


def check_monitor(connection: Connection) -> str:
    """Return when and how late it ran; raise SettingsError if it does not run, CheckWarningError if it runs late."""
    figures = read_monitor_figures(connection)
    told = _describe(figures)
    if figures is None or figures["age_s"] > STALE_AFTER_S:
        raise SettingsError(f"{told}, {_TO_DO}")
    if figures["p50_delay_s"] >= _LATE_FROM_S:
        raise CheckWarningError(f"{told}: this computer is too slow or too busy to watch each second")
    return told


def _describe(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return "NONE runs"
    where = f"process {figures['pid']} on {figures['host']}"
    if figures["age_s"] > STALE_AFTER_S:
        return f"SILENT for {describe_duration(timedelta(seconds=figures['age_s']))} ({where})"
    late = " / ".join(f"{figures[name] * 1000:.0f}" for name in ("last_delay_s", "p50_delay_s", "max_delay_s"))
    return f"active ({where}), late by {late} ms (last / p50 / max of the last minute)"


def _to_seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 3)
