"""Ends a running job with the last statement of a transaction, in one round trip with its COMMIT."""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from shared.errors import LeaseLostError
from shared.ledger.claims import CLAIMED_COLUMNS, ClaimedJob, LedgerConnection, claim_values, to_claimed_job
from shared.ledger.enqueue import NewJob, Statement
from shared.ledger.transitions import FINISH, values_of_end

# Divides by zero, so that no COMMIT follows, when the lease was lost: the statement then changes nothing.
_FINISH: LiteralString = f"""
    WITH done AS ({FINISH} RETURNING id) SELECT 1 / count(*)::integer FROM done
"""  # noqa: S608  # no value enters the text


@dataclass(frozen=True, slots=True)
class Ending:
    """The statement that ends a job, and whether it returns the follow-up job as claimed by the same worker."""

    job: ClaimedJob
    statement: Statement
    has_follow_up: bool

    def write(self, connection: LedgerConnection, *, commits: bool) -> ClaimedJob | None:
        """End the job, and commit; return the follow-up job. Raise LeaseLostError if the lease was lost."""
        try:
            with connection.pipeline():
                cursor = connection.execute(*self.statement)
                if commits:
                    connection.execute("COMMIT", prepare=False)
        except psycopg.errors.DivisionByZero as error:
            raise LeaseLostError(f"worker {self.job.worker} lost its lease of job {self.job.id}") from error
        row: tuple[Any, ...] = cursor.fetchone() or ()
        return to_claimed_job(row[1:]) if self.has_follow_up else None


def finish(job: ClaimedJob, result: object) -> Ending:
    """Return the end of a job that succeeded."""
    return Ending(job, (_FINISH, values_of_end(job, "succeeded", result, None)), has_follow_up=False)


def continue_with(job: ClaimedJob, result: object, follow_up: NewJob) -> Ending:
    """Return the end of a job that succeeded, and the insert of the job that its worker runs next."""
    insert, values = follow_up.continue_with(job.claim_id, result)
    statement: LiteralString = f"""
        WITH {insert} RETURNING {CLAIMED_COLUMNS})
        SELECT 1 / (SELECT count(*) FROM follow_up)::integer, follow_up.*
        FROM (VALUES (1)) AS one LEFT JOIN follow_up ON true
    """  # noqa: S608  # as above
    return Ending(job, (statement, values | claim_values(job.worker)), has_follow_up=True)
