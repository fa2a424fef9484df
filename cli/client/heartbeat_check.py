"""What `doctor` says of the heartbeat of the dead-man switch."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import describe_stale, load_next_settings
from shared.config import Settings
from shared.db.metrics.metrics import find_newest_end
from shared.ledger.jobs.upkeep import SendHeartbeat
from shared.overview.optional_problems import find_failing_heartbeat


def check_heartbeat(connection: Connection, settings: Settings) -> str:
    """Return when the last heartbeat was sent, or that none is wanted; raise CheckWarningError if none is sent."""
    if (problem := find_failing_heartbeat(connection, settings)) is not None:
        raise CheckWarningError(problem)
    if load_next_settings(settings).heartbeat_url != settings.heartbeat_url:
        raise CheckWarningError(describe_stale("heartbeat_url was changed"))
    newest = find_newest_end(connection, SendHeartbeat.job_name())
    sent = newest["result"] if newest is not None else None
    if newest is not None and sent:
        return f"sent to {sent['host']} at {newest['finished_at']:%H:%M:%S %Z}"
    if not settings.heartbeat_url:
        return "off, as no heartbeat_url is set"
    raise CheckWarningError(
        "none was sent yet: the first is due within a minute of the start, once the risk monitor and the feed work"
    )
