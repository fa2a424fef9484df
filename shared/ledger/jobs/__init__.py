"""The requests that workers serve: one frozen type per job, in a module per subject."""

from typing import Literal

from shared.ledger.job import job_types
from shared.ledger.jobs import (  # noqa: F401  # each registers its types
    accounts,
    alerts,
    market_data,
    metrics,
    notifications,
    orders,
    strategies,
    trades,
    upkeep,
)

__all__ = ["Trait", "job_names_with", "job_types"]

Trait = Literal["is_entry", "is_probe", "is_repeated", "is_transactional", "is_internal"]


def job_names_with(trait: Trait) -> list[str]:
    """Return the names of the job types that have this trait, sorted."""
    return [request.job_name() for request in job_types() if getattr(request, trait)]
