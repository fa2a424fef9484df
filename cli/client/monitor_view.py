"""What `status` and `doctor` print about the risk monitor."""

from typing import Any

import click
from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from shared.errors import SettingsError
from shared.overview.monitor_health import STALE_AFTER_S, describe_monitor, read_monitor_figures

_LATE_FROM_S = 1.0
_TO_DO = "so no account's rules are watched: `tickwork status` shows the program risk-monitor, its log says why"


def print_monitor(figures: dict[str, Any] | None) -> None:
    """Print one line about the risk monitor."""
    click.echo(f"Risk monitor: {describe_monitor(figures)}.")


def check_monitor(connection: Connection) -> str:
    """Return when and how late it ran; raise SettingsError if it does not run, CheckWarningError if it runs late."""
    figures = read_monitor_figures(connection)
    told = describe_monitor(figures)
    if figures is None or figures["age_s"] > STALE_AFTER_S:
        raise SettingsError(f"{told}, {_TO_DO}")
    if figures["p50_delay_s"] >= _LATE_FROM_S:
        raise CheckWarningError(f"{told}: this computer is too slow or too busy to watch each second")
    return told
