"""What `doctor` says of the channels by which the trader is told what happens."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import describe_stale, load_next_settings
from shared.config import Settings
from shared.db.notifications import outbox
from shared.domain.counting import count_of
from shared.overview.optional_problems import find_failing_channels


def check_notifications(connection: Connection, settings: Settings) -> str:
    """Return how many channels take all that is sent; raise CheckWarningError if one does not, or the job fails."""
    if (problem := find_failing_channels(connection, settings)) is not None:
        raise CheckWarningError(problem)
    if (typed := load_next_settings(settings).notify_channels) != settings.notify_channels:
        names = ", ".join(one.name for one in typed) or "none"
        raise CheckWarningError(describe_stale(f"the channels are {names} now"))
    if not settings.notify_channels:
        return "no channel is set: `tickwork notify add NAME` adds one"
    waiting = sum(one["waiting_count"] for one in outbox.summarize(connection).values())
    return f"{count_of(len(settings.notify_channels), 'channel')}, {count_of(waiting, 'notification')} waiting"
