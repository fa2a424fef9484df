"""What `doctor` says of the traces that are sent to a collector."""

from datetime import timedelta

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from shared.clock import machine_now
from shared.config import Settings
from shared.db.metrics import spans
from shared.domain.counting import count_of

_LATE_AFTER = timedelta(minutes=2)


def check_traces(connection: Connection, settings: Settings) -> str:
    """Return up to when traces were sent; raise CheckWarningError if that is minutes ago."""
    if not settings.traces_url:
        return "off, as no traces_url is set"
    exported_until = spans.read_progress(connection)
    if exported_until is None or machine_now() - exported_until > _LATE_AFTER:
        since = "yet" if exported_until is None else f"since {exported_until:%Y-%m-%d %H:%M:%S} UTC"
        raise CheckWarningError(
            f"{settings.traces_url} took none {since}: `tickwork logs trace-exporter` says why; what is older than an "
            "hour is left out"
        )
    return f"sent up to {count_of(round((machine_now() - exported_until).total_seconds()), 'second')} ago"
