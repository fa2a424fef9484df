"""Runs one job to its end in a process of its own, without Celery or broker: `python -m workers.run_job JOB_ID`."""

import sys
from uuid import UUID

from shared.config import Settings, load_settings
from shared.ledger.worker import Worker
from shared.log_setup import set_up_logging
from workers.app import import_tasks
from workers.lease_renewer import LeaseRenewer
from workers.recording import Outcome
from workers.wiring import open_runner

_LONGEST_PAUSE_S = 0.5


def run_to_end(settings: Settings, job_id: UUID) -> Outcome:
    """Run the job until it has ended, however often it is rescheduled, and return its outcome.

    This works with a full queue and without any worker. The row is claimed in Postgres like every other, so a worker
    that starts meanwhile does not run the job a second time.
    """
    import_tasks()
    worker = Worker.of_this_process("one_shot")
    renewer = LeaseRenewer(settings, worker, program="one_shot leases")
    renewer.start()
    try:
        with open_runner(settings, worker.process(), program="one_shot") as runner:
            while True:
                outcome = runner.run(job_id)
                if outcome.state not in {"rescheduled", "unclaimed", "duplicate"}:
                    return outcome
                seen = renewer.read_state(job_id)
                if seen is None or seen[0] not in {"queued", "running"}:
                    return Outcome(seen[0] if seen else "duplicate", error=outcome.error)
                renewer.wait(min(max(seen[1], 0.01), _LONGEST_PAUSE_S))
    finally:
        renewer.stop()


def main() -> int:
    """Run the job named on the command line to its end and return the exit status."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    try:
        job_id = UUID(sys.argv[1] if len(sys.argv) == 2 else "")  # noqa: PLR2004  # the program and one argument
    except ValueError:
        raise SystemExit("usage: python -m workers.run_job JOB_ID, a UUID as `tickwork jobs` shows it") from None
    outcome = run_to_end(settings, job_id)
    sys.stdout.write(f"{outcome.state}: {outcome.error or outcome.result}\n")
    return 0 if outcome.state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
