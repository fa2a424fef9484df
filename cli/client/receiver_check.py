"""Posts a test alert to the receiver and follows it to the end of its job."""

from datetime import timedelta
from threading import Event
from uuid import UUID

from sqlalchemy import Engine

from shared.clock import monotonic
from shared.config import Settings
from shared.db.engine import driver, make_engine
from shared.errors import ProbeFailedError
from shared.ledger.progress import JobProgress, read_progress
from shared.receiver_probe import probe_receiver

_JOB_TIMEOUT_S = 10.0
_POLL_EVERY_S = 0.05


def send_test_alert(settings: Settings, url: str) -> str:
    """Post a test alert to the receiver at `url` and return its outcome; raise ProbeFailedError if it was lost.

    A test alert trades nothing.
    """
    engine = make_engine(settings.require_database(), program="cli", pool_size=1)
    try:
        arrived = probe_receiver(engine, settings.home, url)
        job = _wait_for_end(engine, arrived.job_id)
    finally:
        engine.dispose()
    accepted = f"{url} accepted a test alert with 202 in {arrived.duration_ms} ms and stored it"
    if not job.is_over:
        raise ProbeFailedError(
            f"{accepted}, but its job is {job.state} after {_JOB_TIMEOUT_S:.0f} s: do the workers run? See `tickwork "
            "metrics`"
        )
    if job.state != "succeeded":
        raise ProbeFailedError(f"{accepted}, but its job is {job.state}: {job.error}")
    return f"{accepted}; its job succeeded"


def _wait_for_end(engine: Engine, job_id: UUID) -> JobProgress:
    """Return the job when it has ended, or after the timeout."""
    pause, gives_up_at = Event(), monotonic() + _JOB_TIMEOUT_S
    while True:
        with engine.connect() as connection:
            (job,) = read_progress(driver(connection), [job_id], timedelta())
        if job.is_over or monotonic() >= gives_up_at:
            return job
        pause.wait(_POLL_EVERY_S)
