"""Whether alerts arrive through the public URL, by the test alerts that are posted through it."""

from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from cli.client.stack import connect, load_stack_settings
from shared.clock import machine_now
from shared.db.engine import driver
from shared.domain.error_text import shorten_error
from shared.ledger.probe_record import ProbeRecord, read_probe_record

_OVERDUE_AFTER = timedelta(minutes=11)  # beat requests a test alert every five minutes
_MINUTE_S = 60


def read_public_url_figures() -> dict[str, Any] | None:
    """Return the public URL and its last test alerts; None without such a URL or when Postgres does not answer."""
    url = load_stack_settings().public_url
    if not url:
        return None
    try:
        with connect() as connection:
            record = read_probe_record(driver(connection), url)
    except SQLAlchemyError:  # Postgres may be down: the table of programs shows it
        return None
    return {
        "url": url,
        "is_reached": _is_reached(record),
        "reached_at": record.reached_at,
        "duration_ms": record.duration_ms,
        "failed_at": record.failed_at,
        "error": None if record.error is None else shorten_error(record.error),
    }


def print_public_url(figures: dict[str, Any] | None) -> None:
    """Print one line about the public URL, or nothing without one."""
    if figures is not None:
        click.echo(f"Public URL {figures['url']}: {_describe(figures)}.")


def format_age(at: datetime) -> str:
    """Return how long ago an instant was, such as `90 s` or `5 min`."""
    seconds = max(int((machine_now() - at).total_seconds()), 0)
    return f"{seconds} s" if seconds < 2 * _MINUTE_S else f"{seconds // _MINUTE_S} min"


def _is_reached(record: ProbeRecord) -> bool | None:
    """Whether the last test alert arrived; None if there was none, or none lately."""
    ends = [at for at in (record.reached_at, record.failed_at) if at is not None]
    if not ends or machine_now() - max(ends) > _OVERDUE_AFTER:
        return None
    return max(ends) == record.reached_at


def _describe(figures: dict[str, Any]) -> str:
    reached_at, failed_at = figures["reached_at"], figures["failed_at"]
    last = "none has arrived yet" if reached_at is None else f"the last one arrived {format_age(reached_at)} ago"
    if figures["is_reached"]:
        took = f"a test alert was accepted {format_age(reached_at)} ago, in {figures['duration_ms']} ms"
        return took if failed_at is None else f"{took}; last failure {format_age(failed_at)} ago: {figures['error']}"
    if figures["is_reached"] is False:
        return f"ALERTS DO NOT ARRIVE. {format_age(failed_at)} ago: {figures['error']}; {last}"
    if reached_at is None and failed_at is None:
        return "no test alert yet, beat requests one every five minutes"
    return (
        f"NOT TESTED lately: no test alert was posted for {_OVERDUE_AFTER.total_seconds() / _MINUTE_S:.0f} min; {last}"
    )
