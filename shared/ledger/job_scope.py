"""Which jobs a scope covers: a list of job names, or of whole subjects such as `market_data.*`."""

from collections.abc import Iterable, Sequence

from shared.errors import SettingsError
from shared.ledger.job import Job
from shared.ledger.jobs import job_types

_ALL_OF_SUBJECT = ".*"


def requestable_jobs() -> list[type[Job]]:
    """Return the job types that a token may request, sorted by name."""
    return [one for one in job_types() if not one.is_internal]


def is_in_scope(job_name: str, scope: Iterable[str]) -> bool:
    """Whether a token may request the job, and a part of the scope is its name, or its whole subject."""
    return any(job_name == one.job_name() for one in requestable_jobs()) and any(
        job_name == part or _subject_of(part) == job_name.partition(".")[0] for part in scope
    )


def list_jobs_in_scope(scope: Sequence[str]) -> list[type[Job]]:
    """Return the job types that the scope covers; raise SettingsError for a part of it that names none."""
    types = requestable_jobs()
    for part in scope:
        if not any(is_in_scope(one.job_name(), [part]) for one in types):
            raise SettingsError(
                f"invalid job {part!r}: expected {', '.join(one.job_name() for one in types)}, or all jobs of a "
                "subject, such as market_data.*"
            )
    return [one for one in types if is_in_scope(one.job_name(), scope)]


def _subject_of(part: str) -> str | None:
    return part.removesuffix(_ALL_OF_SUBJECT) if part.endswith(_ALL_OF_SUBJECT) else None
