"""What `doctor` says of the traces that are sent to a collector."""

from sqlalchemy import Connection

from cli.client.live_checks import CheckWarningError
from cli.client.stack import describe_stale, load_next_settings
from shared.clock import machine_now
from shared.config import Settings
from shared.db.metrics import spans
from shared.domain.counting import count_of
from shared.overview.optional_problems import find_late_traces


def check_traces(connection: Connection, settings: Settings) -> str:
    """Return up to when traces were sent; raise CheckWarningError if that is minutes ago, or no longer as it is set."""
    if load_next_settings(settings).traces_url != settings.traces_url:
        raise CheckWarningError(describe_stale("traces_url was changed"))
    if not settings.traces_url:
        return "off, as no traces_url is set"
    if (problem := find_late_traces(connection, settings)) is not None:
        raise CheckWarningError(problem)
    exported_until = spans.read_progress(connection)
    if exported_until is None:
        raise CheckWarningError(f"{settings.traces_url} took none yet: `tickwork logs trace-exporter` says why")
    return f"sent up to {count_of(round((machine_now() - exported_until).total_seconds()), 'second')} ago"
