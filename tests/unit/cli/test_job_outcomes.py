"""What a command says of jobs that have not ended when it stops waiting."""

from uuid import UUID

import pytest

from cli.client.job_client import JobOutcomes
from shared.ids import new_id
from shared.ledger.progress import JobProgress


def job(name: str, state: str, error: str | None = None) -> JobProgress:
    return JobProgress(new_id(), name, state, None, error, None, is_lost=False)


def unfinished(asked_for: JobProgress, *caused: JobProgress) -> str:
    roots: list[UUID] = [asked_for.id]
    problem = JobOutcomes(roots, [asked_for, *caused]).describe_problem()
    assert problem is not None
    return problem


def test_a_job_that_was_asked_for_can_be_cancelled() -> None:
    asked_for = job("orders.flatten", "queued", "VenueDownError: the venue does not answer")
    line = unfinished(asked_for, job("orders.poll_fills", "queued"))

    assert line.startswith("the flatten request is queued (the venue does not answer); the workers continue with it: ")
    assert f"`tickwork jobs show {asked_for.id}` shows the outcome, `tickwork jobs cancel {asked_for.id}`" in line


def test_a_job_that_only_looks_after_another_is_not_to_be_cancelled() -> None:
    asked_for = job("orders.enter_manually", "succeeded")
    line = unfinished(asked_for, job("orders.place_order", "succeeded"), job("orders.poll_fills", "queued"))

    assert line.startswith("the look for fills is queued; the workers continue with it: ")
    assert line.endswith(f"`tickwork jobs show {asked_for.id}` shows the outcome")


@pytest.mark.parametrize(("error", "is_problem"), [("done by job 7", False), ("cancelled by hand", True)])
def test_a_job_whose_work_another_has_done_is_no_problem(error: str, is_problem: bool) -> None:  # noqa: FBT001
    asked_for = job("orders.reduce_position", "succeeded")
    outcomes = JobOutcomes([asked_for.id], [asked_for, job("orders.guard_position", "cancelled", error)])

    assert is_problem is (outcomes.describe_problem() is not None)
