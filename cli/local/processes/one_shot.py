"""A process that does one job by itself, for when no worker does: `python -m workers.run_job JOB_ID`."""

import subprocess
import sys
from uuid import UUID

from cli.local.home.folder import Home

LOG = "alone.log"
_LAST_WORDS_S = 10.0


def start_one_shot(job_id: UUID, environment: dict[str, str], home: Home) -> "subprocess.Popen[bytes]":
    """Start it in a session of its own: Ctrl-C here must not cut it off in the middle of a call to the venue."""
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


def part_from(process: "subprocess.Popen[bytes]", *, is_done: bool) -> None:
    """Wait for its last words when its job is done, else leave it to its work: it ends when the job does."""
    if is_done:
        try:
            process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            is_done = False
    if not is_done and process.poll() is None:
        process.returncode = 0  # nobody here will ask: without this Python warns of a process that is left behind
