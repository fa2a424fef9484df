"""The last success and the last failure of the receiver probe."""

from dataclasses import dataclass
from datetime import datetime

from shared.ledger.claims import LedgerConnection
from shared.ledger.jobs.upkeep import ProbeReceiver

_READ = """
    SELECT DISTINCT ON (is_success) is_success, finished_at, duration_ms, error
    FROM (SELECT state = 'succeeded' AS is_success, finished_at, (result ->> 'duration_ms')::integer AS duration_ms,
                 error
          FROM job
          WHERE name = %(name)s
            AND (state = 'succeeded' AND result ->> 'url' = %(url)s OR state IN ('failed', 'dead'))) ended
    ORDER BY is_success, finished_at DESC
"""


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """When a test alert last arrived through the public URL, and when one last did not, and why."""

    reached_at: datetime | None = None
    duration_ms: int | None = None
    failed_at: datetime | None = None
    error: str | None = None


def read_probe_record(connection: LedgerConnection, url: str) -> ProbeRecord:
    """Return the record of the probe; only a success at this public URL counts."""
    rows = connection.execute(_READ, {"name": ProbeReceiver.job_name(), "url": url}).fetchall()
    ends = {is_success: (finished_at, duration_ms, error) for is_success, finished_at, duration_ms, error in rows}
    reached_at, duration_ms, _ = ends.get(True, (None, None, None))
    failed_at, _, error = ends.get(False, (None, None, None))
    return ProbeRecord(reached_at, duration_ms, failed_at, error)
