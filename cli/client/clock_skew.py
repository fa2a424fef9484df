"""How far the clocks of this computer, of Postgres and of the venue are apart."""

from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cli.client.live_checks import CheckWarningError, describe_clock
from cli.client.stack import connect, load_stack_settings
from shared.clock import machine_now, monotonic
from shared.db.upkeep import schedules
from shared.errors import RetryableError
from shared.gateway.rest.venue_time import measure_clock_difference

_VENUE_TIMEOUT_S = 1.0
_RECENT = timedelta(days=1)


def measure_database_skew(connection: Connection) -> timedelta:
    """Return by how much the clock of this computer is ahead of Postgres': below zero if it is behind."""
    schedules.read_time(connection)  # so that the measured answer needs no connecting
    asked_at, began = machine_now(), monotonic()
    there = schedules.read_time(connection)
    return asked_at + timedelta(seconds=monotonic() - began) / 2 - there


def read_skew_figures(*, has_database: bool) -> dict[str, float | None]:
    """Return the seconds that this computer is ahead of Postgres and of the venue; None where that does not answer.

    Postgres is asked only with `has_database`.
    """
    return {
        "ahead_of_postgres_s": _measure_database_s() if has_database else None,
        "ahead_of_venue_s": _measure_venue_s(),
    }


def _measure_database_s() -> float | None:
    try:
        with connect() as connection:
            return round(measure_database_skew(connection).total_seconds(), 3)
    except SQLAlchemyError:
        return None


def _measure_venue_s() -> float | None:
    url = load_stack_settings().venue.url
    if not url:
        return None
    try:
        return round(measure_clock_difference(url, _VENUE_TIMEOUT_S).total_seconds(), 1)
    except RetryableError:
        return None


def print_skew(figures: dict[str, Any]) -> None:
    """Print one line about the clocks."""
    postgres, venue = (_describe(figures[f"ahead_of_{name}_s"]) for name in ("postgres", "venue"))
    click.echo(f"Clock of this computer: {postgres} Postgres, {venue} the venue.")


def _describe(ahead_s: float | None) -> str:
    if ahead_s is None:
        return "not compared with"
    return f"{abs(ahead_s):.1f} s {'behind' if ahead_s < 0 else 'ahead of'}"


def check_database_clock() -> str:
    """Return how well this computer's clock agrees with Postgres'; raise as `describe_clock` does."""
    with connect() as connection:
        ahead = measure_database_skew(connection)
    return describe_clock(ahead, "Postgres', whose clock runs leases, expiries and the schedule")


def check_schedule() -> str:
    """Return that the clock of the schedule runs on; raise CheckWarningError if it was set back within a day."""
    with connect() as connection:
        entries, now = schedules.list_entries(connection), schedules.read_time(connection)
    found = [(one.stepped_back_at, one.stepped_back_by) for one in entries if _is_recent(one.stepped_back_at, now)]
    if found:
        at, by = max((at, by) for at, by in found if at is not None and by is not None)
        raise CheckWarningError(
            f"the clock of Postgres was set back by {by} before {at:%Y-%m-%d %H:%M:%S} UTC; the schedule went on from "
            "there: look why, such as two sources of network time"
        )
    return "its clock was not set back within a day"


def _is_recent(at: datetime | None, now: datetime) -> bool:
    return at is not None and at > now - _RECENT
