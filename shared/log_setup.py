"""Logging of a program to stderr: a line for a person, or JSON, with the ids of the job that runs and of its cause."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from structlog.typing import EventDict, WrappedLogger

from shared.log import mask_secrets

_SHORT_ID = 8


@contextmanager
def name_job(job_id: UUID, correlation_id: UUID) -> Iterator[None]:
    """Let every record inside have the ids of a job and of its cause, which `tickwork trace` takes."""
    with structlog.contextvars.bound_contextvars(job=str(job_id), cause=str(correlation_id)):
        yield


def set_up_logging(level: str = "INFO", form: str = "console") -> None:
    """Send every logger to stderr, one masked record a line, for a person or as JSON; call once per program."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_MaskedFormatter(is_json=form == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


class _MaskedFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats the records of the standard library, those of libraries among them; no secret passes.

    JSON has `timestamp` (ISO 8601, UTC), `level`, `logger`, `event`, `exception` if there is one, and `job` and `cause`
    in a job. A line for a person has the local time, and the last characters of both ids at its end.
    """

    def __init__(self, *, is_json: bool) -> None:
        processors = structlog.processors
        stamp = (
            processors.TimeStamper(fmt="iso", utc=True) if is_json else processors.TimeStamper("%H:%M:%S", utc=False)
        )
        super().__init__(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                stamp,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                processors.format_exc_info,
                processors.JSONRenderer() if is_json else _render_line,
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, which is one line unless it has a traceback and is for a person."""
        return mask_secrets(super().format(record))


def _render_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    line = f"{event['timestamp']} {event['level'].upper():7} {event['logger']}: {event['event']}"
    if "job" in event:
        line += f" [job {event['job'][-_SHORT_ID:]}, cause {event['cause'][-_SHORT_ID:]}]"
    return f"{line}\n{event['exception']}" if "exception" in event else line
