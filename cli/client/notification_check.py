"""What `doctor` says of the channels by which the trader is told what happens."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import load_next_settings
from shared.config import Settings
from shared.db.metrics.metrics import find_newest_end
from shared.db.notifications import outbox
from shared.domain.counting import count_of
from shared.domain.error_text import shorten_error
from shared.ledger.jobs.notifications import SendNotifications


def check_notifications(connection: Connection, settings: Settings) -> str:
    """Return how many channels take all that is sent; raise CheckWarningError if one does not, or the job fails."""
    delivered = outbox.summarize(connection)
    failing = [f"channel {name}: {one['error'].rstrip('.')}" for name, one in delivered.items() if one["error"]]
    newest = find_newest_end(connection, SendNotifications.job_name())
    if not failing and newest is not None and newest["state"] != "succeeded":
        failing = [shorten_error(newest["error"])]
    if failing:
        raise CheckWarningError(
            f"{'; '.join(failing)}; it is tried again for a day. `tickwork notify test` tries it now, and "
            "`tickwork notify list` shows what waits"
        )
    if (typed := load_next_settings(settings).notify_channels) != settings.notify_channels:
        names = ", ".join(one.name for one in typed) or "none"
        raise CheckWarningError(
            f"the channels are {names} now, and the running stack does not know that: `tickwork down`, then `tickwork "
            "up`"
        )
    if not settings.notify_channels:
        return "no channel is set: `tickwork notify add NAME` adds one"
    waiting = sum(one["waiting_count"] for one in delivered.values())
    return f"{count_of(len(settings.notify_channels), 'channel')}, {count_of(waiting, 'notification')} waiting"
