"""Workers of one fleet that share host name and process id, as parents in containers do: no lease depends on them."""

from pathlib import Path

import pytest

from shared.fleets import Queue
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv, StartedProgram
from tests.fixtures.processes import until
from tests.fixtures.trial.trials import Hold

ONE_NAME = "tests.fixtures.one_name"  # a program that runs another as process 1 of the host `one`


def start(ledger_env: LedgerEnv) -> StartedProgram:
    worker = ledger_env.start(ONE_NAME, "tests.fixtures.trial", "normal")
    worker.wait_until_running()
    return worker


def names(ledger_env: LedgerEnv) -> list[str]:
    workers = ledger_env.rows("SELECT fleet || '@' || host || '.' || process_id AS name FROM worker")
    return [str(row["name"]) for row in workers]


def test_three_workers_with_one_name_keep_each_its_own_jobs_through_kills_and_restarts(
    ledger_env: LedgerEnv, tmp_path: Path
) -> None:
    ledger_env.start("tests.fixtures.trial.relay").wait_until_running()
    file = tmp_path / "held"
    file.touch()
    workers = [start(ledger_env) for _ in range(3)]
    assert ["normal@one.1"] * 3 == names(ledger_env)
    held = [ledger_env.enqueue(Hold(file=str(file)), queue=Queue.NORMAL) for _ in range(12)]
    before = {row["id"]: row for row in ledger_env.wait_for("running", *held)}
    assert 3 == len({row["worker_id"] for row in before.values()})

    workers[0].kill()
    start(ledger_env)
    workers[1].terminate()  # its jobs go on
    (lost,) = {
        row["worker_id"]
        for row in before.values()
        if ledger_env.rows(f"SELECT 1 FROM worker WHERE id = '{row['worker_id']}' AND ended_at IS NULL")
        and not _is_seen(ledger_env, row["worker_id"])
    }
    taken = [job_id for job_id, row in before.items() if row["worker_id"] == lost]
    until(lambda: all(_runs_elsewhere(ledger_env, job_id, lost) for job_id in taken), 60, "the lost jobs at another")
    others = [job_id for job_id in before if job_id not in taken]
    assert all(ledger_env.row(job_id)["claim_id"] == before[job_id]["claim_id"] for job_id in others)
    file.unlink()
    rows = ledger_env.wait_for("succeeded", *held)

    assert {1, 2} == {row["attempt"] for row in rows}
    assert {1} == {row["attempt"] for row in rows if row["id"] in others}
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing()))


def _is_seen(ledger_env: LedgerEnv, worker_id: object) -> bool:
    """Whether the worker writes another heartbeat; a dead one never does, so this waits for the end of its lease."""
    seen = f"SELECT seen_at, seen_at > now() - interval '10 seconds' AS is_fresh FROM worker WHERE id = '{worker_id}'"
    (first,) = ledger_env.rows(seen)
    found: list[bool] = []

    def is_known() -> bool:
        (now,) = ledger_env.rows(seen)
        if now["seen_at"] > first["seen_at"]:
            found.append(True)
        elif not now["is_fresh"]:
            found.append(False)
        return bool(found)

    until(is_known, 60, "a heartbeat, or the end of the lease")
    return found[0]


def _runs_elsewhere(ledger_env: LedgerEnv, job_id: object, lost: object) -> bool:
    (row,) = ledger_env.rows(f"SELECT worker_id, state FROM job WHERE id = '{job_id}'")
    return row["state"] == "running" and row["worker_id"] not in {None, lost}


pytestmark = pytest.mark.timeout(300)
