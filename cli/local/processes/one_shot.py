"""A process that runs one job when no worker claims it: `python -m workers.run_job JOB_ID`."""

import subprocess
import sys
from uuid import UUID

from cli.local.home.folder import Home

LOG = "one_shot.log"
_EXIT_TIMEOUT_S = 10.0


def start_one_shot(job_id: UUID, environment: dict[str, str], home: Home) -> "subprocess.Popen[bytes]":
    """Start the process in its own session, so that Ctrl-C here does not interrupt its call to the venue."""
    home.prepare()
    with (home.logs / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "workers.run_job", str(job_id)],
            env=environment | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def detach_one_shot(process: "subprocess.Popen[bytes]", *, is_done: bool) -> None:
    """Wait for the exit of a process whose job has ended; leave any other running until its job ends."""
    if is_done:
        try:
            process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            is_done = False
    if not is_done and process.poll() is None:
        process.returncode = 0  # avoids Python's warning about a process that still runs
