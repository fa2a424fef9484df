"""The checks of `doctor` on what is off until it is set up: the heartbeat, notifications, the bot and traces."""

from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from cli.client.heartbeat_check import check_heartbeat
from cli.client.notification_check import check_notifications
from cli.client.telegram_check import check_telegram
from cli.client.traces_check import check_traces
from shared.config import Settings


def list_optional_checks(settings: Settings) -> dict[str, Callable[[Connection], str]]:
    """Return the checks by name; each returns what is fine, and raises CheckWarningError for what is not."""
    return {
        "heartbeat": partial(check_heartbeat, settings=settings),
        "notifications": partial(check_notifications, settings=settings),
        "telegram": partial(check_telegram, settings=settings),
        "traces": partial(check_traces, settings=settings),
    }
