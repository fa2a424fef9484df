"""What `doctor` says of the heartbeat of the dead-man switch."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from shared.config import Settings
from shared.db.metrics.metrics import find_newest_end
from shared.domain.error_text import shorten_error
from shared.ledger.jobs.upkeep import SendHeartbeat


def check_heartbeat(connection: Connection, settings: Settings) -> str:
    """Return when the last heartbeat was sent, or that none is wanted; raise CheckWarningError if none is sent."""
    newest = find_newest_end(connection, SendHeartbeat.job_name())
    if newest is not None and newest["state"] != "succeeded":
        raise CheckWarningError(f"{shorten_error(newest['error'])}; docs/howto/heartbeat.md says what stops it")
    sent = newest["result"] if newest is not None else None
    if newest is not None and sent:
        return f"sent to {sent['host']} at {newest['finished_at']:%H:%M:%S %Z}"
    if not settings.heartbeat_url:
        return "off, as no heartbeat_url is set"
    raise CheckWarningError(
        "none was sent: heartbeat_url is set, and the running stack was started without it, or less than a minute ago; "
        "`tickwork down` and `tickwork up` start it anew"
    )
