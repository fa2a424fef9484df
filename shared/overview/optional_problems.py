"""What is wrong with what is off until it is set up: the heartbeat, notifications, the Telegram bot and traces."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.config import Settings
from shared.db.metrics import spans
from shared.db.metrics.metrics import find_newest_end
from shared.db.notifications import outbox
from shared.db.telegram import bots
from shared.domain.error_text import shorten_error
from shared.domain.risk.watch_gap import describe_duration
from shared.ledger.jobs.notifications import SendNotifications
from shared.ledger.jobs.upkeep import SendHeartbeat

_FAILED = {"failed", "dead"}  # a run that was superseded or expired says nothing
_BOT_SILENT_AFTER = timedelta(minutes=2)  # it asks at least each half minute
_TRACES_LATE_AFTER = timedelta(minutes=2)


def find_failing_heartbeat(connection: Connection, settings: Settings) -> str | None:
    """Return why the last heartbeat was not sent; None if it was, or none is wanted or was due yet."""
    newest = find_newest_end(connection, SendHeartbeat.job_name()) if settings.is_set("heartbeat_url") else None
    if newest is None or newest["state"] not in _FAILED:
        return None
    return f"{shorten_error(newest['error'])}; docs/howto/heartbeat.md says what stops it"


def find_failing_channels(connection: Connection, settings: Settings) -> str | None:
    """Return which channels do not take what is sent, or why nothing is sent; None if all is well or none is set."""
    if not settings.is_set("notify_channels"):
        return None
    delivered = outbox.summarize(connection)
    failing = [f"channel {name}: {one['error'].rstrip('.')}" for name, one in delivered.items() if one["error"]]
    newest = find_newest_end(connection, SendNotifications.job_name())
    if not failing and newest is not None and newest["state"] in _FAILED:
        failing = [shorten_error(newest["error"])]
    if not failing:
        return None
    return (
        f"{'; '.join(failing)}; it is tried again for a day. `tickwork notify test` tries it now, and "
        "`tickwork notify list` shows what waits"
    )


def find_failing_bot(connection: Connection, settings: Settings) -> str | None:
    """Return why the bot takes no commands; None if it takes them, was never set up or has not begun yet."""
    if not settings.telegram_token:
        return None
    row, now = bots.find(connection, int(settings.telegram_token.partition(":")[0])), machine_now()
    if row is None:
        return None
    if row.error is not None:
        since = f" since {row.failing_since_at:%H:%M:%S} UTC" if row.failing_since_at else ""
        return f"no commands are taken{since}: {row.error}"
    if row.polled_at is not None and row.polled_at < now - _BOT_SILENT_AFTER:
        return (
            f"the bot has not asked Telegram for commands for {describe_duration(now - row.polled_at)}: its log, "
            "`tickwork logs telegram`, says why"
        )
    return None


def find_late_traces(connection: Connection, settings: Settings) -> str | None:
    """Return since when the collector took no traces; None if it takes them, none is set or none has begun yet."""
    exported_until = spans.read_progress(connection) if settings.traces_url else None
    if exported_until is None or machine_now() - exported_until <= _TRACES_LATE_AFTER:
        return None
    return (
        f"{settings.traces_url} took none since {exported_until:%Y-%m-%d %H:%M:%S} UTC: `tickwork logs trace-exporter` "
        "says why; what is older than an hour is left out"
    )
